"""`editbench verify`: is what lies on disk whole, as its manifest says?"""

from __future__ import annotations

from pathlib import Path

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
        if not paths.scores.is_file() or shards.sha256(paths.scores) != manifest["sha256"]:
            raise UserError(f"{paths.scores} is missing or not as its manifest says", "Run the same `editbench score` again.")
        return f"{root}: scores, {manifest['samples']} rows, whole"
    if "edited" in manifest:
        edits = Edits.open(root)
        there = f"{manifest['edited']} of {len(edits.entries)} samples in {len(manifest['shards'])} shards"
        return f"{root}: edits, {there}{flagged(manifest)}, whole"
    benchmark = Benchmark.open(root)
    return f"{root}: benchmark {benchmark.name}, {len(benchmark.samples)} samples in {len(manifest['shards'])} shards, whole"
