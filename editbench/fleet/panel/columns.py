"""The table of ranks: a row a rank, columns that give way when the terminal is narrow, rows that fold when it is low."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from rich.cells import cell_len

from editbench.fleet import status
from editbench.fleet.panel.lines import Line, Piece, bar
from editbench.fleet.panel.snapshot import EDIT, Seen, Snapshot, seconds_a_sample
from editbench.fleet.panel.words import device, duration, fit, fit_middle, per_second, short
from editbench.fleet.status import Gpu
from editbench.printable import clean

GAP = 2
_GROWTH = (
    *(("progress", 8), ("device", 16), ("node", 14)),
    *(("sample", 16), ("progress", 12), ("sample", 32), ("progress", 24)),
)
"""Cells that names and the bar grow to, in this order, while there is room."""
_DRIVEN = ("gpu", "memory", "power", "temp")
"""What the driver said last of a rank that is gone is no longer true."""
_STYLES = {
    "editing": "cyan",
    "judging": "cyan",
    status.WORKING: "cyan",
    status.STARTING: "dim",
    status.LOADING: "blue",
    status.WAITING: "yellow",
    status.SYNCING: "yellow",
    status.FINISHED: "green",
    status.STOPPED: "yellow",
    "lost": "yellow",
    "stalled?": "bold yellow",
    status.STALLED: "bold yellow",
    status.DEAD: "bold red",
    status.GIVEN_UP: "bold red",
    status.FATAL: "bold red",
}
_WORST = (status.FATAL, status.GIVEN_UP, status.DEAD, status.STALLED, "stalled?", "lost", status.STOPPED)
FALLEN = (status.FATAL, status.GIVEN_UP, status.DEAD, status.STALLED)
"""States of a rank whose log says more."""


@dataclass(frozen=True, slots=True)
class _Column:
    """`width`: the least, beyond which names are cut. `yields`: the higher, the earlier it goes when there is no room; 0 never.

    `right`: holds numbers, which are never cut.
    """

    title: str
    cell: Callable[[Seen], str]
    width: int
    yields: int
    right: bool = True
    most: int = 0
    """Cells of the longest name, where it is known; the column does not grow beyond it."""


def rows(snapshot: Snapshot, width: int, height: int) -> list[Line]:
    """A heading and at most `height - 1` rows; what does not fit is one line of counts, the worst rows stay."""
    ranks = snapshot.ranks
    if not ranks or height < 2:
        return []
    shown, folded = ranks, []
    if len(ranks) > height - 1:
        ordered = sorted(ranks, key=lambda rank: _badness(snapshot, rank))
        shown, folded = ordered[: height - 2], ordered[height - 2 :]
    layout = _Layout(snapshot, width)
    found = [layout.heading(), *(layout.row(rank) for rank in shown)]
    return [*found, _fold(snapshot, folded)] if folded else found


def style_of(state: str) -> str:
    return _STYLES.get(state, "")


def _badness(snapshot: Snapshot, rank: Seen) -> tuple[int, float, int]:
    """Troubled ranks first, then the slowest; to two digits, so that rows don't change places at every frame."""
    state = snapshot.state(rank)
    trouble = _WORST.index(state) if state in _WORST else len(_WORST) + (state == status.FINISHED)
    return trouble, -float(f"{seconds_a_sample(rank.status) or math.inf:.1e}"), rank.status.rank


def _fold(snapshot: Snapshot, folded: list[Seen]) -> Line:
    states = Counter(snapshot.state(rank) for rank in folded)
    what = ", ".join(f"{count} {state}" for state, count in states.most_common())
    return [(f"   … {len(folded)} more: {what}", "dim")]


class _Layout:
    """The columns that fit into `width`, and how wide each is: as few as the stage and the devices have to show."""

    def __init__(self, snapshot: Snapshot, width: int) -> None:
        self._snapshot = snapshot
        self._label = {rank.status.rank: _label(snapshot, rank) for rank in snapshot.ranks}
        self._columns = _fitting(_columns(snapshot, self._label), width)
        self._widths = {column.title: column.width for column in self._columns}
        longest = {column.title: column.most for column in self._columns}
        room = width - _width(self._columns)
        for title, cells in _GROWTH:
            if title in self._widths:
                most = cells + _digits(snapshot) if title == "progress" else min(cells, longest[title] or cells)
                grown = min(max(self._widths[title], most), self._widths[title] + room)
                room -= grown - self._widths[title]
                self._widths[title] = grown

    def heading(self) -> Line:
        titles = [fit(column.title, self._widths[column.title], right=column.right) for column in self._columns]
        return [((" " * GAP).join(titles).rstrip(), "dim")]

    def row(self, rank: Seen) -> Line:
        state = self._snapshot.state(rank)
        line: Line = []
        told = state in _WORST and bool(rank.status.message)
        for column in self._columns:
            if told and column.title == "progress":
                continue  # what happened takes the place of the sample and its bar
            if line:
                line.append((" " * GAP, ""))
            width = self._widths[column.title]
            if told and column.title == "sample":
                width += GAP + self._widths["progress"] if "progress" in self._widths else 0
                line.append((fit(clean(rank.status.message), width), style_of(state)))
            elif column.title == "progress":
                line += _progress(rank, width, _digits(self._snapshot))
            else:
                line.append(self._cell(column, rank, state, width))
        return line

    def _cell(self, column: _Column, rank: Seen, state: str, width: int) -> Piece:
        style = style_of(state) if column.title == "state" else _dimmed(column.title, state)
        if column.title == "sample":
            return fit_middle(column.cell(rank), width), style
        stale = column.title in _DRIVEN and state in (*_WORST, *status.ENDED)
        return fit("" if stale else column.cell(rank), width, right=column.right), style


def _dimmed(title: str, state: str) -> str:
    """Only what changes, and only of ranks that work, is bright."""
    return "" if state in ("editing", "judging", status.WORKING) and title not in ("rank", "node", "device") else "dim"


def _columns(snapshot: Snapshot, labels: dict[int, str]) -> list[_Column]:
    ranks = [rank.status for rank in snapshot.ranks]
    names = {rank.rank: device(rank.device, rank.gpu.name if rank.gpu else None) for rank in ranks}
    node, kind = _longest(clean(rank.host) for rank in ranks), _longest(names.values())
    state = min(max(8, _longest(labels.values())), 20)
    several, ended = len({rank.host for rank in ranks}) > 1, snapshot.run.ended is not None
    stepping = snapshot.run.stage == EDIT and not ended
    found = [
        _Column("rank", lambda rank: str(rank.status.rank), 4, 0),
        _Column("node", lambda rank: clean(rank.status.host), min(node, 6), 6, right=False, most=node) if several else None,
        _Column("device", lambda rank: names[rank.status.rank], 6, 4, right=False, most=kind),
        _Column("state", lambda rank: labels[rank.status.rank], state, 0, right=False),
        _Column("sample", lambda rank: clean(rank.status.held), 10, 0, right=False),
        _Column("progress", str, 4 + _digits(snapshot), 1, right=False) if stepping else None,
        _Column("speed", _pace, 9, 8) if stepping else None,
        _Column("done", lambda rank: str(rank.status.done), 5, 0),
        _Column("failed", lambda rank: str(rank.status.failed or ""), 6, 7) if any(rank.failed for rank in ranks) else None,
        _Column("s/sample", _seconds, 8, 3),
    ]
    if not ended and any(rank.gpu and _measured(rank.gpu) for rank in ranks):
        found += [
            _Column("gpu", _gpu(lambda gpu: gpu.utilisation, "{:.0f} %"), 5, 2),
            _Column("memory", _memory, 10, 9),
            _Column("power", _gpu(lambda gpu: gpu.power, "{:.0f} W"), 6, 11),
            _Column("temp", _gpu(lambda gpu: gpu.temperature, "{:.0f} °C"), 6, 10),
        ]
    return [_wide_enough(column, snapshot.ranks) for column in found if column]


def _wide_enough(column: _Column, ranks: list[Seen]) -> _Column:
    if not column.right:
        return column
    return replace(column, width=max(column.width, *(len(column.cell(rank)) for rank in ranks)))


def _fitting(columns: list[_Column], width: int) -> list[_Column]:
    while _width(columns) > width and any(column.yields for column in columns):
        columns = [column for column in columns if column.yields != max(column.yields for column in columns)]
    return columns


def _width(columns: list[_Column]) -> int:
    return sum(column.width for column in columns) + GAP * (len(columns) - 1)


def _longest(texts: Iterable[str]) -> int:
    return max(map(cell_len, texts), default=0)


def _label(snapshot: Snapshot, rank: Seen) -> str:
    state = snapshot.state(rank)
    return f"{state} {duration(rank.silent)}" if state == "stalled?" else state


def _digits(snapshot: Snapshot) -> int:
    """Cells of ` 28/40`."""
    steps = max((len(str(rank.status.steps)) for rank in snapshot.ranks), default=1)
    return 2 * max(steps, 2) + 2


def _progress(rank: Seen, width: int, digits: int) -> Line:
    now = rank.status
    if not now.steps or now.state in (status.LOADING, status.STARTING, *status.ENDED):
        return [(" " * width, "")]
    text = f"{now.step:>{len(str(now.steps))}}/{now.steps}"
    return [*bar(width - digits, now.steps, [(min(now.step, now.steps), "cyan")]), (fit(text, digits, right=True), "")]


def _pace(rank: Seen) -> str:
    return per_second(rank.rate, "it") if rank.rate else ""


def _seconds(rank: Seen) -> str:
    seconds = seconds_a_sample(rank.status)
    return "" if seconds is None else short(seconds)


def _measured(gpu: Gpu) -> bool:
    return any(value is not None for value in (gpu.utilisation, gpu.memory_used, gpu.power, gpu.temperature))


def _gpu(value: Callable[[Gpu], float | None], form: str) -> Callable[[Seen], str]:
    def cell(rank: Seen) -> str:
        found = value(rank.status.gpu) if rank.status.gpu else None
        return "" if found is None else form.format(found)

    return cell


def _memory(rank: Seen) -> str:
    gpu = rank.status.gpu
    if gpu is None or gpu.memory_used is None or gpu.memory_total is None:
        return ""
    return f"{gpu.memory_used / 2**30:.0f}/{gpu.memory_total / 2**30:.0f} GB"
