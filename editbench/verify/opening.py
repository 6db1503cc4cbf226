"""Folders of any kind, looked at whole, and held against each other.

>>> [finding.message for finding in examine([Path("shards/runs/edits")])[0].findings]
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from editbench import files, manifests
from editbench.benchmarks.benchmark import Benchmark
from editbench.errors import UserError
from editbench.manifests import BenchmarkManifest, EditManifest, ScoreManifest
from editbench.paths import EditPaths, Folder, RunPaths, ScorePaths
from editbench.verify import folders, rows
from editbench.verify.finding import Finding, Kind, Verdict

Manifest = BenchmarkManifest | EditManifest | ScoreManifest


@dataclass(frozen=True, slots=True)
class _Opened:
    """A folder that was looked at. `manifest`: None where it is missing or broken. `keys`: of its samples."""

    verdict: Verdict
    manifest: Manifest | None
    keys: Sequence[str]


def examine(roots: Sequence[Path], *, quick: bool = False) -> list[Verdict]:
    """Look at folders of benchmarks, edits and scores; edits are also held against their benchmark and scores against their
    edits, where those are among the folders. `quick`: pictures are decoded only in shards that have been changed."""
    opened = [_open(root, decode=not quick) for root in dict.fromkeys(roots)]
    return [replace(one.verdict, findings=[*one.verdict.findings, *_against(one, opened)]) for one in opened]


def _open(root: Path, *, decode: bool) -> _Opened:
    path = Folder(root).manifest
    try:
        manifest = manifests.load_any(path) if path.exists() else None
        message = f"{root} has no {path.name}: not a finished folder" if root.is_dir() else f"no folder {root}"
    except UserError as error:
        manifest, message = None, str(error)
    if isinstance(manifest, BenchmarkManifest):
        kind, listing = Kind.BENCHMARK, folders.benchmark(root, manifest, decode=decode)
    elif isinstance(manifest, EditManifest):
        kind, listing = Kind.EDITS, folders.edits_folder(root, manifest, decode=decode)
    elif isinstance(manifest, ScoreManifest):
        kind, listing = Kind.SCORES, rows.scores(root, manifest)
    else:
        kind, listing = _unlisted(root, decode)
        # Edits and scores are resumed; of a benchmark nothing but its manifest says what it was made of.
        mendable = kind in (Kind.EDITS, Kind.SCORES)
        listing = replace(listing, findings=[Finding(path, message, mendable=mendable), *listing.findings])
    return _Opened(Verdict(root, kind, listing.summary, listing.findings), manifest, listing.keys)


def _unlisted(root: Path, decode: bool) -> tuple[Kind, folders.Listing]:
    """A folder without a manifest that can be read: what lies in it tells its kind."""
    kind = _kind(root)
    if kind == Kind.SCORES:
        return kind, rows.scores(root, None)
    if kind == Kind.EDITS:
        return kind, folders.edits_folder(root, None, decode=decode)
    return kind, folders.benchmark(root, None, decode=decode)


def _kind(root: Path) -> Kind:
    paths = RunPaths(root)
    if paths.identity.exists():
        with contextlib.suppress(UserError):
            return Kind.SCORES if files.versioned(paths.identity).get("stage") == "score" else Kind.EDITS
    if ScorePaths(root).scores.exists() or ScorePaths(root).chunks.exists():
        return Kind.SCORES
    shards = paths.all_shards()
    if paths.identity.exists() or EditPaths(root).shard(0) in shards:
        return Kind.EDITS
    return Kind.BENCHMARK if shards else Kind.UNKNOWN


def _against(one: _Opened, others: Sequence[_Opened]) -> Iterator[Finding]:
    """Samples that the folder should have as well, or should not, by what it was made of, where that is whole."""
    for other in others:
        if other.verdict.findings or other.manifest is None or _input(one.manifest) != other.manifest.digest:
            continue
        if isinstance(one.manifest, ScoreManifest):
            yield from _unlike(one, other.keys, other, ScorePaths(one.verdict.root).scores, True)
        else:
            # Where no shard is broken, the manifest and all that goes with it is wrong: no resume mends that.
            mendable = bool(one.verdict.findings)
            yield from _unlike(one, _selected(one, other), other, Folder(one.verdict.root).manifest, mendable)


def _input(manifest: Manifest | None) -> str | None:
    """Digest of the manifest of what the folder was made of."""
    if isinstance(manifest, ScoreManifest):
        return manifest.edits.digest
    return manifest.benchmark.digest if isinstance(manifest, EditManifest) else None


def _unlike(one: _Opened, keys: Sequence[str], other: _Opened, path: Path, mendable: bool) -> Iterator[Finding]:
    root, there, expected = other.verdict.root, set(one.keys), set(keys)
    for key in (key for key in keys if key not in there):
        yield Finding(path, f"{one.verdict.root}: sample {key} of {root} is missing", key, mendable)
    for key in (key for key in one.keys if key not in expected):
        yield Finding(path, f"{one.verdict.root}: {root} has no sample {key}", key, mendable)


def _selected(edits: _Opened, benchmark: _Opened) -> Sequence[str]:
    """Keys of the samples that the run was to edit."""
    try:
        asked = folders.asked(EditPaths(edits.verdict.root))
        chosen = Benchmark.open(benchmark.verdict.root, verify=False).select(asked.categories, asked.limit)
    except UserError:  # an identity that is broken, which is told elsewhere
        return edits.keys
    return [sample.key for sample in chosen.samples]
