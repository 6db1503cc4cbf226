"""scores.jsonl as numpy columns.

Rows are checked as they are read, one at a time, and nothing is skipped: a bad row is an error that names file and line.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from editbench.errors import UserError
from editbench.records import OK, STATUSES

Scale = tuple[float, float]
"""Lowest and highest score of a rubric."""

_TEXTS = ("key", "category", "language", "group", "status")
_CODES = {status: code for code, status in enumerate(STATUSES)}
_ROUNDING = 1e-6
"""A mean of a score distribution may leave the scale by a rounding error; this share of the scale's width is let through."""


@dataclass(frozen=True, slots=True)
class Rows:
    """n samples in the file's order; each array has shape (n,)."""

    keys: Sequence[str]
    score: NDArray[np.float64]
    """NaN unless the status is `ok`."""
    mass: NDArray[np.float64]
    """NaN where the judge's readout has none."""
    status: NDArray[np.int64]
    """Index into `records.STATUSES`."""
    group: NDArray[np.int64]
    """A number a group."""
    category: NDArray[np.int64]
    """Index into `categories`."""
    language: NDArray[np.int64]
    categories: Sequence[str]
    """Sorted."""
    languages: Sequence[str]
    flags: Mapping[str, int] = field(default_factory=dict)
    reads: Mapping[str, int] = field(default_factory=dict)
    """Scored rows by how their score was read."""
    """Rows by what is odd about their edit, sorted."""

    @property
    def scored(self) -> NDArray[np.bool_]:
        return self.status == _CODES[OK]


def read(path: Path, scale: Scale | None = None) -> Rows:
    """The rows of a scores.jsonl; `scale` is what scores must lie on.

    Raises:
        UserError: no such file, no rows, or a bad one: not JSON, a field missing or of a wrong type, an unknown status, a key
            that was there before, `ok` without a score, a score without `ok`, a score off the scale.
    """
    reader = _Reader(scale or (-math.inf, math.inf))
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    reader.add(line)
                except ValueError as error:
                    remedy = "Restore the file, or score into a new folder."
                    raise UserError(f"{path}, line {number}: {error}", remedy) from None
    except FileNotFoundError:
        raise UserError(f"no {path.name} in {path.parent}", "Restore it, or score into a new folder.") from None
    if not reader.lines:
        raise UserError(f"{path} has no rows", "Score a folder of edits that has some.")
    return reader.rows()


class _Reader:
    """Columns that grow by a line; texts that repeat are kept as numbers (a tenth of the memory of a million strings)."""

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        slack = _ROUNDING * (scale[1] - scale[0])
        self.low, self.high = scale[0] - slack, scale[1] + slack
        self.lines: dict[str, int] = {}
        self.numbers: list[tuple[float, float]] = []
        self.codes: list[tuple[int, int, int, int]] = []
        self.names: dict[str, dict[object, int]] = {"group": {}, "category": {}, "language": {}}
        self.flags = Counter[str]()
        self.reads = Counter[str]()

    def add(self, line: bytes) -> None:
        """Take one line. Raises ValueError saying what is wrong with it."""
        row = _parse(line)
        key, category, language, group, status = (_text(row, name) for name in _TEXTS)
        number = len(self.lines) + 1
        if (first := self.lines.setdefault(key, number)) != number:
            raise ValueError(f"key {key!r} is already on line {first}")
        self.numbers.append((self._score(row, status), _number(row, "mass")))
        self.flags.update(_flags(row))
        if status == OK and row.get("read"):
            self.reads[_text(row, "read")] += 1
        # Samples without a group are not known to share anything: each is a group of its own.
        self.codes.append(
            (
                _CODES[status],
                self._code("group", group or (key,)),
                self._code("category", category),
                self._code("language", language),
            )
        )

    def rows(self) -> Rows:
        numbers, codes = np.array(self.numbers), np.array(self.codes, dtype=np.int64)
        categories, category = _sort(self.names["category"], codes[:, 2])
        languages, language = _sort(self.names["language"], codes[:, 3])
        columns = (numbers[:, 0], numbers[:, 1], codes[:, 0], codes[:, 1], category, language)
        return Rows(
            list(self.lines),
            *columns,
            categories,
            languages,
            dict(sorted(self.flags.items())),
            dict(sorted(self.reads.items())),
        )

    def _code(self, column: str, value: object) -> int:
        known = self.names[column]
        return known.setdefault(value, len(known))

    def _score(self, row: dict[str, Any], status: str) -> float:
        if status not in _CODES:
            raise ValueError(f"status {status!r} is none of {', '.join(STATUSES)}")
        score = _number(row, "score")
        if (status == OK) == math.isnan(score):
            raise ValueError("status ok without a score" if status == OK else f"status {status} with the score {score}")
        if status == OK and not self.low <= score <= self.high:
            raise ValueError(f"score {score} is off the rubric's scale {self.scale[0]:g} to {self.scale[1]:g}")
        return score


def _parse(line: bytes) -> dict[str, Any]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise ValueError("not JSON (cut short?)") from None
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 (a value of the file, not of the caller)
    return row


def _text(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if type(value) is not str:
        raise ValueError(f"{name} is {'missing' if value is None else 'not text'}: not a row of scores")
    return value


def _number(row: dict[str, Any], name: str) -> float:
    """The number, or NaN for none."""
    value = row.get(name)
    if value is None:
        return math.nan
    if type(value) not in (int, float):
        raise ValueError(f"{name} is {value!r}, not a number")
    return float(value)


def _flags(row: dict[str, Any]) -> list[str]:
    """Rows of earlier versions have none."""
    flags = row.get("flags", [])
    if type(flags) is not list or any(type(flag) is not str for flag in flags):
        raise ValueError(f"flags is {flags!r}, not a list of texts")
    return flags


def _sort(names: dict[Any, int], codes: NDArray[np.int64]) -> tuple[list[str], NDArray[np.int64]]:
    """The names sorted, and the codes renumbered to match."""
    ordered = sorted(names)
    place = {name: number for number, name in enumerate(ordered)}
    return ordered, np.array([place[name] for name in names], dtype=np.int64)[codes]
