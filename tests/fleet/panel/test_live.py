from __future__ import annotations

import io
import re

import pytest
from panel_views import H200, NOW, observed, rank, run_of
from rich.cells import cell_len
from rich.console import Console

from editbench import console
from editbench.fleet.panel import live as panel
from editbench.fleet.panel.live import Panel, Style
from editbench.fleet.tracker import Tracker
from editbench.paths import RunPaths


def live(width: int = 80, **values: object) -> tuple[Panel, Console]:
    out = Console(file=io.StringIO(), force_terminal=True, width=width, height=24, color_system=None)
    tracker = Tracker(100)
    tracker.update([rank(step=3, steps=40, **values)])
    return Panel(observed(tracker, wall=lambda: NOW), out), out


@pytest.mark.parametrize("width", [60, 80, 110, 140])
def test_the_line_on_which_a_terminal_echoes_has_room_and_its_numbers_whole(width):
    shown, out = live(width, gpu=H200, done=7, seconds={"computing": 92.4})
    shown.end()
    last = out.file.getvalue().rstrip("\n").rpartition("\n")[2]
    assert (cell_len(last) <= width - 2, "…" in last) == (True, False)
    assert last.split()[-2:] in (["98", "%"], ["61", "°C"])


@pytest.mark.parametrize("variable", panel.UNATTENDED)
def test_auto_is_plain_where_nobody_watches(variable, monkeypatch):
    for name in panel.UNATTENDED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(console, "out", Console(force_terminal=True, file=io.StringIO()))
    assert panel.resolved(Style.AUTO) == Style.LIVE
    monkeypatch.setenv(variable, "1")
    assert panel.resolved(Style.AUTO) == Style.PLAIN


def test_auto_is_plain_without_a_terminal(monkeypatch):
    monkeypatch.setattr(console, "out", Console(file=io.StringIO()))
    assert panel.resolved(Style.AUTO) == Style.PLAIN


def test_the_last_frame_stays_on_the_screen_once():
    shown, out = live()
    shown([])
    shown.end()
    erased, _, kept = out.file.getvalue().rpartition("\x1b[2K")
    assert kept.count("edit a model") == 1
    assert "\x1b[?25h" in erased  # the cursor is back


def test_no_more_than_ten_frames_a_second(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(panel.time, "monotonic", lambda: clock[0])
    shown, out = live()
    for tick in range(100):
        clock[0] = 1 + tick / 100
        shown([])
    assert out.file.getvalue().count("edit a model") <= 10
    shown.end()


def test_another_width_starts_on_a_clean_screen(monkeypatch):
    shown, out = live()
    shown([])
    out.width = 60
    monkeypatch.setattr(panel, "FRAME", 0.0)
    shown([])
    _, cleared, frame = out.file.getvalue().rpartition("\x1b[2J\x1b[H")
    shown.end()
    assert cleared
    assert max(map(len, re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", frame).split("\n"))) <= 60


def test_the_panel_outlives_an_error_in_the_run(tmp_path, capsys):
    def burst() -> None:
        with panel.watching(Style.PLAIN, run_of(before=4), RunPaths(tmp_path), Tracker(100, 4)):
            raise RuntimeError("the run failed")

    with pytest.raises(RuntimeError, match="the run failed"):
        burst()
    assert "4 of 100 done" in capsys.readouterr().out


def test_off_prints_nothing(tmp_path, capsys):
    with panel.watching(Style.OFF, run_of(), RunPaths(tmp_path), Tracker(100)) as show:
        show([])
    assert capsys.readouterr().out == ""
