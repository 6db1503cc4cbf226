"""Files and folders that can not be read, written or named end in one message and exit status 2. Real processes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from processes import Command, edit, wait_for

from editbench.errors import USAGE
from editbench.foreign_paths import CheckpointPaths
from editbench.paths import BenchmarkPaths, EditPaths, ScorePaths, TinyPaths

# Root reads everything, unless it may not override permissions.
ORDINARY = () if os.getuid() else ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
pytestmark = pytest.mark.skipif(bool(ORDINARY) and not shutil.which("setpriv"), reason="root without setpriv reads everything")


def refused(*arguments: object, names: object, prefix: tuple[str, ...] = ()) -> None:
    """One message that names what is at fault, and no bug report."""
    process = Command([str(argument) for argument in arguments]).start(prefix=prefix)
    out, err = process.communicate(timeout=120)
    assert process.returncode == USAGE, out + err
    assert err.count("error:") == 1
    assert str(names) in err
    assert "bug of editbench" not in err
    assert "Traceback" not in err


@pytest.fixture
def work(folders: Path, tmp_path: Path) -> Path:
    return shutil.copytree(folders, tmp_path / "work")


def test_a_shard_without_permission(work: Path) -> None:
    path = BenchmarkPaths(work / "bench").shard(0)
    path.chmod(0)
    refused("edit", work / "bench", "--model", "copy", "--out", work / "out", names=path, prefix=ORDINARY)


def test_a_manifest_without_permission(work: Path) -> None:
    path = EditPaths(work / "edits").manifest
    path.chmod(0)
    refused("verify", work / "edits", names=path, prefix=ORDINARY)


def test_scores_without_permission(work: Path) -> None:
    path = ScorePaths(work / "scores").scores
    path.chmod(0)
    refused("report", work / "scores", "--out", work / "report", names=path, prefix=ORDINARY)


def test_a_model_without_permission(work: Path, checkpoints: TinyPaths) -> None:
    judge = shutil.copytree(checkpoints.judge, work / "judge")
    path = CheckpointPaths(judge).weights()[0]
    path.chmod(0)
    refused("score", work / "edits", "--model", judge, "--out", work / "out", names=path, prefix=ORDINARY)


def test_a_place_where_nothing_can_be_written(work: Path) -> None:
    (work / "closed").mkdir(mode=0o500)
    out = work / "closed" / "out"
    refused("edit", work / "bench", "--model", "copy", "--out", out, names=out, prefix=ORDINARY)
    refused("report", work / "scores", "--out", out, names=out, prefix=ORDINARY)


LONG = "n" * 300


def test_names_longer_than_a_file_system_takes(work: Path) -> None:
    long = work / LONG
    refused("edit", long, "--model", "copy", "--out", work / "out", names=LONG)
    refused("edit", work / "bench", "--model", "copy", "--out", long, names=LONG)
    refused("import", f"{long}.jsonl", "--out", work / "out", names=LONG)
    refused("score", work / "edits", "--model", "os:Judge", "--rubric", f"{long}.toml", "--out", work / "out", names=LONG)
    refused("report", long, "--out", work / "out", names=LONG)
    refused("rubric", "show", "~nosuchuser/mine.toml", work / "bench", names="nosuchuser")


def test_a_fifo_is_waited_for_by_nobody(work: Path) -> None:
    path = EditPaths(work / "edits").manifest
    path.unlink()
    os.mkfifo(path)
    refused("verify", work / "edits", names=path)
    os.mkfifo(work / "picture.png")
    (work / "table.jsonl").write_text('{"id": "a", "image": "picture.png", "instruction": "x"}\n')
    refused("import", work / "table.jsonl", "--out", work / "out", names="picture.png is not a regular file")


def test_a_folder_that_is_deleted_during_the_run(work: Path) -> None:
    out = work / "out"
    process = edit(work / "bench", out, STAND_IN_SLEEP="0.3").start()
    wait_for(lambda: EditPaths(out).spooled("physical").exists())
    shutil.rmtree(out)
    said, complained = process.communicate(timeout=120)
    assert process.returncode == USAGE, said + complained
    assert str(out) in complained
    assert "bug of editbench" not in complained
