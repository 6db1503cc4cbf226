"""The whole chain with the real pipelines (tiny checkpoints) on the sample benchmark, and with stand-ins through make."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from processes import Command, digests
from warm import EXECUTED

from editbench.paths import EditPaths, ReportPaths, ScorePaths, TinyPaths

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "shards/sample"
SAMPLES = "4"


def edited(checkpoints: TinyPaths, out: Path, nproc: str) -> Path:
    options = ["--steps", "2", "--size", "65536", "--limit", SAMPLES, "--shard-size", "3", "--nproc", nproc]
    status, said = Command(["edit", str(SAMPLE), "--model", str(checkpoints.editor), "--out", str(out), *options]).run()
    assert status == 0, said
    return out


def scored(edits: Path, judge: Path, out: Path, *options: str, **environment: str) -> Path:
    command = ["score", str(edits), "--model", str(judge), "--out", str(out), "--batch-size", "2", *options]
    status, said = Command(command, environment).run()
    assert status == 0, said
    return out


@pytest.fixture(scope="module")
def edits(checkpoints: TinyPaths, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return edited(checkpoints, tmp_path_factory.mktemp("chain") / "edits", "2")


def rows(scores: Path) -> list[dict]:
    return [orjson.loads(line) for line in ScorePaths(scores).scores.read_bytes().splitlines()]


def test_one_rank_gives_the_bytes_of_two(checkpoints: TinyPaths, edits: Path, tmp_path: Path) -> None:
    assert digests(edited(checkpoints, tmp_path / "edits", "1")) == digests(edits)


def test_scores_do_not_depend_on_the_ranks(checkpoints: TinyPaths, edits: Path, tmp_path: Path) -> None:
    one, two = (
        scored(edits, checkpoints.judge, tmp_path / nproc, "--readout", "expected", "--nproc", nproc) for nproc in ("1", "2")
    )
    assert digests(one) == digests(two)
    assert all(row["status"] == "ok" and 0 <= row["score"] <= 10 and 0 < row["mass"] <= 1 for row in rows(one))


def test_random_weights_write_nothing_that_counts_as_a_score(checkpoints: TinyPaths, edits: Path, tmp_path: Path) -> None:
    options, executed = ("--max-new-tokens", "12", "--no-forced"), {EXECUTED: "editbench.fleet.keeper"}  # and so is the rank
    scores = scored(edits, checkpoints.judge_moe, tmp_path / "scores", *options, **executed)
    assert {(row["status"], row["score"]) for row in rows(scores)} == {("unparsed", None)}
    report = Command(["report", str(scores), "--out", str(tmp_path / "report")])
    assert report.run()[0] == 0
    assert orjson.loads(ReportPaths(tmp_path / "report").json.read_bytes())["runs"][0]["overall"]["micro"]["mean"] is None


def test_shards_read_with_webdataset_and_datasets(edits: Path) -> None:
    import datasets
    import webdataset

    shard = str(EditPaths(edits).shard(0))
    plain = list(webdataset.WebDataset(shard, shardshuffle=False).decode("pil"))
    cache = str(edits.parent / "cache")
    loaded = datasets.load_dataset("webdataset", data_files={"train": [shard]}, split="train", cache_dir=cache)
    assert [sample["__key__"] for sample in plain] == loaded["__key__"][:]
    assert plain[0]["edited.png"].size == tuple(loaded[0]["json"]["edit"]["size"])
    source = hashlib.sha256(plain[0]["source.jpg"].tobytes()).digest()
    assert source == hashlib.sha256(loaded[0]["source.jpg"].tobytes()).digest()


def make(runs: Path, *arguments: str) -> str:
    """What `make report` says; the environment of the tests stands in for the one it would set up."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests/fleet")}
    common = ["MODEL=stand_ins:Painter", "JUDGE=stand_ins:Scorer", "EDIT_FLAGS=--limit 3", f"RUNS={runs}"]
    command = ["make", "report", f"EDITBENCH={sys.executable} -m editbench", *common, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def stages(said: str) -> list[str]:
    lines = [line.split(" -m editbench ")[1].split()[0] for line in said.splitlines() if " -m editbench " in line]
    return [name for name in ("import", "edit", "score", "report") if name in lines]


def test_make_reruns_only_what_it_must(tmp_path: Path) -> None:
    rubric = tmp_path / "mine.toml"
    rubric.write_bytes((ROOT / "editbench/score/rubrics/five.toml").read_bytes())
    mine = f"RUBRIC={rubric}"
    assert stages(make(tmp_path, mine)) == ["edit", "score", "report"]
    assert stages(make(tmp_path, mine)) == []
    rubric.write_text(rubric.read_text("utf-8").replace("Image 1", "Picture 1"), "utf-8")
    assert stages(make(tmp_path, mine, "--dry-run")) == ["score", "report"]
