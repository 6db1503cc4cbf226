"""`editbench verify`: is what lies on disk whole, as its manifest says?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from editbench import identity, shards
from editbench.benchmarks.folder import Benchmark
from editbench.edits import Edits, flagged
from editbench.errors import UserError
from editbench.paths import ScorePaths


def verify(root: Path) -> str:
    """Check a folder of a benchmark, of edits or of scores; returns a sentence on what is there.

    Raises:
        UserError: no finished folder, or something in it is missing, changed or cut short.
    """
    paths = ScorePaths(root)
    if not paths.manifest.exists():
        raise UserError(f"{root} has no {paths.manifest.name}: not a finished folder", "Run the command that makes it again.")
    manifest = identity.load(paths.manifest)
    if "statuses" in manifest:
        return f"{root}: scores, {_scores(paths, manifest)}, whole"
    if "edited" in manifest:
        edits = Edits.open(root)
        there = f"{manifest['edited']} of {len(edits.entries)} samples in {len(manifest['shards'])} shards"
        return f"{root}: edits, {there}{flagged(manifest)}, whole"
    benchmark = Benchmark.open(root)
    return f"{root}: benchmark {benchmark.name}, {len(benchmark.samples)} samples in {len(manifest['shards'])} shards, whole"


def _scores(paths: ScorePaths, manifest: dict[str, Any]) -> str:
    """What files of rows there are. Raises UserError for one that is not as the manifest says."""
    others = {path: manifest[path.stem] for path in (paths.audit, paths.anchors) if path.stem in manifest}
    digests = {paths.scores: manifest["sha256"], **{path: about["sha256"] for path, about in others.items()}}
    for path, digest in digests.items():
        if not path.is_file() or shards.sha256(path) != digest:
            raise UserError(f"{path} is missing or not as its manifest says", "Run the same `editbench score` again.")
    more = "".join(f", {about['rows']} of {path.stem}" for path, about in others.items())
    return f"{manifest['samples']} rows{more}"
