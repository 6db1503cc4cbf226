from __future__ import annotations

import io

from rich.console import Console

from editbench.fleet.panel.text import EMPTY, FULL, HALF, Frame, bar


def test_a_terminal_without_unicode_gets_ascii():
    out = Console(file=io.TextIOWrapper(io.BytesIO(), encoding="ascii"), width=80)
    out.print(Frame("━╸─ … 表"))
    out.file.seek(0)
    assert out.file.read() == "#-. ~ ?\n"


def test_a_bar_is_full_only_when_all_is_done_and_never_empty_once_begun():
    drawn = {done: bar(10, 1000, [(done, "")]).plain for done in (0, 1, 999, 1000)}
    assert drawn[0] == EMPTY * 10
    assert drawn[1] == HALF + EMPTY * 9
    assert drawn[999] == FULL * 9 + HALF
    assert drawn[1000] == FULL * 10


def test_a_few_failures_among_many_are_seen_in_the_bar():
    drawn = bar(20, 1000, [(400, "green"), (1, "red")])
    assert [drawn.plain[span.start : span.end] for span in drawn.spans if span.style == "red"] == [HALF]
    assert len(drawn) == 20
