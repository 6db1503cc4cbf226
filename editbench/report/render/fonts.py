"""Fonts for the charts: families that have every character to be drawn, where this machine has them.

matplotlib draws each character with the first family of a list that has it. What families there are it asked when it made its
cache, which may have been before a font was installed; so the system is asked again, but only for characters that need it.
"""

from __future__ import annotations

import contextlib
import unicodedata

DEFAULT = "DejaVu Sans"
"""Comes with matplotlib: Latin, Greek, Cyrillic, Arabic, symbols."""
PREFERRED = ("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC", "SimHei")
"""Families that are tried before others: many fonts have some Chinese characters, in the shapes of another language."""
_LISTED = 10
"""Characters named in one sentence."""


def families(text: str) -> tuple[list[str], str]:
    """The families to draw `text` with, in the order to try them, and the characters of it that no family has."""
    from matplotlib import font_manager

    missing = {letter for letter in text if unicodedata.category(letter)[0] in "LNPS"}  # marks come with their letters
    chosen = [DEFAULT]
    missing -= _characters(font_manager.findfont(DEFAULT))
    for name, path in _installed() if missing else ():
        if known := missing & _characters(path):
            chosen.append(name)
            missing -= known
        if not missing:
            break
    return chosen, "".join(sorted(missing))


def lacking(missing: str) -> str:
    """A sentence on the characters that no family has."""
    listed = " ".join(missing[:_LISTED]) + (" ..." if len(missing) > _LISTED else "")
    chinese = any(unicodedata.name(letter, "").startswith("CJK") for letter in missing)
    remedy = "Noto Sans CJK (fonts-noto-cjk)" if chinese else "one of the Noto fonts"
    return f"figures: no font here has {listed}, which the PNG files show as boxes; install one that has, such as {remedy}"


def _installed() -> list[tuple[str, str]]:
    """Families of the system with their files, made known to matplotlib: the preferred ones, then those without serifs.

    Not those that matplotlib brings for formulas: they have signs in the places of letters.
    """
    from matplotlib import font_manager

    paths = set(font_manager.findSystemFonts())
    manager = font_manager.fontManager
    for path in sorted(paths - {entry.fname for entry in manager.ttflist}):
        with contextlib.suppress(OSError, RuntimeError):  # broken, or of bitmaps
            manager.addfont(path)
    upright = {
        entry.name: entry.fname
        for entry in manager.ttflist
        if entry.fname in paths and (entry.style, entry.weight) == ("normal", 400)
    }
    order = {name: index for index, name in enumerate(PREFERRED)}
    return sorted(upright.items(), key=lambda item: (order.get(item[0], len(order)), "Sans" not in item[0], item))


def _characters(path: str) -> set[str]:
    """The characters that a font has."""
    from matplotlib import font_manager

    return set(map(chr, font_manager.get_font(path).get_charmap()))
