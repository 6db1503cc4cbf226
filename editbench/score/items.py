"""What a judge is shown as one row: a sample's own images, or for the audit others in their stead.

Of a share of the samples the judge is also shown controls, whose right verdict is known without anybody's opinion: the source
as if it were the edit, another sample's edit, source and edit exchanged; and the very same pair once more in another batch.
What it says of these tells how far its scores can be believed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from editbench.edits import Entry
from editbench.paths import REFERENCE as REFERENCE_MEMBER
from editbench.paths import SOURCE as SOURCE_MEMBER
from editbench.records import GENERATE, REPEAT, STRANGER, SWAPPED, UNEDITED, Sample
from editbench.score.rubric import Rubric
from editbench.score.rubric.prompts import EDITED, REFERENCE, SOURCE
from editbench.shards import Stored

ANCHOR = "anchor"


class StoredImage(NamedTuple):
    """An image in a shard: the sample's members, and the name of the one that it is."""

    stored: Stored
    member: str

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"{self.stored.shard.name}: {self.stored.key}.{self.member}"


@dataclass(frozen=True, slots=True)
class JudgedItem:
    """What becomes one row. `entry`: the sample that the row is about. `index`: the sample's, in its folder of edits."""

    entry: Entry
    index: int
    images: Mapping[str, Sequence[StoredImage]] = field(default_factory=dict)
    """By kind, in the order shown; none where the sample has no edit."""
    audit: str = ""
    """The kind of control, if it is one."""
    title: str = ""
    """What it is called beside its key, for people and for what it samples: empty for a sample's own edit."""

    @property
    def sample(self) -> Sample:
        return self.entry.sample

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kind of each image."""
        return tuple(kind for kind, images in self.images.items() for _ in images)

    @property
    def name(self) -> str:
        return f"{self.sample.key} ({self.title})" if self.title else self.sample.key


@dataclass(frozen=True, slots=True)
class JudgedItems:
    """All that a run judges. `controls` are in the order of a hash, so that each is judged beside others than its sample."""

    samples: Sequence[JudgedItem]
    controls: Sequence[JudgedItem] = ()
    anchors: Sequence[JudgedItem] = ()

    @classmethod
    def of(
        cls, edits: Sequence[Entry], anchors: Sequence[Entry], rubric: Rubric, *, percent: float = 0.0, seed: int = 0
    ) -> JudgedItems:
        """`percent` of the samples that have an edit are audited, at least one if it is above 0."""
        samples = [_own_edit(entry, index) for index, entry in enumerate(edits)]
        controls = _controls(samples, rubric, percent, seed) if percent else []
        controls.sort(key=lambda control: _hash(seed, control.audit, control.sample.key))
        return cls(samples, controls, [_own_edit(entry, index, ANCHOR) for index, entry in enumerate(anchors)])

    def __iter__(self) -> Iterator[JudgedItem]:
        """All of them, in the order of their rows."""
        yield from (*self.samples, *self.controls, *self.anchors)


def _own_edit(entry: Entry, index: int, title: str = "") -> JudgedItem:
    if entry.stored is None:
        return JudgedItem(entry, index, title=title)
    images = {
        SOURCE: [StoredImage(entry.stored, member) for member in entry.stored.images(SOURCE_MEMBER)],
        EDITED: [StoredImage(entry.stored, entry.stored.edited)] if entry.stored.edited else [],
        REFERENCE: [StoredImage(entry.stored, member) for member in entry.stored.images(REFERENCE_MEMBER)],
    }
    return JudgedItem(entry, index, {kind: stored for kind, stored in images.items() if stored}, title=title)


def _controls(samples: Sequence[JudgedItem], rubric: Rubric, percent: float, seed: int) -> list[JudgedItem]:
    """The controls of the samples with the lowest hashes: a higher percentage only adds to them."""
    edited = [item for item in samples if item.images]
    ring = sorted(edited, key=lambda item: _hash(seed, "audit", item.sample.key))
    audited = max(round(len(ring) * percent / 100), 1)
    pairs = [*zip(ring, _strangers(ring), strict=True)][:audited]
    return [control for item, stranger in pairs for control in _controls_of(item, stranger, rubric)]


def _strangers(ring: Sequence[JudgedItem]) -> list[JudgedItem | None]:
    """For each the next one of another group, whose edit is of another picture; None where all are of one group."""
    strangers: list[JudgedItem | None] = [None] * len(ring)
    for index in 2 * [*reversed(range(len(ring)))]:  # twice, for those before the end of the ring
        after = (index + 1) % len(ring)
        strangers[index] = strangers[after] if _group(ring[after]) == _group(ring[index]) else ring[after]
    return strangers


def _controls_of(item: JudgedItem, stranger: JudgedItem | None, rubric: Rubric) -> Iterator[JudgedItem]:
    source, edited = item.images[SOURCE], item.images[EDITED]
    yield _control(item, REPEAT, {})
    yield _control(item, UNEDITED, {EDITED: source[:1]})
    if stranger is not None:
        yield _control(item, STRANGER, {EDITED: stranger.images[EDITED]})
    # Shown one by one, nothing could tell the judge which is which.
    if any({SOURCE, EDITED} <= {*ask.images} for ask in rubric.asks(item.sample, None, GENERATE, item.kinds)):
        yield _control(item, SWAPPED, {SOURCE: [*edited, *source[1:]], EDITED: source[:1]})


def _control(item: JudgedItem, audit: str, images: Mapping[str, Sequence[StoredImage]]) -> JudgedItem:
    return JudgedItem(item.entry, item.index, {**item.images, **images}, audit, audit)


def _group(item: JudgedItem) -> str:
    return item.sample.group or item.sample.key


def _hash(seed: int, *names: str) -> bytes:
    return hashlib.sha256("\0".join((str(seed), *names)).encode()).digest()
