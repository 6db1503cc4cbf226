"""Progress for people: a live panel in a terminal, plain lines elsewhere. Drawn by the launcher, or by `watch` from anywhere;
ranks print nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from rich.console import Console
from rich.live import Live

from editbench import console
from editbench.fleet.launch import Watch
from editbench.fleet.panel.plain import Plain
from editbench.fleet.panel.screen import screen
from editbench.fleet.panel.snapshot import Observer
from editbench.fleet.panel.text import Frame
from editbench.fleet.status import Event, RunStatus
from editbench.fleet.tracker import Tracker
from editbench.paths import RunPaths

FRAME = 0.25
"""Seconds between two frames: the ranks write their status no more often."""
UNATTENDED = ("CI", "SLURM_JOB_ID")
"""Environment variables that say that nobody watches the terminal."""


class Style(StrEnum):
    """How progress is shown; `auto` is live in a terminal and plain elsewhere."""

    AUTO = "auto"
    LIVE = "live"
    PLAIN = "plain"
    OFF = "off"


def settle(style: Style) -> Style:
    """What `auto` means here: live in a terminal that somebody watches, else plain."""
    if style != Style.AUTO:
        return style
    return Style.LIVE if console.out.is_terminal and not any(os.environ.get(name) for name in UNATTENDED) else Style.PLAIN


@contextmanager
def watching(style: Style, run: RunStatus, paths: RunPaths) -> Iterator[Watch]:
    """The `Watch` that shows the run in this style, for the time of the block."""
    style, observer = settle(style), Observer(run, paths)
    if style == Style.OFF:
        yield lambda _tracker, _events: None
        return
    shown = Plain(observer, console.say) if style == Style.PLAIN else Panel(observer, console.out)
    newest = Tracker(run.total, run.before)

    def watch(tracker: Tracker, events: list[Event]) -> None:
        nonlocal newest
        newest = tracker
        shown(tracker, events)

    try:
        yield watch
    finally:
        shown.end(newest)


class Panel:
    """A `Watch` that redraws the screen at most four times a second, from the thread that calls it."""

    def __init__(self, observer: Observer, out: Console) -> None:
        self._observer, self._out = observer, out
        self._size = out.size
        self._drawn = 0.0
        self._live = self._start()

    def __call__(self, tracker: Tracker, events: list[Event]) -> None:  # noqa: ARG002 - the tracker keeps them
        if time.monotonic() - self._drawn >= FRAME:
            self._draw(tracker)
            self._drawn = time.monotonic()

    def end(self, tracker: Tracker) -> None:
        """Take the panel away and leave its last frame, once."""
        self._live.stop()
        self._out.print(self._frame(tracker))

    def _draw(self, tracker: Tracker) -> None:
        if self._out.size != self._size:
            self._clear()
        self._live.update(self._frame(tracker), refresh=True)

    def _frame(self, tracker: Tracker) -> Frame:
        # A terminal echoes ^C at the end of the last line.
        return screen(self._observer.look(tracker), self._size.width - len("^C"), self._size.height - 1)

    def _clear(self) -> None:
        """A terminal of another width has wrapped the old frame anew, and nobody knows over how many lines."""
        self._live.stop()
        self._out.clear()
        self._size = self._out.size
        self._live = self._start()

    def _start(self) -> Live:
        live = Live(console=self._out, auto_refresh=False, transient=True, vertical_overflow="crop")
        live.start()
        return live
