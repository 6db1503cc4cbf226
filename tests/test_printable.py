from __future__ import annotations

import pytest

from editbench.printable import clean, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x07\x00\x7f", r"\x1b[2J\x07\x00\x7f"),
        ("\x9b31m\x85", r"\x9b31m\x85"),
        ("\u202egnp.exe\u2066\u200f", r"\u202egnp.exe\u2066\u200f"),
        ("a\u200bb\ufeffc\u00ad\U000e0041", r"a\u200bb\ufeffc\xad\U000e0041"),
        ("a\u2028b\u2029c\r\n\t", r"a\u2028b\u2029c\r\n\t"),
        ("name\udcff", r"name\udcff"),
    ],
)
def test_what_is_obeyed_or_hidden_is_shown_by_its_number(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    "text",
    ["物理 環境\u3000全角", "می\u200cخواهم ۝ \u06dd", "क्\u200dष", "👨\u200d👩\u200d👧 ☂\ufe0f", "e\u0301", r"\x1b"],
)
def test_what_languages_need_stays(text: str) -> None:
    assert printable(text) == text


def test_lines_and_tabs_stay_where_lines_are_meant() -> None:
    assert printable("a\tb\r\nc\x1b", lines=True) == "a\tb\\r\nc\\x1b"


def test_clean_text_is_one_line() -> None:
    assert clean(" a\t\n b\u2028c\x1b ") == r"a b c\x1b"
