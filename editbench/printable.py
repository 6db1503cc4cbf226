"""Text from outside (benchmarks, models, file names, exceptions) made fit to be shown: nothing in it is obeyed, nothing hidden.

A terminal obeys control characters, and format characters reverse or hide what a reader sees. Both are shown by their number,
such as `\\x1b` or `\\u202e`, and nothing is left out. Files that programs read (shards, JSON) keep their texts to the letter.
"""

from __future__ import annotations

import unicodedata

_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""General categories: controls (C0, C1, DEL), format characters (bidi, zero width, tags), surrogates, other line breaks."""
_SIGNS = (*range(0x600, 0x606), 0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD)
"""Format characters that are visible: signs that enclose digits (the property Prepended_Concatenation_Mark of Unicode 16)."""
_VISIBLE = {"\u200c", "\u200d", *map(chr, _SIGNS)}
"""The first two join or part letters: words of Persian and Indic scripts and families of emoji are spelled with them."""


_FORMULA = tuple("=+-@＝＋－＠")
"""What a formula begins with (OWASP, "CSV Injection"); tabs and line breaks, which may stand before it, are shown by number."""


class _Escapes(dict[int, str]):
    """For `str.translate`: hidden characters become their escapes, but for the characters that are keys."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        hidden = unicodedata.category(letter) in _HIDDEN and letter not in _VISIBLE
        return letter.encode("unicode_escape").decode() if hidden else letter


_ALL, _IN_LINES = _Escapes(), _Escapes({ord("\n"): "\n", ord("\t"): "\t"})


def printable(text: str, *, lines: bool = False) -> str:
    """`text` with each control and hidden character as a backslash and its number; with `lines`, `\\n` and `\\t` stay."""
    return text if text.isprintable() else text.translate(_IN_LINES if lines else _ALL)


def clean(text: str) -> str:
    """`text` with each run of blanks and line breaks as one blank, and otherwise as `printable` shows it."""
    return printable(" ".join(text.split()))


def spreadsheet_text(text: str) -> str:
    """`text` for a cell of CSV: `printable`, and with an apostrophe before what a spreadsheet would compute."""
    shown = printable(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown
