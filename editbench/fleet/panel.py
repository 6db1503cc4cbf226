"""Progress for people: bars in a terminal, plain lines elsewhere. Drawn from the ranks' status files alone, by the launcher
alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from editbench import console
from editbench.fleet.launch import Watch
from editbench.fleet.status import Event, RankStatus
from editbench.fleet.tracker import Tracker


class Style(StrEnum):
    AUTO = "auto"
    LIVE = "live"
    PLAIN = "plain"
    OFF = "off"


Describe = Callable[[list[Event]], Iterable[str]]
"""The lines to show for samples that are through."""

PLAIN_SECONDS, PLAIN_SHARE = 30.0, 0.05


@contextmanager
def watching(style: Style, title: str, describe: Describe) -> Iterator[Watch]:
    """The `Watch` that draws a run in this style, for the time of the block."""
    if style == Style.AUTO:
        live = console.out.is_terminal and not any(name in os.environ for name in ("CI", "SLURM_JOB_ID"))
        style = Style.LIVE if live else Style.PLAIN
    if style == Style.OFF:
        yield lambda _tracker, _events: None
    elif style == Style.PLAIN:
        yield _Plain(title, describe)
    else:
        with _bars() as progress:
            yield _Live(progress, title, describe)


class _Plain:
    """A line at the start, every 30 s or 5 %, for each sample worth one, and at the end."""

    def __init__(self, title: str, describe: Describe) -> None:
        self._title, self._describe = title, describe
        self._said: tuple[float, int] | None = None

    def __call__(self, tracker: Tracker, events: list[Event]) -> None:
        for line in self._describe(events):
            console.say(line)
        through = tracker.done + tracker.failed
        if self._said is None or self._due(tracker, through):
            console.say(f"{self._title}: {_counts(tracker)}")
            self._said = (tracker.seconds, through)

    def _due(self, tracker: Tracker, through: int) -> bool:
        then, said = self._said or (0.0, 0)
        moved = through - said >= max(1, PLAIN_SHARE * tracker.total)
        return moved or tracker.seconds - then >= PLAIN_SECONDS


class _Live:
    """A bar for the whole, and one a rank with its denoising steps; lines of samples scroll above."""

    def __init__(self, progress: Progress, title: str, describe: Describe) -> None:
        self._progress, self._describe = progress, describe
        self._whole = progress.add_task(title, total=None, detail="")
        self._ranks: dict[int, TaskID] = {}

    def __call__(self, tracker: Tracker, events: list[Event]) -> None:
        for line in self._describe(events):
            console.say(line)
        failed = f"{tracker.failed} failed" if tracker.failed else ""
        self._progress.update(self._whole, total=tracker.total, completed=tracker.done + tracker.failed, detail=failed)
        for rank in tracker.ranks:
            self._show(rank)

    def _show(self, rank: RankStatus) -> None:
        if rank.rank not in self._ranks:
            self._ranks[rank.rank] = self._progress.add_task(f"rank {rank.rank}", total=None, detail="")
        doing = f"{rank.state} {console.text(rank.held)}" if rank.held else rank.state
        total = rank.steps or (1 if rank.state == "finished" else None)
        completed = rank.step if rank.steps else total or 0
        self._progress.update(self._ranks[rank.rank], total=total, completed=completed, detail=doing)


def _bars() -> Progress:
    detail = TextColumn("{task.fields[detail]}")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    return Progress(*columns, detail, console=console.out, refresh_per_second=5)


def _counts(tracker: Tracker) -> str:
    text = f"{tracker.done} of {tracker.total} done"
    if tracker.failed:
        text += f", {tracker.failed} failed"
    if tracker.through:
        pace = tracker.seconds / tracker.through
        left = max(0, tracker.total - tracker.done - tracker.failed)
        text += f", {pace:.2f} s/sample, about {left * pace:.0f} s left"
    return text
