"""What a judge is shown as one row: a sample's own pictures, or for the audit others in their place.

Of a share of the samples the judge is also shown controls, whose right verdict is known without anybody's opinion: the source
as if it were the edit, another sample's edit, source and edit exchanged; and the very same pair once more in other company.
What it says of these tells how far its scores can be believed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from editbench.edits import Entry
from editbench.paths import EDITED as EDITED_MEMBER
from editbench.paths import REFERENCE as REFERENCE_MEMBER
from editbench.paths import SOURCE as SOURCE_MEMBER
from editbench.records import GENERATE, REPEAT, STRANGER, SWAPPED, UNEDITED, Sample
from editbench.score.rubric import Rubric
from editbench.score.rubric.question import EDITED, REFERENCE, SOURCE
from editbench.shards import Stored

ANCHOR = "anchor"


class Picture(NamedTuple):
    stored: Stored
    member: str

    @property
    def name(self) -> str:
        return f"{self.stored.shard.name}: {self.stored.key}.{self.member}"


@dataclass(frozen=True, slots=True)
class Case:
    """`entry`: the sample that the row is about. `place`: the sample's, in the order of its folder of edits."""

    entry: Entry
    place: int
    pictures: Mapping[str, Sequence[Picture]] = field(default_factory=dict)
    """By kind, in the order shown; none where the sample has no edit."""
    audit: str = ""
    """The kind of control, if it is one."""
    title: str = ""
    """What it is called beside its key, for people and for what it draws: empty for a sample's own edit."""

    @property
    def sample(self) -> Sample:
        return self.entry.sample

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kind of each picture."""
        return tuple(kind for kind, pictures in self.pictures.items() for _ in pictures)

    @property
    def name(self) -> str:
        return f"{self.sample.key} ({self.title})" if self.title else self.sample.key


@dataclass(frozen=True, slots=True)
class Cases:
    """All that a run judges. `controls` are in the order of a hash, so that each has other company than its sample had."""

    samples: Sequence[Case]
    controls: Sequence[Case] = ()
    anchors: Sequence[Case] = ()

    @classmethod
    def of(
        cls, edits: Sequence[Entry], anchors: Sequence[Entry], rubric: Rubric, *, percent: float = 0.0, seed: int = 0
    ) -> Cases:
        """`percent` of the samples that have an edit are audited, at least one if it is above 0."""
        samples = [_own(entry, place) for place, entry in enumerate(edits)]
        controls = _controls(samples, rubric, percent, seed) if percent else []
        controls.sort(key=lambda case: _hash(seed, case.audit, case.sample.key))
        return cls(samples, controls, [_own(entry, place, ANCHOR) for place, entry in enumerate(anchors)])

    def __iter__(self) -> Iterator[Case]:
        """In the order of their numbers."""
        yield from (*self.samples, *self.controls, *self.anchors)


def _own(entry: Entry, place: int, title: str = "") -> Case:
    if entry.stored is None:
        return Case(entry, place, title=title)
    found = {
        SOURCE: [Picture(entry.stored, member) for member in entry.stored.images(SOURCE_MEMBER)],
        EDITED: [Picture(entry.stored, EDITED_MEMBER)],
        REFERENCE: [Picture(entry.stored, member) for member in entry.stored.images(REFERENCE_MEMBER)],
    }
    return Case(entry, place, {kind: pictures for kind, pictures in found.items() if pictures}, title=title)


def _controls(samples: Sequence[Case], rubric: Rubric, percent: float, seed: int) -> list[Case]:
    """The controls of the samples with the lowest hashes: a higher percentage only adds to them."""
    edited = [case for case in samples if case.pictures]
    ring = sorted(edited, key=lambda case: _hash(seed, "audit", case.sample.key))
    audited = max(round(len(ring) * percent / 100), 1)
    pairs = [*zip(ring, _strangers(ring), strict=True)][:audited]
    return [control for case, stranger in pairs for control in _of(case, stranger, rubric)]


def _strangers(ring: Sequence[Case]) -> list[Case | None]:
    """For each the next one of another group, whose edit is of another picture; None where all are of one group."""
    found: list[Case | None] = [None] * len(ring)
    for place in 2 * [*reversed(range(len(ring)))]:  # twice, for those before the end of the ring
        after = (place + 1) % len(ring)
        found[place] = found[after] if _group(ring[after]) == _group(ring[place]) else ring[after]
    return found


def _of(case: Case, stranger: Case | None, rubric: Rubric) -> Iterator[Case]:
    source, edited = case.pictures[SOURCE], case.pictures[EDITED]
    yield _control(case, REPEAT, {})
    yield _control(case, UNEDITED, {EDITED: source[:1]})
    if stranger is not None:
        yield _control(case, STRANGER, {EDITED: stranger.pictures[EDITED]})
    if _compared(case, rubric):
        yield _control(case, SWAPPED, {SOURCE: [*edited, *source[1:]], EDITED: source[:1]})


def _control(case: Case, kind: str, shown: Mapping[str, Sequence[Picture]]) -> Case:
    return Case(case.entry, case.place, {**case.pictures, **shown}, kind, kind)


def _compared(case: Case, rubric: Rubric) -> bool:
    """Whether the judge sees source and edit side by side: else nothing could tell it which is which."""
    asks = rubric.asks(case.sample, None, GENERATE, case.kinds)
    return any({SOURCE, EDITED} <= {*ask.images} for ask in asks)


def _group(case: Case) -> str:
    return case.sample.group or case.sample.key


def _hash(seed: int, *names: str) -> bytes:
    return hashlib.sha256("\0".join((str(seed), *names)).encode()).digest()
