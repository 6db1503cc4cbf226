"""Sample, failure, judgement: the words of the project, as they lie on disk.

A `Sample` is the member KEY.json of a benchmark shard. A `Failure` is a row of failures.jsonl. A `Judgement` is a row of
scores.jsonl, audit.jsonl or anchors.jsonl. `to_json` gives canonical bytes (fixed key order, no spaces), so that equal records
are equal bytes.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any, Literal, Self, get_args

import orjson
from msgspec import Meta

from editbench import files, paths

Status = Literal["ok", "edit_failed", "unparsed", "out_of_range", "refused", "error"]
"""Outcomes of a judgement. Only `ok` has a score."""
STATUSES: tuple[Status, ...] = get_args(Status)
OK, EDIT_FAILED, UNPARSED, OUT_OF_RANGE, REFUSED, ERROR = STATUSES

Readout = Literal["generate", "expected"]
"""How a score is read: from a reply that gives a reason and scores, or from the distribution over the allowed scores."""
READOUTS: tuple[Readout, ...] = get_args(Readout)
GENERATE, EXPECTED = READOUTS
FORCED = "forced"
"""The third way that a row may name: from the distribution behind a reply that could not be read."""

UNEDITED, STRANGER, REPEAT, SWAPPED = "unedited", "stranger", "repeat", "swapped"
"""Controls that a judge is tested with: the source as the edit, another sample's edit, the same pair once more, source and edit
exchanged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt in environment.json, as far as it is read back."""

    packages: dict[str, str] = field(default_factory=dict)
    """Versions by package."""
    devices: list[str] = field(default_factory=list)
    """Such as `2 x cuda`."""
    ranks: dict[str, list[str]] = field(default_factory=dict)
    """What the ranks told of their machines and models: by name, all different values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment(Attempt):
    """environment.json, as far as it is read back. Earlier versions wrote the last attempt's fields beside `edits`."""

    attempts: list[Attempt] = field(default_factory=list)
    edits: str = ""
    """Of a folder of scores: the path of its folder of edits, as seen from it."""

    @property
    def last(self) -> Attempt:
        return self.attempts[-1] if self.attempts else self


Key = Annotated[str, Meta(pattern=rf"\A{paths.KEY_PATTERN}\Z")]
Index = Annotated[int, Meta(ge=0)]


PARTIAL = "partial"
"""Flag of a judgement whose score leaves out criteria that could not be read, by a rubric's partial = "keep"."""
SHORT_OF_MEMORY = "short_of_memory"
"""Flag of a judgement that was come to in smaller batches than planned, since memory ran out: its last bits may be others."""


def writable(text: str) -> str:
    """The same with lone surrogates spelled out, which UTF-8 and so JSON can't hold: a judge may send half an emoji."""
    return text.encode("utf-8", "backslashreplace").decode()


def spelling(category: str) -> str:
    """What spellings of one category share: they are compared without regard to case and to `-`, `_` and space, which GEdit
    mixes."""
    return re.sub(r"[\s_-]+", "_", category.strip().casefold())


@dataclass(frozen=True, slots=True)
class _Record:
    @classmethod
    def from_dict(cls, values: dict[str, Any], where: str = "") -> Self:
        """The record in `values`, whose other names are ignored. Raises UserError, which names `where`, for a field that is
        missing or of a wrong type."""
        return files.checked(values, cls, where or cls.__name__)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def to_json(self) -> bytes:
        return orjson.dumps(self.to_dict())


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample(_Record):
    """One task of a benchmark. `key` is what WebDataset can carry; `id` is the benchmark's own name of it."""

    key: Key
    id: str
    instruction: str
    category: str
    language: str = "en"
    group: str = ""
    """What samples share when they share a source picture; statistics are clustered by it."""
    reference_text: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditFacts:
    """What is known of an edit beside its picture. Fields are those of one run, the same for all of its samples."""

    flags: list[str] = field(default_factory=list)
    """What is odd about it, see `edit.sanity`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit(Sample):
    """The member KEY.json of an edit shard: the sample's record, and `edit`."""

    edit: EditFacts = field(default_factory=EditFacts)

    def sample(self) -> Sample:
        return Sample(**{entry.name: getattr(self, entry.name) for entry in fields(Sample)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(_Record):
    """A sample without an edit. `index` is its place in the benchmark's order; `reason` one of a small closed set."""

    key: Key
    id: str
    category: str
    language: str
    group: str
    index: Index
    reason: str
    error: str
    attempts: int
    extra: dict[str, Any] = field(default_factory=dict)
    """The sample's, so that a report still knows which subsets it belongs to."""

    @classmethod
    def of(cls, sample: Sample, **outcome: Any) -> Self:
        """The failure of `sample`; `outcome`: `index`, `reason`, `error` and `attempts`."""
        return cls(**about(sample), extra=sample.extra, **outcome)

    def sample(self) -> Sample:
        """The sample, as far as a row of failures knows it: without its instruction."""
        return Sample(**about(self), extra=self.extra, instruction="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement(_Record):
    """What a judge said of one edit. `score` is None unless `status` is `ok`."""

    key: Key
    id: str
    category: str
    language: str
    group: str
    status: Status
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
    """What is odd about the edit, as its record says, and about the judgement, as PARTIAL and SHORT_OF_MEMORY."""
    steps: dict[str, float] | None = None
    """The rubric's steps on the way to the score, by name: the mean over the votes. None without a score."""
    subsets: list[str] = field(default_factory=list)
    """Of the rubric's subsets, those that the sample's `extra` says it belongs to."""
    audit: str = ""
    """In audit.jsonl the kind of control that was shown; else empty."""

    def sample(self) -> Sample:
        """The sample, as far as a row of scores knows it: without its instruction and `extra`."""
        return Sample(**about(self), instruction="")


def about(record: Sample | Failure | Judgement) -> dict[str, Any]:
    """What rows of every kind tell of their sample."""
    return {name: getattr(record, name) for name in ("key", "id", "category", "language", "group")}
