"""Whatever is printed, and as what: a terminal gets nothing of it to obey."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.live import Live
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from editbench import console
from editbench.errors import IdentityError, UserError

HOSTILE = "[bold]x[/] :snow: 物理 \x1b]0;title\x07\x1b[2J\x9b31m\r\u202etxt\ta\nerror: no"


def in_table() -> Table:
    table = Table(HOSTILE, title=HOSTILE, caption=Text(HOSTILE))
    table.add_row(Text(HOSTILE, style="red"))
    table.add_row(HOSTILE)
    return table


PRINTED: dict[str, Callable[[], None]] = {
    "say": lambda: console.say(HOSTILE, "yellow"),
    "warn": lambda: console.warn(HOSTILE),
    "fail": lambda: console.fail(UserError(HOSTILE, HOSTILE)),
    "differences": lambda: console.fail(IdentityError(HOSTILE, HOSTILE, [(HOSTILE, HOSTILE, HOSTILE)])),
    "text": lambda: console.show(Text(HOSTILE)),
    "table": lambda: console.show(in_table()),
    "escaped table": lambda: console.show(console.escaped_table([HOSTILE], [[HOSTILE]], title=HOSTILE)),
    "segments": lambda: console.show(Segments([Segment(HOSTILE)])),
    "string": lambda: console.show(HOSTILE),
    "crash": lambda: console.crashed(ValueError, ValueError(HOSTILE), None),
}


@pytest.mark.parametrize("way", PRINTED)
def test_no_control_character_is_printed(way: str, capfd: pytest.CaptureFixture[str]) -> None:
    PRINTED[way]()
    said = "".join(capfd.readouterr())
    assert r"\x1b" in said
    assert [letter for letter in said if not letter.isprintable() and letter not in "\n\t"] == []


@pytest.mark.parametrize("way", ["say", "warn", "fail"])
def test_a_message_is_not_read_as_markup_and_its_lines_pass_for_no_other_message(
    way: str, capfd: pytest.CaptureFixture[str]
) -> None:
    PRINTED[way]()
    lines = "".join(capfd.readouterr()).splitlines()
    assert "[bold]x[/] :snow:" in lines[0]
    assert not [line for line in lines[1:] if line.startswith("error:")]


def test_strings_in_a_table_keep_to_their_columns() -> None:
    out = console.Console(file=io.StringIO(), width=40)
    out.print(console.escaped_table(["name", "other"], [["\x1b" * 30, "x"], ["y", "z"]]))
    widths = {cell_len(line) for line in out.file.getvalue().splitlines()}
    assert len(widths) == 1
    assert max(widths) <= 40


def test_what_rich_sends_itself_is_sent() -> None:
    out = console.Console(file=io.StringIO(), force_terminal=True, width=40, _environ={"TERM": "xterm"})
    with Live(Text("x\x1b[2J", style="red"), console=out, auto_refresh=False):
        pass
    said = out.file.getvalue()
    assert "\x1b[?25l" in said
    assert "\x1b[31mx\\x1b[2J\x1b[0m" in said


def test_letters_that_the_locale_lacks_are_shown_by_their_number(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "editbench", "rubric", "new", tmp_path / "物.toml"]
    done = subprocess.run(command, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=False)
    assert (done.returncode, rb"\u7269.toml: change its words" in done.stdout) == (0, True), done.stderr


def test_a_traceback_is_shown_so_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "editbench", "--debug", "verify", tmp_path / "\x1b[2J"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr.startswith("Traceback")
    assert (done.returncode, r"\x1b[2J" in done.stderr, "\x1b" in done.stderr) == (1, True, False)


def test_progress_is_a_bar_in_a_terminal_and_now_and_then_a_line_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    for terminal in (True, False):
        out = console.Console(file=io.StringIO(), force_terminal=terminal, width=80)
        monkeypatch.setattr(console, "out", out)
        monkeypatch.setattr(console, "LINE", 0.0)
        with console.progress("checking", 3) as advance:
            for _ in range(3):
                advance()
        shown.append(out.file.getvalue())
    assert "checking" in shown[0]
    assert "3/3" in shown[0]
    assert shown[1].splitlines() == [f"checking: {number} of 3" for number in (1, 2, 3)]
