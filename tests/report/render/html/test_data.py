from __future__ import annotations

from pathlib import Path

import pytest

from editbench.records import OK, Judgement
from editbench.report.render.html import data
from editbench.report.render.html.gallery import Gallery, GallerySample, JudgedEdit
from editbench.report.render.html.thumbnails import Thumbnails

RUNS = [{"label": "a", "rubric": {"scale": None}, "edits": "e"}]


def sample(key: str, response: str) -> GallerySample:
    row = Judgement(key=key, id=key, category="c", language="en", group="g", status=OK, score=1 / 3, response=response)
    return GallerySample(key, "c", "en", "do it", results={0: JudgedEdit(row)})


def page_data(*samples: GallerySample) -> data.PageData:
    return data.PageData(Gallery(samples, [], []), RUNS, Thumbnails(512, [], {}))


def test_a_run_without_a_sample_has_a_hole() -> None:
    lacking = GallerySample("b", "c", "en")
    contents = page_data(sample("a", ""), lacking).contents
    assert contents["results"][0]["status"] == [0, -1]
    assert contents["samples"]["instruction"] == ["do it", None]


def test_runs_of_the_same_edits_are_known_by_the_first() -> None:
    runs = [{**RUNS[0], "edits": edits} for edits in ("d", "e", "", "e", "")]
    listed = data.PageData(Gallery([], [], []), runs, Thumbnails(512, [], {})).contents["runs"]
    assert [run["edits"] for run in listed] == [0, 1, 2, 1, 4]


def test_numbers_are_short() -> None:
    assert page_data(sample("a", "")).contents["results"][0]["score"] == [0.3333]


def test_long_texts_are_cut_when_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "TEXTS", 600)
    contents = page_data(sample("a", "x" * 1000), sample("b", "short")).contents
    assert contents["cut"] == 600 - len("do it") * 2 - len("short")
    assert contents["results"][0]["response"] == ["x" * contents["cut"] + "...", "short"]


def test_markup_is_escaped_and_still_the_same_text() -> None:
    assert data.encode({"a": "</script>"}) == b'{"a":"\\u003c/script>"}'


def test_a_picture_beside_the_page_is_named_as_paths_does() -> None:
    script = Path(data.__file__).parent.joinpath("static", "data.js").read_text()
    assert "${data.pictures.folder}/${name.slice(0, 2)}/${name}-${edge}.webp" in script
