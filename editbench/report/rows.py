"""scores.jsonl as numpy columns.

Rows are checked as they are read, one at a time, and nothing is skipped: a bad row is an error that names file and line.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
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
_texts = itemgetter(*_TEXTS)
_CODES = {status: code for code, status in enumerate(STATUSES)}
_NUMBERS, _TEXT = {int, float}, {str}
_ROUNDING = 1e-6
"""A mean of a score distribution may leave the scale by a rounding error; this share of the scale's width is let through."""


@dataclass(frozen=True, slots=True)
class Rows:
    """n samples in the file's order; each array has shape (n,). Mappings by name have the names in order of appearance."""

    keys: Sequence[str]
    score: NDArray[np.float64]
    """NaN unless the status is `ok`."""
    mass: NDArray[np.float64]
    """NaN where the judge's readout has none."""
    status: NDArray[np.int64]
    """Index into `records.STATUSES`."""
    group: NDArray[np.int64]
    """Index into `group_names`."""
    category: NDArray[np.int64]
    """Index into `categories`."""
    language: NDArray[np.int64]
    categories: Sequence[str]
    """Sorted."""
    languages: Sequence[str]
    flags: Mapping[str, int] = field(default_factory=dict)
    """Rows by what is odd about their edit, sorted."""
    reads: Mapping[str, int] = field(default_factory=dict)
    """Scored rows by how their score was read, sorted."""
    criteria: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """What the judge rated; NaN where the sample was not asked for it or has no score."""
    steps: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """The rubric's numbers on the way to the score, likewise."""
    subsets: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    """Which samples are in each subset of the benchmark."""
    flagged: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    """Which edits have each of `flags`."""
    controls: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    """Which rows are of each kind of control: those of an audit; empty for scores of edits."""
    group_names: Sequence[str] = ()
    """A sample without a group is one of its own, called NUL and the sample's key: two runs name it alike."""

    @property
    def scored(self) -> NDArray[np.bool_]:
        return self.status == _CODES[OK]


def read(path: Path, scale: Scale | None = None, *, audit: bool = False) -> Rows:
    """The rows of a scores.jsonl, or with `audit` of an audit.jsonl; `scale` is what scores must lie on.

    Raises:
        UserError: no such file, no rows, or a bad one: not JSON, a field missing or of a wrong type, an unknown status, a key
            that was there before (a key and a control, in an audit), `ok` without a score, a score without `ok`, a score off
            the scale, a row of an audit among scores or the other way round.
    """
    reader = _Reader(scale or (-math.inf, math.inf), audit)
    remedy = "Restore the file, or score into a new folder."
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    reader.add(line)
                except ValueError as error:
                    raise UserError(f"{path}, line {number}: {error}", remedy) from None
    except FileNotFoundError:
        raise UserError(f"no {path.name} in {path.parent}", "Restore it, or score into a new folder.") from None
    if not reader.lines:
        raise UserError(f"{path} has no rows", "Score a folder of edits that has some.")
    return reader.rows()


class _Names:
    """A column of texts that repeat, kept as numbers: a tenth of the memory of a million strings."""

    def __init__(self) -> None:
        self.known: dict[Any, int] = {}
        self.codes = array("q")

    def add(self, value: object) -> None:
        self.codes.append(self.known.setdefault(value, len(self.known)))

    def column(self) -> NDArray[np.int64]:
        return np.array(self.codes, dtype=np.int64)

    def sorted(self) -> tuple[list[str], NDArray[np.int64]]:
        """The names in order, and the codes renumbered to match."""
        ordered = sorted(self.known)
        place = {name: number for number, name in enumerate(ordered)}
        return ordered, np.array([place[name] for name in self.known], dtype=np.int64)[self.column()]


class _Lists(_Names):
    """A column of lists of names. Most rows have one of a few lists."""

    def columns(self) -> dict[str, NDArray[np.bool_]]:
        """By name, the rows whose list has it."""
        codes, names = self.column(), dict.fromkeys(name for names in self.known for name in names)
        return {name: np.array([name in names for names in self.known])[codes] for name in names}


class _Tables(_Names):
    """A column of mappings from names to numbers. Most rows have one of a few sets of names; numbers lie one after another."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = array("d")

    def add(self, value: Mapping[str, float]) -> None:
        super().add(tuple(value))
        self.numbers.extend(value.values())

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """By name, shape (n,), NaN where a row does not have it."""
        codes, numbers = self.column(), np.array(self.numbers)
        starts = np.concatenate([[0], np.cumsum(np.array([len(names) for names in self.known])[codes])[:-1]])
        columns = {name: np.full(len(codes), np.nan) for name in dict.fromkeys(name for names in self.known for name in names)}
        for names, code in self.known.items():
            rows = np.flatnonzero(codes == code)
            for place, name in enumerate(names):
                columns[name][rows] = numbers[starts[rows] + place]
        return columns


class _Reader:
    """Columns that grow by a line. Measured: 100,000 rows of 680 bytes in 0.7 s; a million need 540 MB."""

    def __init__(self, scale: Scale, audit: bool) -> None:
        self.scale, self.audit = scale, audit
        slack = _ROUNDING * (scale[1] - scale[0])
        self.low, self.high = scale[0] - slack, scale[1] + slack
        self.lines: dict[str | tuple[str, str], int] = {}
        self.score, self.mass, self.status = array("d"), array("d"), array("b")
        self.group, self.category, self.language, self.read = _Names(), _Names(), _Names(), _Names()
        self.flags, self.subsets, self.controls = _Lists(), _Lists(), _Lists()
        self.criteria, self.steps = _Tables(), _Tables()

    def add(self, line: bytes) -> None:
        """Take one line. Raises ValueError saying what is wrong with it."""
        row = _parse(line)
        key, category, language, group, status = _fields(row)
        self._once(key, self._control(row))
        self.score.append(self._score(row, status))
        self.mass.append(_number(row, "mass"))
        self.status.append(_CODES[status])
        self.group.add(group or f"\0{key}")
        self.category.add(category)
        self.language.add(language)
        self.read.add((_text(row, "read") if row.get("read") else "") if status == OK else "")
        self.flags.add(_list(row, "flags"))
        self.subsets.add(_list(row, "subsets"))
        self.criteria.add(_table(row, "criteria"))
        self.steps.add(_table(row, "steps"))

    def rows(self) -> Rows:
        categories, category = self.category.sorted()
        languages, language = self.language.sorted()
        flagged = self.flags.columns()
        reads = zip(self.read.known, np.bincount(self.read.column()).tolist(), strict=True)
        return Rows(
            keys=[key if isinstance(key, str) else key[0] for key in self.lines],
            score=np.array(self.score),
            mass=np.array(self.mass),
            status=np.array(self.status, dtype=np.int64),
            group=self.group.column(),
            category=category,
            language=language,
            categories=categories,
            languages=languages,
            flags={name: int(flagged[name].sum()) for name in sorted(flagged)},
            reads={name: count for name, count in sorted(reads) if name},
            criteria=self.criteria.columns(),
            steps=self.steps.columns(),
            subsets=self.subsets.columns(),
            flagged=flagged,
            controls=self.controls.columns() if self.audit else {},
            group_names=list(self.group.known),
        )

    def _control(self, row: dict[str, Any]) -> str:
        kind = row.get("audit") or ""
        if type(kind) is not str:
            raise ValueError(f"audit is {kind!r}, not text")
        if bool(kind) != self.audit:
            raise ValueError(f"a row of the audit ({kind}), not of an edit" if kind else "not a row of the audit")
        if kind:
            self.controls.add((kind,))
        return kind

    def _once(self, key: str, control: str) -> None:
        number = len(self.lines) + 1
        if (first := self.lines.setdefault((key, control) if control else key, number)) != number:
            also = f" for the control {control}" if control else ""
            raise ValueError(f"key {key!r} is already on line {first}{also}: rows of two runs in one file?")

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


def _fields(row: dict[str, Any]) -> tuple[str, ...]:
    try:
        values = _texts(row)
    except KeyError:
        values = ()
    return values if set(map(type, values)) == _TEXT else tuple(_text(row, name) for name in _TEXTS)


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
    if type(value) not in _NUMBERS:
        raise ValueError(f"{name} is {value!r}, not a number")
    return float(value)


def _list(row: dict[str, Any], name: str) -> tuple[str, ...]:
    """Rows of earlier versions have none."""
    values = row.get(name, ())
    if not values and type(values) in (list, tuple):
        return ()
    if type(values) is not list or not set(map(type, values)) <= _TEXT:
        raise ValueError(f"{name} is {values!r}, not a list of texts")
    return tuple(values)


def _table(row: dict[str, Any], name: str) -> dict[str, float]:
    """Rows without a score have none, nor have those of earlier versions."""
    values = row.get(name)
    if values is None:
        return {}
    if type(values) is not dict or not set(map(type, values.values())) <= _NUMBERS:
        raise ValueError(f"{name} is {values!r}, not numbers by name")
    return values
