"""The table of ranks: a row a rank. Columns go when the terminal is narrow, rows fold into one when it is low."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.text import Text

from editbench.fleet import status
from editbench.fleet.panel.snapshot import EDIT, RankView, Snapshot, seconds_a_sample
from editbench.fleet.panel.text import bar, device, duration, fit, fit_middle, per_second, short
from editbench.fleet.status import Gpu
from editbench.printable import clean

GAP = "  "
_GROWING = ("node", "device", "sample", "progress")
"""Columns that are as narrow as they may be, and grow: names, whose cells are cut where they don't fit, and the bar. Numbers
and states never are cut."""
_LEFT = (*_GROWING, "state")
_ITEM = ("sample", "progress", "steps")
"""Columns in whose place a troubled rank has its message."""
_GROWTH = (
    *(("progress", 8), ("device", 16), ("node", 14)),
    *(("sample", 16), ("progress", 12), ("sample", 32), ("progress", 24)),
)
"""Cells that names and the bar grow to, in this order, while there is room."""
STYLES = {
    **dict.fromkeys(("editing", "judging", status.WORKING), "cyan"),
    **dict.fromkeys((status.WAITING, status.SYNCING, status.STOPPED, "lost"), "yellow"),
    **dict.fromkeys(("stalled?", status.STALLED), "bold yellow"),
    **dict.fromkeys((status.DEAD, status.GIVEN_UP, status.FATAL), "bold red"),
    status.STARTING: "dim",
    status.LOADING: "blue",
    status.FINISHED: "green",
}
_TROUBLED = (status.FATAL, status.GIVEN_UP, status.DEAD, status.STALLED, "stalled?", "lost", status.STOPPED)
"""Worst first."""
FALLEN = (status.FATAL, status.GIVEN_UP, status.DEAD, status.STALLED)
"""States of a rank whose log says more."""
_IDLE = (status.LOADING, status.STARTING, *status.ENDED)


@dataclass(frozen=True, slots=True)
class _Column:
    """`cells`: a text for each rank; `yields`: the higher, the earlier the column goes when there is no room; 0 never."""

    title: str
    width: int
    yields: int
    cells: list[str]


def table(snapshot: Snapshot, width: int, height: int) -> list[Text]:
    """A heading and at most `height - 1` rows; what does not fit is one line of counts, the worst rows stay."""
    ranks = snapshot.ranks
    if not ranks or height < 2:
        return []
    shown, folded = list(range(len(ranks))), list[int]()
    if len(ranks) > height - 1:
        shown.sort(key=lambda index: _badness(snapshot, ranks[index]))
        shown, folded = shown[: height - 2], shown[height - 2 :]
    columns = _fitting(_columns(snapshot), width)
    titles = [column.title if len(column.title) <= column.width else "" for column in columns]
    heading = [fit(title, column.width, right=title not in _LEFT) for title, column in zip(titles, columns, strict=True)]
    lines = [Text(GAP.join(heading).rstrip(), "dim"), *(_row(snapshot, columns, index) for index in shown)]
    if folded:
        states = Counter(snapshot.state(ranks[index]) for index in folded).most_common()
        lines.append(Text(f"   … {len(folded)} more: {', '.join(f'{count} {state}' for state, count in states)}", "dim"))
    return lines


def _badness(snapshot: Snapshot, rank: RankView) -> tuple[int, float, int]:
    """Troubled ranks first, then the slowest; to two digits, so that rows don't change their order at every frame."""
    state = snapshot.state(rank)
    trouble = _TROUBLED.index(state) if state in _TROUBLED else len(_TROUBLED) + (state == status.FINISHED)
    return trouble, -float(f"{seconds_a_sample(rank.status) or math.inf:.1e}"), rank.status.rank


def _row(snapshot: Snapshot, columns: list[_Column], index: int) -> Text:
    rank = snapshot.ranks[index].status
    state = snapshot.state(snapshot.ranks[index])
    message = clean(rank.message) if state in _TROUBLED else ""
    works = state in ("editing", "judging", status.WORKING)  # only what changes, and only of such a rank, is bright
    cells = []
    for column in columns:
        style = "" if works and column.title not in ("rank", "node", "device") else "dim"
        if message and column.title in _ITEM:
            if column.title == "sample":
                widths = [other.width for other in columns if other.title in _ITEM]
                cells.append(Text(fit(message, sum(widths) + len(GAP) * (len(widths) - 1)), STYLES.get(state, "")))
        elif column.title == "progress" and column.cells[index]:
            cells.append(bar(column.width, rank.steps, [(min(rank.step, rank.steps), "cyan")]))
        elif column.title == "sample":
            cells.append(Text(fit_middle(column.cells[index], column.width), style))
        else:
            text = fit(column.cells[index], column.width, right=column.title not in _LEFT)
            cells.append(Text(text, STYLES.get(state, "") if column.title == "state" else style))
    return Text(GAP).join(cells)


def _fitting(columns: list[_Column], width: int) -> list[_Column]:
    """The columns that `width` has room for, names and bars grown into what is left of it."""
    while True:
        room = width - sum(column.width for column in columns) - len(GAP) * (len(columns) - 1)
        first = max(column.yields for column in columns)
        if room >= 0 or not first:
            break
        columns = [column for column in columns if column.yields != first]
    fitted = {column.title: column for column in columns}
    for title, limit in _GROWTH:
        if column := fitted.get(title):
            longest = limit if title in _ITEM else max(map(cell_len, column.cells))  # names of samples change all the time
            growth = max(0, min(room, min(limit, longest) - column.width))
            fitted[title], room = replace(column, width=column.width + growth), room - growth
    return list(fitted.values())


def _columns(snapshot: Snapshot) -> list[_Column]:
    """All columns that the stage and the devices have something for."""
    ranks = [view.status for view in snapshot.ranks]
    running = snapshot.run.ended is None
    edits = running and snapshot.run.stage == EDIT
    nodes = len({rank.host for rank in ranks}) > 1
    steps = [f"{rank.step}/{rank.steps}" if rank.steps and rank.state not in _IDLE else "" for rank in ranks]
    seconds = [seconds_a_sample(rank) for rank in ranks]
    # What the driver says of the device of a rank that no longer works is no longer true.
    gone = (*_TROUBLED, *status.ENDED)
    gpus = [view.status.gpu if running and snapshot.state(view) not in gone else None for view in snapshot.ranks]
    memory = [_memory(gpu) for gpu in gpus]
    utilisation, power = _figures(gpus, "utilisation", "{:.0f} %"), _figures(gpus, "power", "{:.0f} W")
    temperature = _figures(gpus, "temperature", "{:.0f} °C")
    told = any((*utilisation, *memory, *power, *temperature))
    columns = (
        ("rank", 4, 0, True, [str(rank.rank) for rank in ranks]),
        ("node", 6, 6, nodes, [clean(rank.host) for rank in ranks]),
        ("device", 6, 4, True, [device(rank.device, rank.gpu) for rank in ranks]),
        ("state", 8, 0, True, [_state(snapshot, view) for view in snapshot.ranks]),
        ("sample", 10, 0, True, [clean(rank.item) for rank in ranks]),
        ("progress", 3, 1, edits, steps),
        ("steps", 5, 1, edits, steps),
        ("speed", 9, 8, edits, [per_second(view.rate, "it", "it") if view.rate else "" for view in snapshot.ranks]),
        ("done", 5, 0, True, [str(rank.done) for rank in ranks]),
        ("failed", 6, 7, any(rank.failed for rank in ranks), [str(rank.failed or "") for rank in ranks]),
        ("s/sample", 8, 3, True, ["" if value is None else short(value) for value in seconds]),
        ("gpu", 5, 2, told, utilisation),
        ("memory", 10, 9, told, memory),
        ("power", 6, 11, told, power),
        ("temp", 6, 10, told, temperature),
    )
    return [
        _Column(title, least if title in _GROWING else max(least, *map(cell_len, cells)), yields, cells)
        for title, least, yields, shown, cells in columns
        if shown
    ]


def _state(snapshot: Snapshot, rank: RankView) -> str:
    state = snapshot.state(rank)
    return f"{state} {duration(rank.silent)}" if state == "stalled?" else state


def _figures(gpus: list[Gpu | None], name: str, form: str) -> list[str]:
    values = [getattr(gpu, name, None) for gpu in gpus]
    return ["" if value is None else form.format(value) for value in values]


def _memory(gpu: Gpu | None) -> str:
    if gpu is None or gpu.memory_used is None or gpu.memory_total is None:
        return ""
    return f"{gpu.memory_used / 2**30:.0f}/{gpu.memory_total / 2**30:.0f} GB"
