"""One shard, member by member: everything that is wrong with it, not only the first thing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from editbench import images, shards
from editbench.errors import UserError
from editbench.paths import IMAGE_SUFFIXES
from editbench.shards import ShardEntry, Stored
from editbench.verify.finding import Finding
from editbench.wording import counted

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Examined(Generic[Record]):
    """A shard that was looked at. `records`: of its samples, by key, as far as they can be read."""

    path: Path
    findings: Sequence[Finding]
    samples: Sequence[Stored] = ()
    records: dict[str, Record] = field(default_factory=dict)


def examine(path: Path, entry: ShardEntry | None, read: Callable[[Stored], Record], *, decode: bool) -> Examined[Record]:
    """Look at the shard `path`. `entry`: what the manifest says of it, None without a manifest. `read` takes a sample's record
    and raises UserError for a wrong one.

    With `decode` every picture is decoded. Those of a shard that is not as the manifest says always are: they tell which
    sample it is.
    """
    if not path.exists():
        return Examined(path, [Finding(path, f"{path} is missing")])
    changed, findings = "", []
    try:
        if entry and (changed := shards.difference(path, entry)):
            findings.append(Finding(path, changed))
        samples = shards.index(path)
    except UserError as error:
        return Examined(path, [*findings, Finding(path, str(error))])
    if entry and len(samples) != entry.samples:
        message = f"{path} holds {counted(len(samples), 'sample')}, its manifest says {entry.samples}"
        findings.append(Finding(path, message))
    records: dict[str, Record] = {}
    for stored in samples:
        try:
            records[stored.key] = read(stored)
        except UserError as error:
            findings.append(Finding(path, str(error), stored.key))
        if decode or changed:
            findings += _broken_pictures(stored)
    return Examined(path, findings, samples, records)


def _broken_pictures(stored: Stored) -> Iterator[Finding]:
    for extension in stored.spans:
        if extension.rpartition(".")[2] not in IMAGE_SUFFIXES:
            continue
        try:
            images.decode(stored.read(extension), f"{stored.shard}: {stored.key}.{extension}")
        except UserError as error:
            yield Finding(stored.shard, str(error), stored.key)


def duplicates(examined: Sequence[Examined[Record]]) -> Iterator[Finding]:
    """Keys that a second shard has as well; within a shard the index finds them."""
    first: dict[str, Path] = {}
    for shard in examined:
        for stored in shard.samples:
            if (owner := first.setdefault(stored.key, shard.path)) != shard.path:
                yield Finding(shard.path, f"{shard.path}: key {stored.key} is taken by a sample of {owner.name}", stored.key)
