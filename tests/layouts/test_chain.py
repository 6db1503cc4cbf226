"""Pictures made elsewhere, as a user takes them from the command line to a report and out again."""

from __future__ import annotations

import json
from pathlib import Path

from processes import JUDGE, Command

from editbench.paths import ReportPaths, ScorePaths

from .small import fill, picture, write_bench


def run(*arguments: object, status: int = 0) -> str:
    ended, said = Command([*map(str, arguments)]).run()
    assert ended == status, said
    return said


def test_pictures_made_elsewhere_are_scored_reported_and_exported_like_any_others(tmp_path: Path) -> None:
    bench = write_bench(tmp_path / "bench", [("cat", "causal", "en"), ("dog", "social", "en"), ("emu", "causal", "en")])
    sent = fill(tmp_path / "sent", {"cat.jpg": picture("red", "JPEG", (40, 30)), "dog.webp": picture("blue", "WEBP")})
    edits, scores, report = (tmp_path / name for name in ("edits", "scores", "report"))
    about = ("import-edits", bench, sent, "--layout", "files", "--name", "their-model", "--out", edits)
    said = run(*about, status=3)
    assert "2 of 3 samples with an edit, 1 missing, 2 flagged" in said
    assert "1 of 3 samples without an edit" in said
    run(*about, "--max-failures", "1")
    run("score", edits, "--model", JUDGE, "--out", scores, "--nproc", "1")
    rows = [json.loads(line) for line in ScorePaths(scores).scores.read_text().splitlines()]
    assert [(row["id"], row["status"]) for row in rows] == [("cat", "ok"), ("dog", "ok"), ("emu", "edit_failed")]
    assert "missing" not in run("report", scores, "--out", report, "--no-figures", "--full-pictures")
    assert len(ReportPaths(report).all_pictures()) >= 3  # one source and two edits
    assert json.loads(ReportPaths(report).json.read_text())["runs"][0]["editor"]["name"] == "their-model"
    assert "3 samples judged by stand_ins:Scorer with rubric five" in run(
        "export", scores, "--layout", "files", "--out", tmp_path / "s"
    )
    assert "2 pictures of their-model; 1 sample without an edit" in run(
        "export", edits, "--layout", "files", "--out", tmp_path / "e"
    )
    assert (tmp_path / "e/cat.jpg").read_bytes() == (sent / "cat.jpg").read_bytes()
