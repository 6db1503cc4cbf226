from __future__ import annotations

import base64
import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from editbench.paths import EditPaths, ReportPaths
from editbench.report import stage
from editbench.report.render.html import gallery, page
from editbench.report.render.html.pictures import RunPictures

from .conftest import KEYS, QUICK, scores

MakeEdits = Callable[..., Path]
MakePage = Callable[..., tuple[list[str], ReportPaths]]


def data(paths: ReportPaths, block: str = "data") -> Any:
    (text,) = re.findall(rf'<script type="application/json" id="{block}">(.*?)</script>', paths.html.read_text(), re.DOTALL)
    return orjson.loads(text)


def test_a_page_holds_rows_instructions_and_pictures(make_edits: MakeEdits, make_page: MakePage, tmp_path: Path) -> None:
    warnings, paths = make_page(scores(tmp_path / "scores", make_edits()))
    contents = data(paths)
    assert warnings == []
    assert contents["samples"]["key"] == list(KEYS)
    assert contents["samples"]["instruction"][0] == "edit physical"
    assert contents["results"][0]["score"] == [0.0, 2.0, 4.0, 6.0, 8.0]
    assert not paths.pictures.exists()


def test_equal_pictures_are_held_once(make_edits: MakeEdits, make_page: MakePage, tmp_path: Path) -> None:
    _, paths = make_page(scores(tmp_path / "scores", make_edits()))
    assert data(paths)["samples"]["source"] == [0] * 5
    embedded = [base64.b64decode(text) for text in data(paths, "embedded")]
    assert [picture[8:12] for picture in embedded] == [b"WEBP"] * 2


def test_equal_input_gives_equal_bytes(make_edits: MakeEdits, make_page: MakePage, tmp_path: Path) -> None:
    folder = scores(tmp_path / "scores", make_edits())
    first = make_page(folder)[1].html.read_bytes()
    assert make_page(folder)[1].html.read_bytes() == first
    assert str(tmp_path).encode() not in first


def test_text_can_not_end_its_script_element(make_edits: MakeEdits, make_page: MakePage, tmp_path: Path) -> None:
    _, paths = make_page(scores(tmp_path / "scores", make_edits()))
    assert "bad()</script>" not in paths.html.read_text()
    assert data(paths)["results"][0]["response"][0] == "</script><script>bad()</script>"


def test_the_policy_allows_just_the_pages_own_scripts_and_style(
    make_edits: MakeEdits, make_page: MakePage, tmp_path: Path
) -> None:
    _, paths = make_page(scores(tmp_path / "scores", make_edits()))
    html = paths.html.read_text()
    inline = [*re.findall(r"<script>(.*?)</script>", html, re.DOTALL), *re.findall(r"<style>(.*?)</style>", html, re.DOTALL)]
    hashes = {f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}" for text in inline}
    (policy,) = re.findall(r'Content-Security-Policy" content="(.*?)">', html)
    assert set(re.findall(r"sha256-[^&']*", policy.replace("&#39;", "'"))) == hashes
    assert "unsafe" not in policy
    assert "http" not in html.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")


def test_pictures_over_the_limit_lie_beside_the_page(make_edits: MakeEdits, make_page: MakePage, tmp_path: Path) -> None:
    _, paths = make_page(scores(tmp_path / "scores", make_edits()), limit=10)
    contents = data(paths)["pictures"]
    assert [paths.picture(name, contents["edge"]) for name in sorted(contents["names"])] == paths.all_pictures()
    assert not contents["embedded"]


def test_full_pictures_are_written_and_those_of_an_earlier_report_removed(
    make_edits: MakeEdits, make_page: MakePage, tmp_path: Path
) -> None:
    folder = scores(tmp_path / "scores", make_edits())
    _, paths = make_page(folder, full=True)
    assert len(paths.all_pictures()) == 2
    make_page(folder)
    assert paths.all_pictures() == []


def test_a_page_without_shards_says_what_is_missing(make_edits: MakeEdits, make_page: MakePage, tmp_path: Path) -> None:
    edits = make_edits()
    folder = scores(tmp_path / "scores", edits)
    shutil.rmtree(edits)
    (warning,), paths = make_page(folder)
    assert "pictures of 5 samples are missing" in warning
    assert str(edits) in warning
    assert "because their folder of edits edits is not where this page was made" in paths.html.read_text()
    assert data(paths)["samples"]["instruction"] == [None] * 5


def test_one_lost_shard_takes_only_its_samples(make_edits: MakeEdits, make_page: MakePage, tmp_path: Path) -> None:
    edits = make_edits()
    EditPaths(edits).shard(1).unlink()
    (warning,), paths = make_page(scores(tmp_path / "scores", edits))
    assert "pictures of 2 samples are missing" in warning
    assert data(paths)["results"][0]["edited"] == [1, 1, -1, -1, 1]


def test_a_failed_edit_misses_no_picture(make_edits: MakeEdits, make_page: MakePage, tmp_path: Path) -> None:
    edits = make_edits(failed=("causal",))
    warnings, _ = make_page(scores(tmp_path / "scores", edits, failed=("causal",)))
    assert warnings == []


def test_edits_of_another_run_are_not_shown(make_edits: MakeEdits, make_page: MakePage, tmp_path: Path) -> None:
    edits = make_edits()
    folder = scores(tmp_path / "scores", edits)
    path = EditPaths(edits).manifest
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), "digest": "another"}))
    (warning,), _ = make_page(folder)
    assert "holds other edits than the scored ones" in warning


def test_edits_are_found_where_the_caller_says(make_edits: MakeEdits, make_page: MakePage, tmp_path: Path) -> None:
    edits = make_edits()
    warnings, _ = make_page(scores(tmp_path / "scores", edits, told=False), edits=[tmp_path / "nothing", edits])
    assert warnings == []


def test_of_large_runs_the_same_samples_are_drawn(make_scores: Callable[..., Path], make_page: MakePage) -> None:
    rows = [("causal", f"g{index}", float(index % 10)) for index in range(200)]
    folders = [make_scores("one", rows, editor="one"), make_scores("two", rows, editor="two")]
    _, paths = make_page(*folders, most=50)
    keys, results = data(paths)["samples"]["key"], data(paths)["results"]
    assert 30 < len(keys) < 70
    assert -1 not in results[0]["status"] + results[1]["status"]
    assert f"{len(keys)} of 200 samples, drawn by their keys" in paths.html.read_text()


def test_samples_that_the_page_points_to_are_always_drawn(make_scores: Callable[..., Path]) -> None:
    rows = [("causal", f"g{index}", 5.0) for index in range(40)]
    folder = make_scores("one", rows)
    facts = [{"benchmark": {"name": "b", "version": ""}, "edits": "", "overall": {"micro": {"n": 40}}}]
    shown = gallery.collect([RunPictures("one", folder)], facts, wanted=["k7", "k30"], most=1)
    assert {"k7", "k30"} <= {sample.name for sample in shown.samples}
    assert shown.sampled_from == 40


def test_a_broken_picture_is_told(make_edits: MakeEdits, make_page: MakePage, tmp_path: Path) -> None:
    edits = make_edits(edited={"causal": b"no picture"})
    (warning,), paths = make_page(scores(tmp_path / "scores", edits))
    assert "causal.edited.png" in warning
    assert data(paths)["results"][0]["edited"][3] == -1


@pytest.mark.parametrize("lacking", ["https://", "@import", "innerHTML", "eval("])
def test_the_page_reaches_for_nothing(lacking: str, make_edits: MakeEdits, make_page: MakePage, tmp_path: Path) -> None:
    assert lacking not in make_page(scores(tmp_path / "scores", make_edits()))[1].html.read_text()


def test_two_judges_of_the_same_edits_stand_on_boards_of_their_own_and_are_compared(
    make_edits: MakeEdits, make_page: MakePage, tmp_path: Path
) -> None:
    edits = make_edits()
    folders = [scores(tmp_path / name, edits, judge=name) for name in ("first", "second")]
    html = make_page(*folders)[1].html.read_text()
    assert html.count('<ol class="leaderboard alone">') == 2
    assert "Krippendorff&#39;s alpha" in html


def test_the_audit_and_the_anchors_are_shown(make_edits: MakeEdits, tmp_path: Path) -> None:
    folder = scores(tmp_path / "scores", make_edits())
    document = orjson.loads(orjson.dumps(stage.report([folder], tmp_path / "report", QUICK).document()))
    win_rate = {"value": 0.9, "interval": [0.8, 0.95]}
    document["runs"][0]["audit"] = {
        "samples": 5, "rows": 5, "statuses": {"ok": 5}, "unread_share": 0.0, "mean_mass": None, "skipped_identical": 1,
        "controls": {"unedited": {"n": 5, "mean": 1.0, "edit_mean": 4.0, "win_rate": win_rate}},
        "repeat": None, "verdicts": ["the judge can tell"],
    }  # fmt: skip
    shift = {"value": -0.25, "interval": None}
    document["runs"][0]["anchors"] = {
        "reference": "before", "n": 5, "groups": 5, "shift": shift, "correlation": None, "edits": "e"
    }  # fmt: skip
    page.write(document, [RunPictures(document["runs"][0]["label"], folder)], tmp_path / "report")
    html = ReportPaths(tmp_path / "report").html.read_text()
    assert all(text in html for text in ("the judge can tell", "0.80 to 0.95", "-0.25", "before"))
