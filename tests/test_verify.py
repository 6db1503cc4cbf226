from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from editbench.errors import UserError
from editbench.manifests import EditsFacts, Named, RowsEntry, ScoreManifest
from editbench.paths import BenchmarkPaths, EditPaths, ScorePaths
from editbench.verify import verify

ROWS = "".join(
    f'{{"key":"{key}","id":"i","category":"c","language":"en","group":"g","status":"ok","score":1.0}}\n' for key in "ab"
).encode()


def write_manifest(
    paths: ScorePaths, rows: bytes, statuses: Mapping[str, int] = MappingProxyType({"ok": 2}), **others: RowsEntry
) -> None:
    """scores.jsonl, and the manifest that goes with it."""
    paths.scores.write_bytes(rows)
    edits = EditsFacts(digest="e", benchmark=Named(name="bench"), model=Named(name="model"))
    about = {"samples": 2, "statuses": dict(statuses), "mean": 1.0, "min": 1.0, "max": 1.0, "edits": edits, "identity": "i"}
    manifest = ScoreManifest(**about, sha256=hashlib.sha256(rows).hexdigest(), **others)
    replace(manifest, digest=manifest.own_digest()).dump(paths.manifest)


def refused(root: Path, message: str) -> None:
    with pytest.raises(UserError, match=message):
        verify(root)


@pytest.fixture
def scores(tmp_path: Path) -> ScorePaths:
    paths = ScorePaths(tmp_path)
    write_manifest(paths, ROWS)
    return paths


def test_a_benchmark_is_whole_or_says_what_is_not(benchmark: Path) -> None:
    assert verify(benchmark) == f"{benchmark}: benchmark five, 5 samples in 1 shards, whole"
    BenchmarkPaths(benchmark).shard(0).unlink()
    refused(benchmark, r"bench-00000\.tar is missing")


def test_edits_are_whole_or_say_what_is_not(make_edits: Callable[..., Path]) -> None:
    root = make_edits(failed=("social",))
    assert verify(root) == f"{root}: edits, 4 of 5 samples in 3 shards, whole"
    shard = EditPaths(root).shard(2)
    shard.write_bytes(shard.read_bytes()[:-512])
    refused(root, r"edits-00002\.tar has [\d,]+ bytes")


def test_flagged_edits_are_counted(make_edits: Callable[..., Path]) -> None:
    root = make_edits(flags={"social": ["uniform"], "causal": ["nan", "uniform"]})
    assert verify(root) == f"{root}: edits, 5 of 5 samples in 3 shards, 2 flagged (1 nan, 2 uniform), whole"


def test_scores_are_whole_or_say_what_is_not(scores: ScorePaths) -> None:
    assert verify(scores.root) == f"{scores.root}: scores, 2 rows, whole"
    scores.scores.write_bytes(ROWS[:-1])
    refused(scores.root, "not as its manifest says")
    scores.scores.unlink()
    refused(scores.root, "is missing")


def test_scores_whose_rows_are_broken_or_counted_otherwise_are_refused(scores: ScorePaths) -> None:
    write_manifest(scores, ROWS.replace(b'"ok"', b'"fine"', 1))
    refused(scores.root, r"scores\.jsonl, line 1: Invalid enum value 'fine'")
    write_manifest(scores, ROWS, {"ok": 1, "error": 1})
    refused(scores.root, "other rows than")


def test_controls_and_anchors_are_whole_or_say_what_is_not(scores: ScorePaths) -> None:
    entry = RowsEntry(rows=2, statuses={"ok": 2}, sha256=hashlib.sha256(ROWS).hexdigest())
    write_manifest(scores, ROWS, audit=entry, anchors=entry)
    scores.audit.write_bytes(scores.scores.read_bytes())
    refused(scores.root, r"anchors\.jsonl is missing")
    scores.anchors.write_bytes(scores.scores.read_bytes())
    assert verify(scores.root) == f"{scores.root}: scores, 2 rows, 2 of audit, 2 of anchors, whole"


def test_a_folder_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, "not a finished folder")
    refused(tmp_path / "missing", "not a finished folder")
