"""A judge's scores as they come: the means by category and the last scores."""

from __future__ import annotations

from itertools import zip_longest

from rich.cells import cell_len
from rich.text import Text

from editbench.fleet.panel.snapshot import Snapshot
from editbench.fleet.panel.text import fit, why
from editbench.fleet.status import Event
from editbench.printable import clean
from editbench.records import OK

BESIDE = 108
"""From this width on the means stand beside the scores, not above them."""
_NAME, _KEY, _GAP = 14, 24, 2
_ALL = "all"


def scoreboard(snapshot: Snapshot, width: int, height: int) -> list[Text]:
    """At most `height` lines of at most `width` cells, but for the notes of the judge, which may be longer."""
    means = _means(snapshot)
    if height < 2 or not (means or snapshot.tracker.latest):
        return []
    if width >= BESIDE:
        left = _first([Text("means", "dim"), *means], height)
        pane = max(line.cell_len for line in left) + 2 * _GAP
        pairs = zip_longest(left, _latest(snapshot, height), fillvalue=Text())
        return [Text.assemble(mean, " " * (pane - mean.cell_len), score) for mean, score in pairs]
    across = max(1, (width + _GAP) // (means[0].cell_len + _GAP)) if means else 1
    grid = [Text(" " * _GAP).join(means[start : start + across]) for start in range(0, len(means), across)]
    grid = _first(grid, max(2, height // 3))
    latest = _latest(snapshot, height - len(grid) - 1)
    return [*grid, Text(), *latest] if latest else grid


def colour(score: float, scale: list[float] | None) -> str:
    """Red, yellow, green for the thirds of the rubric's scale, [lowest, highest]; none where the scale is unknown."""
    if scale is None or scale[1] <= scale[0]:
        return ""
    share = (score - scale[0]) / (scale[1] - scale[0])
    return "red" if share < 1 / 3 else "yellow" if share < 2 / 3 else "green"


def _means(snapshot: Snapshot) -> list[Text]:
    """A line a category, all of one width; first that of all samples, which is no mean of the means."""
    scores = [(clean(name), number, total) for name, (number, total) in sorted(snapshot.scores.items()) if number]
    if len(scores) > 1:
        scores = [(_ALL, sum(number for _, number, _ in scores), sum(total for *_, total in scores)), *scores]
    width = min(max((cell_len(name) for name, *_ in scores), default=0), _NAME)
    digits = max((len(f"{number:.0f}") for _, number, _ in scores), default=0)
    lines = []
    for name, number, total in scores:
        bold = "bold" if name == _ALL else ""
        mean = (f"{total / number:7.2f}", colour(total / number, snapshot.run.scale) or bold)
        lines.append(Text.assemble((fit(name, width), bold), mean, (f"  n {number:>{digits}.0f}", "dim")))
    return lines


def _first(lines: list[Text], height: int) -> list[Text]:
    if len(lines) <= height:
        return lines
    return [*lines[: height - 1], Text(f"… {len(lines) - height + 1} more", "dim")]


def _latest(snapshot: Snapshot, height: int) -> list[Text]:
    """A heading and the last scores, newest last."""
    events = list(snapshot.tracker.latest)
    if not events or height < 2:
        return []
    width = min(max(cell_len(clean(event.key)) for event in events), _KEY)
    heading = Text(f" score  {fit('category', _NAME)}  {fit('sample', width)}  what the judge says", "dim")
    return [heading, *(_score(event, width, snapshot.run.scale) for event in events[1 - height :])]


def _score(event: Event, width: int, scale: list[float] | None) -> Text:
    number = ("     -", "dim") if event.score is None else (f"{event.score:6.2f}", colour(event.score, scale))
    note = (clean(event.note), "dim") if event.status == OK else (why(event), "yellow")
    return Text.assemble(number, f"  {fit(clean(event.category), _NAME)}  {fit(clean(event.key), width)}  ", note)
