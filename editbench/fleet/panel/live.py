"""Progress for people: a live panel in a terminal, plain lines elsewhere. Drawn by the launcher, or by `watch` from anywhere;
ranks print nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live

from editbench import console
from editbench.fleet.launch import Watch
from editbench.fleet.panel.plain import Plain
from editbench.fleet.panel.screen import screen
from editbench.fleet.panel.snapshot import Observer
from editbench.fleet.panel.text import Frame
from editbench.fleet.run_options import Style
from editbench.fleet.status import Event, RunStatus
from editbench.fleet.tracker import Tracker
from editbench.paths import RunPaths

FRAME = 0.25
"""Seconds between two frames: the ranks write their status no more often."""
UNATTENDED = ("CI", "SLURM_JOB_ID")
"""Environment variables that say that nobody watches the terminal."""


def resolved(style: Style) -> Style:
    """What `auto` means here: live in a terminal that somebody watches, else plain."""
    if style != Style.AUTO:
        return style
    return Style.LIVE if console.out.is_terminal and not any(os.environ.get(name) for name in UNATTENDED) else Style.PLAIN


@contextmanager
def watching(style: Style, run: RunStatus, paths: RunPaths, tracker: Tracker) -> Iterator[Watch]:
    """Shows the run in this style for the time of the block, as `tracker` has it whenever the returned `Watch` is called."""
    style, observer = resolved(style), Observer(run, paths, tracker)
    if style == Style.OFF:
        yield lambda _events: None
        return
    display = Plain(observer, console.say) if style == Style.PLAIN else Panel(observer, console.out)
    try:
        yield display
    finally:
        display.end()


class Panel:
    """A `Watch` that redraws the screen at most four times a second, from the thread that calls it."""

    def __init__(self, observer: Observer, out: Console) -> None:
        self._observer, self._out, self._drawn = observer, out, 0.0
        self._start()

    def __call__(self, events: list[Event]) -> None:  # noqa: ARG002 - the tracker has them
        if time.monotonic() - self._drawn < FRAME:
            return
        if self._out.size != self._size:
            # A terminal of another width has wrapped the old frame anew, and nobody knows over how many lines.
            self._live.stop()
            self._out.clear()
            self._start()
        self._live.update(self._frame(), refresh=True)
        self._drawn = time.monotonic()

    def end(self) -> None:
        """Take the panel away and leave its last frame, once."""
        self._live.stop()
        self._out.print(self._frame())

    def _frame(self) -> Frame:
        # A terminal echoes ^C at the end of the last line.
        return screen(self._observer.look(), self._size.width - len("^C"), self._size.height - 1)

    def _start(self) -> None:
        self._size = self._out.size
        self._live = Live(console=self._out, auto_refresh=False, transient=True, vertical_overflow="crop")
        self._live.start()
