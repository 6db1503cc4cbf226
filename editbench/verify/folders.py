"""A folder of a benchmark or of edits, looked at whole: every shard, every sample, what lies beside them."""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from editbench import console, edits, files, identity, shards
from editbench.benchmarks.benchmark import sample_of
from editbench.edits import Entry, entry_of, flagged
from editbench.errors import UserError
from editbench.manifests import BenchmarkManifest, EditManifest
from editbench.paths import BenchmarkPaths, EditPaths, Folder, RunPaths
from editbench.records import Failure, Sample
from editbench.shards import ShardEntry, Stored
from editbench.verify import tars
from editbench.verify.finding import Finding
from editbench.verify.tars import Examined
from editbench.wording import counted

THREADS = min(8, os.cpu_count() or 1)
"""Shards looked at at a time: hashing and decoding let go of the interpreter. Each has one picture in memory."""

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Listing:
    """What there is, for people; what is wrong with it; and the keys of its samples."""

    summary: str
    findings: Sequence[Finding]
    keys: Sequence[str]


def benchmark(root: Path, manifest: BenchmarkManifest | None, *, decode: bool) -> Listing:
    """`manifest`: None where it is missing or broken."""
    paths = BenchmarkPaths(root)
    examined = _examine(paths, manifest.shards if manifest else None, sample_of, decode)
    findings = [*_of(examined)]
    samples: list[Sample] = [record for shard in examined for record in shard.records.values()]
    name = f"benchmark {manifest.name}" if manifest else "benchmark"
    if manifest and not findings and Counter(sample.category for sample in samples) != manifest.categories:
        message = f"{paths.manifest} counts other samples by category than there are"
        findings.append(Finding(paths.manifest, message, mendable=False))
    findings += _orphans(paths, manifest.shards if manifest else None)
    keys = [sample.key for sample in samples]
    return Listing(f"{name}, {counted(len(samples), 'sample')} in {counted(len(examined), 'shard')}", findings, keys)


def edits_folder(root: Path, manifest: EditManifest | None, *, decode: bool) -> Listing:
    """As `benchmark`. Without a manifest the run has not finished, and what waits in the spool is looked at too."""
    paths = EditPaths(root)
    examined = _examine(paths, manifest.shards if manifest else None, entry_of, decode)
    findings = [*_of(examined), *unlike_identity(paths, manifest)]
    keys = [key for shard in examined for key in shard.records]
    if manifest is None:
        waiting = [*_examined_spool(paths, decode)]
        findings += _of(waiting)
        keys = sorted({*keys, *(key for shard in waiting for key in shard.records)})
        findings += _unreadable(paths.failures, Failure)
        return Listing(f"edits, {counted(len(keys), 'sample')} so far", findings, keys)
    there = f"{manifest.edited:,} of {counted(manifest.samples, 'sample')} in {counted(len(manifest.shards), 'shard')}"
    summary = f"edits, {there}{flagged(manifest)}"
    try:
        failures = edits.read_failures(paths, manifest, "")
        keys += [failure.key for failure in failures]
        if not findings:
            edits.merged(paths, [entry for shard in examined for entry in shard.records.values()], failures, "")
    except UserError as error:
        findings.append(Finding(paths.failures, str(error)))
    findings += _orphans(paths, manifest.shards)
    findings += [_orphan(path) for path in (*sorted(paths.all_spooled()), *sorted(paths.all_failed()))]
    return Listing(summary, findings, keys)


@dataclass(frozen=True, slots=True)
class Asked:
    """Settings of a run that say which samples it has, and which go into one shard."""

    shard_size: int = 0
    categories: list[str] = field(default_factory=list)
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class _Identity:
    settings: Asked


def asked(paths: EditPaths) -> Asked:
    """What the run's identity says. Raises UserError for one that can't be read."""
    return files.checked(identity.load(paths.identity), _Identity, str(paths.identity)).settings


def incomplete(paths: EditPaths) -> list[Path]:
    """The shards of a run that hold fewer samples than a shard can. Those that can't be read are left out."""
    short: list[Path] = []
    with contextlib.suppress(UserError):
        size = asked(paths).shard_size
        for path in paths.all_shards():
            with contextlib.suppress(UserError):
                short += [path] if len(shards.index(path)) < size else []
    return short


def unlike_identity(paths: RunPaths, manifest: object) -> Iterator[Finding]:
    """An identity that can't be read, or that is not the one whose digest the manifest has."""
    try:
        settled = identity.load(paths.identity)
    except UserError as error:
        yield Finding(paths.identity, str(error), mendable=False)
        return
    if (digest := getattr(manifest, "identity", None)) is not None and settled["digest"] != digest:
        message = f"{paths.manifest} is of another run than {paths.identity.name}"
        yield Finding(paths.manifest, message, mendable=False)


def _examine(
    folder: Folder, entries: Sequence[ShardEntry] | None, read: Callable[[Stored], Record], decode: bool
) -> list[Examined[Record]]:
    """The shards that the manifest lists; without one, those that are there."""
    pairs: list[tuple[Path, ShardEntry | None]] = [(folder.listed(entry.name), entry) for entry in entries or ()]
    if entries is None:
        pairs = [(path, None) for path in folder.all_shards()]
    examined: list[Examined[Record]] = []
    pool = ThreadPoolExecutor(THREADS)
    try:
        with console.progress("shards looked at", len(pairs)) as advance:
            for shard in pool.map(lambda pair: tars.examine(pair[0], pair[1], read, decode=decode), pairs):
                examined.append(shard)
                advance()
    finally:
        pool.shutdown(cancel_futures=True)  # else an interrupt would wait for all shards
    return examined


def _of(examined: Sequence[Examined[Record]]) -> Iterator[Finding]:
    for shard in examined:
        yield from shard.findings
    yield from tars.duplicates(examined)


def _orphans(folder: Folder, entries: Sequence[ShardEntry] | None) -> Iterator[Finding]:
    if entries is not None:
        listed = {entry.name for entry in entries}
        yield from (_orphan(path) for path in folder.all_shards() if path.name not in listed)


def _orphan(path: Path) -> Finding:
    return Finding(path, f"{path} is an orphan: no manifest names it", orphan=True)


def _examined_spool(paths: EditPaths, decode: bool) -> Iterator[Examined[Entry]]:
    for path in sorted(paths.all_spooled()):
        examined = tars.examine(path, None, entry_of, decode=decode)
        if not examined.findings and [stored.key for stored in examined.samples] != [path.stem]:
            yield Examined(path, [Finding(path, f"{path} does not hold the sample {path.stem} alone", path.stem)])
        else:
            yield examined
    for path in sorted(paths.all_failed()):
        yield Examined(path, [*_unreadable(path, Failure)])


def _unreadable(path: Path, kind: type) -> Iterator[Finding]:
    """Of a file of rows, if there is one."""
    try:
        if path.exists():
            for _ in files.rows(path, kind):
                pass
    except UserError as error:
        yield Finding(path, str(error))
