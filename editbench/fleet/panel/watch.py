"""`editbench watch DIR`: the panel of a run, from any terminal that sees its folder. Reads `status/` and nothing else; writes
nothing, takes no lock."""

from __future__ import annotations

import time
from pathlib import Path

from editbench import console, errors
from editbench.errors import Interrupted, UserError
from editbench.fleet import status
from editbench.fleet.panel import live
from editbench.fleet.panel.screen import screen
from editbench.fleet.panel.snapshot import Observer
from editbench.fleet.panel.summary import summary
from editbench.fleet.run_options import Style
from editbench.fleet.status import RunStatus
from editbench.fleet.tracker import Tracker
from editbench.paths import RunPaths

NEXT_ATTEMPT = 3.0
"""Seconds within which a run that has lost ranks begins its next attempt."""
UNBOUNDED = 100
"""Lines of one frame that no terminal bounds."""


def watch(root: Path, *, style: Style = Style.AUTO, once: bool = False) -> None:
    """Show the run in `root` until it ends or Ctrl-C; with `once`, or when it has ended, show how it stands.

    Raises:
        UserError: `root` holds no status of a run.
    """
    paths = RunPaths(root)
    run = RunStatus.read(paths)
    if run is None:
        raise UserError(f"{paths.root} has no status of a run", "Name the folder that `edit` or `score` writes (its --out).")
    try:
        if once or run.ended is not None:
            _show(paths, run)
            return
        while run is not None:
            run = _follow(paths, run, style)
    except KeyboardInterrupt:
        return
    except Interrupted as error:
        if error.status != errors.SIGINT:
            raise


def _follow(paths: RunPaths, run: RunStatus, style: Style) -> RunStatus | None:
    """Show one attempt to its end; returns the run as its next attempt begins, None when there is none."""
    tracker = _tracked(paths, run)  # what went before is in its counts, and no news
    with live.watching(style, run, paths, tracker) as show:
        while run.ended is None:
            show(tracker.update(status.read_all(paths, run.attempt)))
            time.sleep(live.FRAME)
            newest = RunStatus.read(paths) or run
            if newest.attempt != run.attempt:
                return newest
            run.ended, run.outcome = newest.ended, newest.outcome
        show(tracker.update(status.read_all(paths, run.attempt)))
    console.show(summary(run, tracker.totals()))
    deadline = time.monotonic() + NEXT_ATTEMPT
    while run.outcome != status.FINISHED and time.monotonic() < deadline:
        time.sleep(live.FRAME)
        newest = RunStatus.read(paths) or run
        if newest.attempt != run.attempt:
            return newest
    return None


def _show(paths: RunPaths, run: RunStatus) -> None:
    tracker = _tracked(paths, run)
    height = console.out.size.height - 1 if console.out.is_terminal else UNBOUNDED
    console.show(screen(Observer(run, paths, tracker).look(), console.out.size.width, height))
    if run.ended is not None:
        console.show(summary(run, tracker.totals()))


def _tracked(paths: RunPaths, run: RunStatus) -> Tracker:
    tracker = Tracker(run.total, run.before)
    tracker.update(status.read_all(paths, run.attempt))
    return tracker
