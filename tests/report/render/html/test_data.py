from __future__ import annotations

from pathlib import Path

import pytest

from editbench.records import OK, Judgement
from editbench.report.render.html import data
from editbench.report.render.html.gallery import Gallery, Result, Shown
from editbench.report.render.html.thumbnails import Thumbnails

RUNS = [{"label": "a", "rubric": {"scale": None}, "edits": "e"}]


def sample(key: str, response: str) -> Shown:
    row = Judgement(key=key, id=key, category="c", language="en", group="g", status=OK, score=1 / 3, response=response)
    return Shown(key, "c", "en", "do it", results={0: Result(row)})


def block(*samples: Shown) -> data.Block:
    return data.Block(Gallery(samples, [], []), RUNS, Thumbnails(512, [], {}))


def test_a_run_without_a_sample_has_a_hole() -> None:
    lacking = Shown("b", "c", "en")
    value = block(sample("a", ""), lacking).value
    assert value["results"][0]["status"] == [0, -1]
    assert value["samples"]["instruction"] == ["do it", None]


def test_runs_of_the_same_edits_are_known_by_the_first() -> None:
    runs = [{**RUNS[0], "edits": edits} for edits in ("d", "e", "", "e", "")]
    found = data.Block(Gallery([], [], []), runs, Thumbnails(512, [], {})).value["runs"]
    assert [run["edits"] for run in found] == [0, 1, 2, 1, 4]


def test_numbers_are_short() -> None:
    assert block(sample("a", "")).value["results"][0]["score"] == [0.3333]


def test_long_texts_are_cut_when_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "TEXTS", 600)
    value = block(sample("a", "x" * 1000), sample("b", "short")).value
    assert value["cut"] == 600 - len("do it") * 2 - len("short")
    assert value["results"][0]["response"] == ["x" * value["cut"] + "...", "short"]


def test_markup_is_escaped_and_still_the_same_text() -> None:
    assert data.encode({"a": "</script>"}) == b'{"a":"\\u003c/script>"}'


def test_a_picture_beside_the_page_is_named_as_paths_does() -> None:
    script = Path(data.__file__).parent.joinpath("static", "data.js").read_text()
    assert "${data.pictures.folder}/${name.slice(0, 2)}/${name}-${edge}.webp" in script
