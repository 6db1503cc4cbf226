"""Sample, failure, judgement: the words of the project, as they lie on disk.

A `Sample` is the member KEY.json of a benchmark shard. A `Failure` is a row of failures.jsonl. A `Judgement` is a row of
scores.jsonl, audit.jsonl or anchors.jsonl. `to_json` gives canonical bytes (fixed key order, no spaces), so that equal records
are equal bytes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

import orjson

OK = "ok"
EDIT_FAILED = "edit_failed"
UNPARSED = "unparsed"
OUT_OF_RANGE = "out_of_range"
REFUSED = "refused"
ERROR = "error"
STATUSES = (OK, EDIT_FAILED, UNPARSED, OUT_OF_RANGE, REFUSED, ERROR)
"""Outcomes of a judgement. Only `ok` has a score."""

UNEDITED, STRANGER, REPEAT, SWAPPED = "unedited", "stranger", "repeat", "swapped"
"""Controls that a judge is tested with: the source as the edit, another sample's edit, the same pair once more, source and edit
exchanged."""


class _Record:
    __slots__ = ()

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The record in `values`; unknown names are ignored. Raises TypeError when a required one is missing."""
        names = {entry.name for entry in fields(cls)}
        return cls(**{name: value for name, value in values.items() if name in names})

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def to_json(self) -> bytes:
        return orjson.dumps(self.to_dict())


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample(_Record):
    """One task of a benchmark. `key` is what WebDataset can carry; `id` is the benchmark's own name of it."""

    key: str
    id: str
    instruction: str
    category: str
    language: str = "en"
    group: str = ""
    """What samples share when they share a source picture; statistics are clustered by it."""
    reference_text: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(_Record):
    """A sample without an edit. `index` is its place in the benchmark's order; `reason` one of a small closed set."""

    key: str
    id: str
    category: str
    language: str
    group: str
    index: int
    reason: str
    error: str
    attempts: int
    extra: dict[str, Any] = field(default_factory=dict)
    """The sample's, so that a report still knows which subsets it belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement(_Record):
    """What a judge said of one edit. `score` is None unless `status` is `ok`."""

    key: str
    id: str
    category: str
    language: str
    group: str
    status: str
    score: float | None = None
    criteria: dict[str, float] | None = None
    """The rubric's criteria by name, from which `score` is computed."""
    expected: float | None = None
    """What the rubric makes of the means of the judge's distributions over the allowed answers, where those are known."""
    mass: float | None = None
    """Probability the judge gave to allowed answers at an answer's position, 0..1: the lowest of all answers."""
    response: str = ""
    """What the judge wrote. Several replies each stand under a line with the question's name and the vote; the one that could
    not be read, before a forced readout."""
    votes: int = 1
    """Votes that `score` is the mean of; where there is no score, those that were cast."""
    spread: float | None = None
    """Standard deviation of the votes' scores; None for fewer than two."""
    read: str = ""
    """How the score was read: `generate` (from the reply), `forced` (from the distribution behind a reply that could not be
    read), `expected`; empty where there is none."""
    shard: str | None = None
    """File name of the shard that holds the pictures; None when there is no edit."""
    flags: list[str] = field(default_factory=list)
    """What is odd about the edit, as its record says."""
    steps: dict[str, float] | None = None
    """The rubric's steps on the way to the score, by name: the mean over the votes. None without a score."""
    subsets: list[str] = field(default_factory=list)
    """Of the rubric's subsets, those that the sample's `extra` says it belongs to."""
    audit: str = ""
    """In audit.jsonl the kind of control that was shown; else empty."""
