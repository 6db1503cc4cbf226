"""`editbench verify`: is what lies on disk whole, as its manifest says?"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from editbench import files, manifests, shards
from editbench.benchmarks.benchmark import Benchmark
from editbench.edits import Edits, flagged
from editbench.errors import UserError
from editbench.manifests import EditManifest, RowsEntry, ScoreManifest
from editbench.paths import ScorePaths
from editbench.records import Judgement


def verify(root: Path) -> str:
    """Check a folder of a benchmark, of edits or of scores; returns a sentence on what is there.

    Raises:
        UserError: no finished folder, or something in it is missing, changed, cut short or at odds with the rest.
    """
    paths = ScorePaths(root)
    if not paths.manifest.exists():
        raise UserError(f"{root} has no {paths.manifest.name}: not a finished folder", "Run the command that makes it again.")
    manifest = manifests.load_any(paths.manifest)
    if isinstance(manifest, ScoreManifest):
        return f"{root}: scores, {_scores(paths, manifest)}, whole"
    location = f"in {len(manifest.shards)} shards"
    if isinstance(manifest, EditManifest):
        edits = Edits.open(root)
        return f"{root}: edits, {manifest.edited} of {len(edits.entries)} samples {location}{flagged(manifest)}, whole"
    benchmark = Benchmark.open(root)
    return f"{root}: benchmark {benchmark.name}, {len(benchmark.samples)} samples {location}, whole"


def _scores(paths: ScorePaths, manifest: ScoreManifest) -> str:
    """What files of rows there are. Raises UserError for one that is not as the manifest says."""
    scores = RowsEntry(rows=manifest.samples, statuses=manifest.statuses, sha256=manifest.sha256)
    entries = {paths.scores: scores, paths.audit: manifest.audit, paths.anchors: manifest.anchors}
    present = {path: entry for path, entry in entries.items() if entry is not None}
    remedy = "Run the same `editbench score` again."
    for path, entry in present.items():
        if not path.is_file() or shards.sha256(path) != entry.sha256:
            raise UserError(f"{path} is missing or not as its manifest says", remedy)
        if Counter(row.status for row in files.rows(path, Judgement, remedy)) != entry.statuses:
            raise UserError(f"{path} has other rows than {paths.manifest.name} counts", remedy)
    others = (f", {entry.rows} of {path.stem}" for path, entry in present.items() if entry is not scores)
    return f"{manifest.samples} rows{''.join(others)}"
