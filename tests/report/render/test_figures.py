from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from editbench.report.document import Report
from editbench.report.options import ReportOptions
from editbench.report.render import fonts
from editbench.report.stage import report

from ..conftest import ROWS

Make = Callable[..., Path]


@pytest.fixture
def pair(make_scores: Make, tmp_path: Path) -> Report:
    lower = [(category, group, score and score / 3) for category, group, score in ROWS]
    folders = [make_scores("low", lower, editor="low"), make_scores("high", editor="high")]
    return report(folders, tmp_path / "out", ReportOptions(names=["a <b>", "物理"], latex=True, html=False))


def _texts(path: Path, joint: str = " ") -> str:
    return joint.join(text for text in ElementTree.parse(path).getroot().itertext() if text.strip())


def test_there_is_a_chart_of_means_scores_and_differences_in_both_formats(pair: Report) -> None:
    names = {path.name for path in pair.paths.figures.iterdir()}
    assert names == {f"{name}.{kind}" for name in ("means", "scores", "differences") for kind in ("svg", "png")}
    assert all(Image.open(path).width > 500 for path in pair.paths.figures.glob("*.png"))


def test_text_in_svg_stays_text(pair: Report) -> None:
    assert all(name in _texts(pair.paths.figures / "means.svg") for name in ("causal", "social", "a <b>", "物理"))
    assert "物理 minus a <b>" in _texts(pair.paths.figures / "differences.svg")


def test_a_run_without_any_score_has_charts_without_points(make_scores: Make, tmp_path: Path) -> None:
    made = report([make_scores(rows=[("a", "g", None)])], tmp_path / "out", ReportOptions(html=False))
    assert "a" in _texts(made.paths.figures / "means.svg")


def test_names_that_no_font_here_has_are_told_in_one_sentence(
    make_scores: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fonts, "_installed", list)
    made = report([make_scores(rows=[("物理", "g", 1.0)])], tmp_path / "out", ReportOptions(html=False))
    assert [sentence.partition(",")[0] for sentence in made.missing] == ["figures: no font here has 物 理"]


def test_names_of_any_kind_are_drawn_as_they_are(make_scores: Make, tmp_path: Path) -> None:
    names = ["_hidden", r"$\frac{$ ^_{}", "\x1b[2J\x00\u202e\n&<b>", "long " * 900]
    rows = [(category, f"g{index}", float(index)) for index, category in enumerate(names)]
    folders = [make_scores(name, rows, editor=name) for name in ("one", "two")]
    made = report(folders, tmp_path / "out", ReportOptions(names=names[:2], html=False))
    told = _texts(made.paths.figures / "means.svg")
    assert all(name in told for name in [*names[:2], r"\x1b[2J\x00\u202e &<b>"])
    assert "long long…" in told
    assert {"_hidden", r"$\frac{$ ^_{}"} <= set(_texts(made.paths.figures / "scores.svg", "\n").split("\n"))


def test_charts_can_be_left_out(make_scores: Make, tmp_path: Path) -> None:
    assert not report([make_scores()], tmp_path / "out", ReportOptions(figures=False, html=False)).paths.figures.exists()


def test_the_latex_table_has_the_leaderboard_with_escaped_names(pair: Report) -> None:
    text = pair.paths.latex.read_text(encoding="utf-8")
    assert [line.split(" & ")[0] for line in text.splitlines() if line.endswith(r"\\")] == [
        "run",
        "物理",
        r"a \textless{}b\textgreater{}",
    ]
    best = pair.standings[0].run.micro
    assert f"{best.mean:.2f}\\,$\\pm$\\,{(best.interval[1] - best.interval[0]) / 2:.2f}" in text
    assert r"83.3\%" in text


def test_latex_shows_every_special_character_as_text() -> None:
    from editbench.report.render.latex import escape

    assert escape("[a]*") == "{[}a{]}{*}"
    assert escape("\x1b[2J\u202e\n") == r"\textbackslash{}x1b{[}2J\textbackslash{}u202e"
    assert escape("50% of_a\\b {x} ~^$#&") == r"50\% of\_a\textbackslash{}b \{x\} \textasciitilde{}\textasciicircum{}\$\#\&"
