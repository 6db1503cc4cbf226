from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from editbench.errors import UserError
from editbench.paths import BenchmarkPaths, EditPaths, ScorePaths
from editbench.verify import verify


def refused(root: Path, message: str) -> None:
    with pytest.raises(UserError, match=message):
        verify(root)


@pytest.fixture
def scores(tmp_path: Path) -> ScorePaths:
    paths = ScorePaths(tmp_path)
    paths.scores.write_bytes(b"{}\n{}\n")
    sha256 = hashlib.sha256(b"{}\n{}\n").hexdigest()
    paths.manifest.write_bytes(orjson.dumps({"schema": 1, "samples": 2, "statuses": {"ok": 2}, "sha256": sha256}))
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
    scores.scores.write_bytes(b"{}\n{}")
    refused(scores.root, "not as its manifest says")
    scores.scores.unlink()
    refused(scores.root, "is missing")


def test_controls_and_anchors_are_whole_or_say_what_is_not(scores: ScorePaths) -> None:
    manifest = orjson.loads(scores.manifest.read_bytes())
    others = {path.stem: {"rows": 2, "sha256": manifest["sha256"]} for path in (scores.audit, scores.anchors)}
    scores.manifest.write_bytes(orjson.dumps(manifest | others))
    scores.audit.write_bytes(scores.scores.read_bytes())
    refused(scores.root, r"anchors\.jsonl is missing")
    scores.anchors.write_bytes(scores.scores.read_bytes())
    assert verify(scores.root) == f"{scores.root}: scores, 2 rows, 2 of audit, 2 of anchors, whole"


def test_a_folder_that_is_not_finished_is_refused(tmp_path: Path) -> None:
    refused(tmp_path, "not a finished folder")
    refused(tmp_path / "missing", "not a finished folder")
