"""Ratings by people: a CSV file with one row a rated sample, named by its column `key`.

The column `score` rates the edit as a whole; columns named as a criterion or a step of the rubric rate that. At least one of
them must be there, and others are ignored. Of several, a row leaves empty what was not rated.

On the command line `[NAME[:LOW-HIGH]=]FILE.csv`, such as `anna:1-5=anna.csv`. Without NAME the file's name is taken, and
without LOW-HIGH the scale is from the lowest to the highest rating in the file. A file whose path holds `=` needs a NAME.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from editbench.errors import UserError
from editbench.report.records.rows import Scale

KEY, SCORE = "key", "score"
LISTED = 5
"""Unknown keys that an error names."""

_NUMBER = r"-?\d+(?:\.\d+)?"
_SCALE = re.compile(rf"({_NUMBER})-({_NUMBER})")


@dataclass(frozen=True, slots=True)
class Ratings:
    """What people rated, from one file."""

    name: str
    scale: Scale | None
    """The scale on the command line; None when it is that of the ratings themselves."""
    ratings: Mapping[str, Mapping[str, float]]
    """Ratings by what is rated (`score`, or a criterion or step) and by key, in the file's order."""


def read(argument: str, known: Collection[str], criteria: Collection[str] = ()) -> Ratings:
    """The ratings that `[NAME[:LOW-HIGH]=]FILE.csv` points at.

    Args:
        known: keys of all samples.
        criteria: names of the criteria and steps that can be rated.

    Raises:
        UserError: a bad scale, no such file, not a CSV of `key` and something rated, a column that comes twice, no ratings, or
            a bad row: a key that was there before or that is not known, a rating that is no number or off the scale.
    """
    name, scale, path = _parse(argument)
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            ratings, lines = _rows(path, csv.DictReader(file), scale, criteria)
    except FileNotFoundError:
        raise UserError(f"no file {path}", f"Give --ratings a CSV file with the columns {KEY} and {SCORE}.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} can't be read as CSV: {error}", "Save it as CSV in UTF-8.") from None
    if not ratings:
        raise UserError(f"{path} has no ratings", "Give one row a rated sample.")
    if unknown := [key for key in lines if key not in known]:
        listed = ", ".join(f"{key!r} (line {lines[key]})" for key in unknown[:LISTED])
        more = f" and {len(unknown) - LISTED} more" if len(unknown) > LISTED else ""
        raise UserError(f"{path}: no sample has the key {listed}{more}", "Use the keys of scores.jsonl.")
    # A file's name may hold bytes that are no UTF-8; JSON may not.
    return Ratings(name.encode("utf-8", "replace").decode(), scale, ratings)


def _parse(argument: str) -> tuple[str, Scale | None, Path]:
    label, _, file = argument.partition("=") if "=" in argument else ("", "", argument)
    name, colon, span = label.partition(":")
    path = Path(file)
    if not colon:
        return name or path.stem, None, path
    match = _SCALE.fullmatch(span)
    if match is None or float(match[1]) >= float(match[2]):
        raise UserError(
            f"--ratings {argument}: {span!r} is no scale", "Write NAME:LOW-HIGH=FILE.csv, such as anna:1-5=anna.csv."
        )
    return name or path.stem, (float(match[1]), float(match[2])), path


def _rows(
    path: Path, reader: csv.DictReader[str], scale: Scale | None, criteria: Collection[str]
) -> tuple[dict[str, dict[str, float]], dict[str, int]]:
    """Ratings by what is rated and by key; line numbers by key."""
    columns = _columns(path, reader.fieldnames or (), criteria)
    ratings: dict[str, dict[str, float]] = {name: {} for name in columns}
    lines: dict[str, int] = {}
    for row in reader:
        key, line = row[KEY] or "", reader.line_num
        if key in lines:
            raise UserError(f"{path}, line {line}: key {key!r} is already on line {lines[key]}", "Rate each sample once.")
        lines[key] = line
        for name in columns:
            text = row[name] or ""
            if text.strip() or len(columns) == 1:
                ratings[name][key] = _number(path, line, name, text, scale or (-math.inf, math.inf))
    return {name: by_key for name, by_key in ratings.items() if by_key}, lines


def _columns(path: Path, names: Sequence[str], criteria: Collection[str]) -> list[str]:
    """The columns that hold ratings."""
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise UserError(f"{path}, line 1: column {twice[0]!r} comes twice", "Name each column once.")
    columns = [name for name in names if name == SCORE or name in criteria]
    if missing := [name for name, present in ((KEY, KEY in names), (SCORE, columns)) if not present]:
        listed = ", ".join(names) or "none"
        others = f", or for {SCORE} a criterion or step: {', '.join(criteria)}" if criteria else ""
        problem = f"{path}, line 1: no column {' and '.join(missing)} (columns: {listed})"
        raise UserError(problem, f"Name the columns {KEY},{SCORE}{others}.")
    return columns


def _number(path: Path, line: int, name: str, text: str, scale: Scale) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{path}, line {line}: {name} {text!r} is not a number", "Leave out samples without a rating.")
    if not scale[0] <= value <= scale[1]:
        raise UserError(
            f"{path}, line {line}: {name} {text} is off the scale {scale[0]:g} to {scale[1]:g}", "Mend one of them."
        )
    return value
