"""Ratings by people: a CSV file with the columns `key` and `score` (others are ignored), one row a rated sample.

On the command line `[NAME[:LOW-HIGH]=]FILE.csv`, such as `anna:1-5=anna.csv`. Without NAME the file's name is taken, and
without LOW-HIGH the scale is from the lowest to the highest rating in the file. A file whose path holds `=` needs a NAME.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from editbench.errors import UserError
from editbench.report.rows import Scale

COLUMNS = ("key", "score")
LISTED = 5
"""Unknown keys that an error names."""

_NUMBER = r"-?\d+(?:\.\d+)?"
_SCALE = re.compile(rf"({_NUMBER})-({_NUMBER})")


@dataclass(frozen=True, slots=True)
class Ratings:
    name: str
    scale: Scale | None
    """What was given; None when the ratings themselves must tell."""
    scores: Mapping[str, float]
    """By key, in the file's order."""


def read(given: str, known: Collection[str]) -> Ratings:
    """The ratings that `[NAME[:LOW-HIGH]=]FILE.csv` points at; `known` are the keys of the samples there are.

    Raises:
        UserError: a bad scale, no such file, not a CSV of `key` and `score`, no rows, or a bad one: a key that was there before
            or that is not known, a score that is no number or off the scale.
    """
    name, scale, path = _parse(given)
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            scores, lines = _rows(path, csv.DictReader(file), scale)
    except FileNotFoundError:
        raise UserError(f"no file {path}", "Give --ratings a CSV file with the columns key and score.") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} can't be read as CSV: {error}", "Save it as CSV in UTF-8.") from None
    if not scores:
        raise UserError(f"{path} has no ratings", "Give one row a rated sample.")
    if unknown := [key for key in scores if key not in known]:
        some = ", ".join(f"{key!r} (line {lines[key]})" for key in unknown[:LISTED])
        more = f" and {len(unknown) - LISTED} more" if len(unknown) > LISTED else ""
        raise UserError(f"{path}: no sample has the key {some}{more}", "Use the keys of scores.jsonl.")
    # A file's name may hold bytes that are no UTF-8; JSON may not.
    return Ratings(name.encode("utf-8", "replace").decode(), scale, scores)


def _parse(given: str) -> tuple[str, Scale | None, Path]:
    label, _, file = given.partition("=") if "=" in given else ("", "", given)
    name, colon, span = label.partition(":")
    path = Path(file)
    if not colon:
        return name or path.stem, None, path
    match = _SCALE.fullmatch(span)
    if match is None or float(match[1]) >= float(match[2]):
        raise UserError(f"--ratings {given}: {span!r} is no scale", "Write NAME:LOW-HIGH=FILE.csv, such as anna:1-5=anna.csv.")
    return name or path.stem, (float(match[1]), float(match[2])), path


def _rows(path: Path, reader: csv.DictReader[str], scale: Scale | None) -> tuple[dict[str, float], dict[str, int]]:
    """Scores and line numbers by key."""
    if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
        found = ", ".join(reader.fieldnames or ()) or "none"
        raise UserError(f"{path}, line 1: no column {' and '.join(missing)} (columns: {found})", "Name the columns key,score.")
    scores: dict[str, float] = {}
    lines: dict[str, int] = {}
    for key, text, line in _cells(reader):
        if key in scores:
            raise UserError(f"{path}, line {line}: key {key!r} is already on line {lines[key]}", "Rate each sample once.")
        scores[key], lines[key] = _score(path, line, text, scale or (-math.inf, math.inf)), line
    return scores, lines


def _cells(reader: csv.DictReader[str]) -> Iterator[tuple[str, str, int]]:
    for row in reader:
        key, text = (row[name] or "" for name in COLUMNS)
        yield key, text, reader.line_num


def _score(path: Path, line: int, text: str, scale: Scale) -> float:
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise UserError(f"{path}, line {line}: score {text!r} is not a number", "Leave out samples without a rating.")
    if not scale[0] <= score <= scale[1]:
        raise UserError(f"{path}, line {line}: score {text} is off the scale {scale[0]:g} to {scale[1]:g}", "Mend one of them.")
    return score
