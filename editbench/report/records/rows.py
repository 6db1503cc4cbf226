"""scores.jsonl as numpy columns.

Every row is checked and nothing is skipped: a bad row is an error that names file and line. Lines are parsed, and their types
checked, by blocks; what the values mean is checked over whole columns. Measured: a million rows of 550 bytes in 3 s
and 340 MB.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter, lt
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from editbench.errors import UserError
from editbench.records import OK, STATUSES

Scale = tuple[float, float]
"""Lowest and highest score of a rubric."""

_BLOCK = 65_536
"""Bytes of lines that are parsed at once: few enough to stay near the processor."""
_CODES = {status: code for code, status in enumerate(STATUSES)}
_ROUNDING = 1e-6
"""A mean of a score distribution may leave the scale by a rounding error; this share of the scale's width is let through."""


@dataclass(frozen=True, slots=True)
class Rows:
    """n samples in the order of their keys, so that no number depends on the order of the file; each array has shape (n,).
    Mappings by name have the names in order of appearance."""

    keys: Sequence[str]
    score: NDArray[np.float64]
    """NaN unless the status is `ok`."""
    mass: NDArray[np.float64]
    """NaN where the judge's readout has none."""
    status: NDArray[np.int64]
    """Index into `records.STATUSES`."""
    group: NDArray[np.int64]
    """Index into `group_names`: what is drawn for a group depends on its name, not on where it is in the file."""
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
    """Sorted. A sample without a group is one of its own, called NUL and the sample's key: two runs name it alike."""

    @property
    def scored(self) -> NDArray[np.bool_]:
        return self.status == _CODES[OK]


class _BadRow(ValueError):
    """What is wrong with the row `place`, from 0."""

    def __init__(self, place: int, problem: str) -> None:
        super().__init__(problem)
        self.place = place


def read(path: Path, scale: Scale | None = None, *, audit: bool = False) -> Rows:
    """The rows of a scores.jsonl, or with `audit` of an audit.jsonl; `scale` is what scores must lie on.

    Raises:
        UserError: the file can't be read, has no rows or a bad one: not JSON, a field missing or of a wrong type, an unknown
            status, a key that was there before (a key and a control, in an audit), `ok` without a score, a score without `ok`,
            a score off the scale, a row of an audit among scores or the other way round.
    """
    table, remedy = _Table(), "Restore the file, or score into a new folder."
    try:
        with open(path, "rb") as file:
            while lines := file.readlines(_BLOCK):
                table.add(lines)
        if table.keys:
            return table.rows(scale or (-math.inf, math.inf), audit)
    except FileNotFoundError:
        raise UserError(f"no {path.name} in {path.parent}", remedy) from None
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror}", remedy) from None
    except _BadRow as bad:
        raise UserError(f"{path}, line {bad.place + 1}: {bad}", remedy) from None
    raise UserError(f"{path} has no rows", "Restore it, or score a folder of edits that has some.")


class _Numbering(dict[Hashable, int]):
    """Each value's number, in order of appearance."""

    def __missing__(self, value: Hashable) -> int:
        self[value] = number = len(self)
        return number


class _Names:
    """A column of values that repeat, kept as numbers: a tenth of the memory of a million strings."""

    def __init__(self) -> None:
        self.known = _Numbering()
        self._codes = array("q")

    def extend(self, values: Iterable[Hashable]) -> None:
        self._codes.extend(map(self.known.__getitem__, values))

    def codes(self) -> NDArray[np.int64]:
        return np.array(self._codes, dtype=np.int64)

    def arrange(self, order: NDArray[np.int64]) -> None:
        """Put the rows in another order: the first one is then the one numbered `order[0]`, and so on."""
        values, codes = list(self.known), self.codes()[order]
        present, first = np.unique(codes, return_index=True)
        appeared = present[np.argsort(first)]
        self.known = _Numbering((values[code], number) for number, code in enumerate(appeared.tolist()))
        self._codes = array("q", np.argsort(appeared)[codes].tobytes())

    def are(self, chosen: Callable[[Any], object]) -> NDArray[np.bool_]:
        """For each row, whether its value is chosen."""
        return np.array([bool(chosen(value)) for value in self.known])[self.codes()]

    def sorted(self) -> tuple[list[Any], NDArray[np.int64]]:
        """The values in order, and each row's place in it."""
        ordered = sorted(self.known)
        return ordered, self.renumbered({value: place for place, value in enumerate(ordered)})

    def renumbered(self, numbers: Mapping[Any, int]) -> NDArray[np.int64]:
        return np.array([numbers[value] for value in self.known], dtype=np.int64)[self.codes()]


class _Lists(_Names):
    """A column of lists of names. Most rows have one of a few lists."""

    def extend(self, values: Iterable[Iterable[str] | None]) -> None:
        super().extend(tuple(value) if value else () for value in values)

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(name for names in self.known for name in names))

    def columns(self) -> dict[str, NDArray[np.bool_]]:
        """By name, the rows whose list has it."""
        return {name: self.are(lambda names, name=name: name in names) for name in self.names}


class _Mappings(_Lists):
    """A column of mappings from names to numbers, which lie one after another."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = array("d")

    def extend(self, values: Sequence[Mapping[str, float] | None]) -> None:
        super().extend(values)
        self._numbers.extend(number for value in values if value for number in value.values())

    def arrange(self, order: NDArray[np.int64]) -> None:
        starts, lengths = self._spans()
        first = np.cumsum(lengths[order]) - lengths[order]
        place = np.repeat(starts[order] - first, lengths[order]) + np.arange(len(self._numbers))
        self._numbers = array("d", np.array(self._numbers)[place].tobytes())
        super().arrange(order)

    def _spans(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where each row's numbers begin, and how many it has."""
        lengths = np.array([len(names) for names in self.known])[self.codes()]
        return np.cumsum(lengths) - lengths, lengths

    def columns(self) -> dict[str, NDArray[np.float64]]:
        """By name, shape (n,), NaN where a row does not have it."""
        codes, numbers, (starts, _) = self.codes(), np.array(self._numbers), self._spans()
        columns = {name: np.full(len(codes), np.nan) for name in self.names}
        for names, code in self.known.items():
            rows = np.flatnonzero(codes == code)
            for place, name in enumerate(names):
                columns[name][rows] = numbers[starts[rows] + place]
        return columns


class _Numbers:
    """A column of numbers, NaN for none."""

    def __init__(self) -> None:
        self._numbers = array("d")

    def extend(self, values: Sequence[float | None]) -> None:
        self._numbers.frombytes(np.array(values, dtype=np.float64).tobytes())

    def arrange(self, order: NDArray[np.int64]) -> None:
        self._numbers = array("d", self.column()[order].tobytes())

    def column(self) -> NDArray[np.float64]:
        return np.array(self._numbers)


class _Table:
    """Columns that grow by blocks of lines."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.status, self.group, self.category, self.language = _Names(), _Names(), _Names(), _Names()
        self.audit, self.read = _Names(), _Names()
        self.score, self.mass = _Numbers(), _Numbers()
        self.flags, self.subsets = _Lists(), _Lists()
        self.criteria, self.steps = _Mappings(), _Mappings()

    def add(self, lines: Sequence[bytes]) -> None:
        """Raises _BadRow."""
        try:
            block = _columns(lines)
        except ValueError:
            self._locate(lines)
            raise
        block["group"] = [group or f"\0{key}" for group, key in zip(block["group"], block["key"], strict=True)]
        self.keys.extend(block.pop("key"))
        for name, values in block.items():
            getattr(self, name).extend(values)

    def _locate(self, lines: Sequence[bytes]) -> None:
        """Raises _BadRow for the first of the lines that is bad."""
        for place, line in enumerate(lines, len(self.keys)):
            try:
                _columns([line])
            except ValueError as error:
                raise _BadRow(place, str(error)) from None

    def rows(self, scale: Scale, audit: bool) -> Rows:
        """Raises _BadRow."""
        self._check_kinds(audit)
        self._check_scores(scale)
        self._arrange(audit)
        categories, category = self.category.sorted()
        languages, language = self.language.sorted()
        group_names, group = self.group.sorted()
        flagged, scored = self.flags.columns(), self.status.are({OK}.__contains__)
        reads = {
            read: int((scored & self.read.are({read}.__contains__)).sum()) for read in sorted(filter(None, self.read.known))
        }
        return Rows(
            keys=self.keys,
            score=self.score.column(),
            mass=self.mass.column(),
            status=self.status.renumbered(_CODES),
            group=group,
            category=category,
            language=language,
            categories=categories,
            languages=languages,
            flags={name: int(flagged[name].sum()) for name in sorted(flagged)},
            reads={read: count for read, count in reads.items() if count},
            criteria=self.criteria.columns(),
            steps=self.steps.columns(),
            subsets=self.subsets.columns(),
            flagged=flagged,
            controls={kind: self.audit.are({kind}.__contains__) for kind in filter(None, self.audit.known)},
            group_names=group_names,
        )

    def _arrange(self, audit: bool) -> None:
        """Put the rows in the order of their keys; controls of one sample in that of their kinds."""
        names = self._named(audit)
        if all(map(lt, names, names[1:])):  # as they usually are
            return
        order = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)
        self.keys = [self.keys[place] for place in order.tolist()]
        for name, column in vars(self).items():
            if name != "keys":
                column.arrange(order)

    def _named(self, audit: bool) -> Sequence[Any]:
        """What each row goes by: its sample's key, in an audit with its kind of control."""
        kinds = list(self.audit.known)
        return list(zip(self.keys, map(kinds.__getitem__, self.audit.codes().tolist()), strict=True)) if audit else self.keys

    def _check_kinds(self, audit: bool) -> None:
        """Rows are all of an audit, or none is; and none comes twice."""
        kinds = list(self.audit.known)
        told = "not a row of the audit" if audit else "a row of the audit ({}), not of an edit"
        controls = self.audit.codes()
        _refuse(self.audit.are(bool) != audit, lambda place: told.format(kinds[controls[place]]))
        named = self._named(audit)
        if len(set(named)) == len(named):
            return
        first: dict[Hashable, int] = {}
        for place, name in enumerate(named):
            if (there := first.setdefault(name, place)) != place:
                also = f" for the control {kinds[controls[place]]}" if audit else ""
                problem = f"key {self.keys[place]!r} is already on line {there + 1}{also}: rows of two runs in one file?"
                raise _BadRow(place, problem)

    def _check_scores(self, scale: Scale) -> None:
        """Rows of status ok have a score on the scale, and no others have any."""
        statuses, status, score = list(self.status.known), self.status.codes(), self.score.column()
        ok, missing = self.status.are({OK}.__contains__), np.isnan(score)
        known = f"is none of {', '.join(STATUSES)}"
        _refuse(~self.status.are(_CODES.__contains__), lambda place: f"status {statuses[status[place]]!r} {known}")
        _refuse(ok & missing, lambda _: "status ok without a score")
        _refuse(~ok & ~missing, lambda place: f"status {statuses[status[place]]} with the score {score[place]}")
        slack, span = _ROUNDING * (scale[1] - scale[0]), f"{scale[0]:g} to {scale[1]:g}"
        off = (score < scale[0] - slack) | (score > scale[1] + slack)
        _refuse(off, lambda place: f"score {score[place]} is off the rubric's scale {span}")


def _refuse(bad: NDArray[np.bool_], tell: Callable[[int], str]) -> None:
    if bad.any():
        place = int(bad.argmax())
        raise _BadRow(place, tell(place))


def _columns(lines: Sequence[bytes]) -> dict[str, Sequence[Any]]:
    """The fields that the report needs, by name; a field that earlier versions did not write is None.

    Raises:
        ValueError: what is wrong with the lines, or with one of them.
    """
    try:
        rows = orjson.loads(b"[" + b",".join(lines) + b"]")
    except orjson.JSONDecodeError:
        raise ValueError("not JSON (cut short?)") from None
    if len(rows) != len(lines) or set(map(type, rows)) != {dict}:
        raise ValueError("not a JSON object")
    try:
        columns = zip(*map(_all_fields, rows), strict=True)
    except KeyError:
        columns = ([row.get(name) for row in rows] for name in _FIELDS)
    block = dict(zip(_FIELDS, columns, strict=True))
    for name, values in block.items():
        _FIELDS[name](name, values)
    return block


def _check_texts(name: str, values: Sequence[Any]) -> None:
    if set(map(type, values)) != {str}:
        raise ValueError(f"{name} is {'missing' if values[0] is None else 'not text'}: not a row of scores")


def _check_names(name: str, values: Sequence[Any]) -> None:
    if not set(map(type, values)) <= {str, NoneType}:
        raise ValueError(f"{name} is {values[0]!r}, not text")


def _check_numbers(name: str, values: Sequence[Any]) -> None:
    if not set(map(type, values)) <= {*_NUMBERS, NoneType}:
        raise ValueError(f"{name} is {values[0]!r}, not a number")


def _check_lists(name: str, values: Sequence[Any]) -> None:
    lists = set(map(type, values)) <= {list, NoneType}
    if not lists or not {type(text) for value in values if value for text in value} <= {str}:
        raise ValueError(f"{name} is {values[0]!r}, not a list of texts")


def _check_mappings(name: str, values: Sequence[Any]) -> None:
    mappings = set(map(type, values)) <= {dict, NoneType}
    if not mappings or not {type(number) for value in values if value for number in value.values()} <= _NUMBERS:
        raise ValueError(f"{name} is {values[0]!r}, not numbers by name")


_NUMBERS = {int, float}
_FIELDS: Mapping[str, Callable[[str, Sequence[Any]], None]] = {
    **dict.fromkeys(("key", "category", "language", "group", "status"), _check_texts),
    **dict.fromkeys(("audit", "read"), _check_names),
    **dict.fromkeys(("score", "mass"), _check_numbers),
    **dict.fromkeys(("flags", "subsets"), _check_lists),
    **dict.fromkeys(("criteria", "steps"), _check_mappings),
}
"""What must be true of each; the words of an error are right where there is one value."""
_all_fields = itemgetter(*_FIELDS)
