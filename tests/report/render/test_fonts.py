"""A font is found for every character where there is one, on any machine; which fonts this one has does not matter."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager, rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from editbench.report.render import fonts

CHINESE = "物理 环境"


def boxes(text: str, family: Sequence[str]) -> bool:
    """Whether matplotlib lacks a glyph when it draws `text` in these families."""
    with rc_context({"font.family": list(family)}), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        figure = Figure()
        figure.text(0.5, 0.5, text)
        FigureCanvasAgg(figure).print_png(io.BytesIO())
    return any("missing from font" in str(each.message) for each in told)


def font(path: Path, name: str, letters: str) -> Path:
    """A font whose letters are all the same square."""
    pen = TTGlyphPen(None)
    for step, point in enumerate([(100, 0), (900, 0), (900, 800), (100, 800)]):
        (pen.lineTo if step else pen.moveTo)(point)
    pen.closePath()
    glyphs = [".notdef", *(f"uni{ord(letter):04X}" for letter in letters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(glyphs)
    builder.setupCharacterMap(dict(zip(map(ord, letters), glyphs[1:], strict=True)))
    builder.setupGlyf(dict.fromkeys(glyphs, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 100)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": name, "styleName": "Regular"})
    builder.setupOS2(usWeightClass=400)
    builder.setupPost()
    builder.save(path)
    return path


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """Makes this a machine with these fonts, of which matplotlib's cache knows none."""

    def make(*paths: Path) -> None:
        bare = [entry for entry in font_manager.fontManager.ttflist if entry.name == fonts.DEFAULT]
        monkeypatch.setattr(font_manager.fontManager, "ttflist", bare)
        monkeypatch.setattr(font_manager, "findSystemFonts", lambda: list(map(str, paths)))

    return make


def test_characters_are_drawn_or_said_to_be_missing() -> None:
    chosen, missing = fonts.families(CHINESE)
    assert boxes(CHINESE, chosen) == bool(missing)


def test_a_font_that_was_installed_after_matplotlib_looked_is_found(machine, tmp_path: Path) -> None:
    machine(font(tmp_path / "wu.ttf", "Wu Sans", "物理"), font(tmp_path / "huan.ttf", "Huan Sans", "环境"))
    chosen, missing = fonts.families(f"a 1 {CHINESE}")
    assert (sorted(chosen), missing) == (["DejaVu Sans", "Huan Sans", "Wu Sans"], "")
    assert not boxes(CHINESE, chosen)
    assert boxes(CHINESE, chosen[:-1])


def test_no_more_fonts_are_taken_than_are_needed_and_those_made_for_it_come_first(machine, tmp_path: Path) -> None:
    names = ("A Sans", "Noto Sans CJK SC", "Noto Serif")
    machine(*(font(tmp_path / f"{name}.ttf", name, "物理") for name in names))
    assert fonts.families("物") == (["DejaVu Sans", "Noto Sans CJK SC"], "")
    assert fonts.families("Ωж\u200d\ufe0f\x1b 1") == (["DejaVu Sans"], "")


def test_what_no_font_has_is_named_with_a_font_that_has_it(machine, tmp_path: Path) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    machine(font(tmp_path / "wu.ttf", "Wu Sans", "物"), tmp_path / "broken.ttf")
    chosen, missing = fonts.families(CHINESE)
    assert (chosen, missing) == (["DejaVu Sans", "Wu Sans"], "境环理")
    assert "no font here has 境 环 理," in fonts.lacking(missing)
    assert "Noto Sans CJK" in fonts.lacking(missing)
    assert fonts.lacking("नमस्तेनमस्ते" * 9).count(" ") < 40
