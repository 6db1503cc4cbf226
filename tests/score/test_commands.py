"""`editbench score` as a user starts it, with the tiny judge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
from processes import Command, digests

from editbench.paths import ScorePaths, TinyPaths
from editbench.verify.opening import examine

DRAWN = ("--votes", "2", "--temperature", "1", "--max-new-tokens", "4", "--max-pixels", "65536", "--batch-tokens", "600")


def test_draws_controls_and_anchors_are_the_same_bytes_on_one_rank_and_on_two_and_no_reply_stays_unread(
    make_edits: Callable[..., Path], short_rubric: str, checkpoints: TinyPaths, tmp_path: Path
) -> None:
    edits, rubric = make_edits(failed=("causal",)), tmp_path / "short.toml"
    rubric.write_text(short_rubric)
    for nproc in ("1", "2"):
        options = ["--model", str(checkpoints.judge), "--rubric", str(rubric), "--audit", "50%", "--anchors", str(edits)]
        status, said = Command(["score", str(edits), "--out", str(tmp_path / nproc), "--nproc", nproc, *options, *DRAWN]).run()
        assert status == 0, said
    assert digests(tmp_path / "1") == digests(tmp_path / "2")
    paths = ScorePaths(tmp_path / "1")
    files = [[orjson.loads(line) for line in path.read_bytes().splitlines()] for path in (paths.scores, paths.audit)]
    judged = [row for rows in files for row in rows if row["status"] != "edit_failed"]
    assert [(row["status"], row["read"], row["votes"]) for row in judged] == [("ok", "forced", 2)] * 10
    assert [row["audit"] for row in files[1]] == ["repeat", "swapped", "unedited"] * 2
    assert orjson.loads(paths.environment.read_bytes())["anchors"] == "../edits"
    verdict = examine([paths.root])[0]
    assert (verdict.summary, verdict.findings) == ("scores, 5 rows, 6 of audit, 5 of anchors", [])
