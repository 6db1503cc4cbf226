"""What a judge says, as it comes: the means by category and the last scores."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len

from editbench.fleet.panel.lines import Line, spread, width_of
from editbench.fleet.panel.snapshot import Snapshot
from editbench.fleet.panel.words import fit, why
from editbench.fleet.status import Event
from editbench.printable import clean
from editbench.records import OK

BESIDE = 108
"""From this width on the means stand beside the scores, not above them."""
_NAME, _KEY, _GAP = 14, 24, 2
_ALL = "all"

Scale = tuple[float, float] | None


def scoreboard(snapshot: Snapshot, width: int, height: int) -> list[Line]:
    """At most `height` lines."""
    if height < 2 or not (snapshot.scores or snapshot.latest):
        return []
    means = _cells(snapshot)
    if width >= BESIDE:
        left = [[("means", "dim")], *means]
        pane = max(map(width_of, left)) + 2 * _GAP
        right = _latest(snapshot, width - pane, height)
        left = _first(left, height)
        left += [[]] * (len(right) - len(left))
        right += [[]] * (len(left) - len(right))
        return [_beside(*pair, pane) for pair in zip(left, right, strict=True)]
    grid = _first(_grid(means, width), max(2, height // 3))
    latest = _latest(snapshot, width, height - len(grid) - 1)
    return [*grid, [], *latest] if latest else grid


def colour(score: float, scale: Scale) -> str:
    """Red, yellow, green for the thirds of the rubric's scale; none where the scale is unknown."""
    if scale is None or scale[1] <= scale[0]:
        return ""
    share = (score - scale[0]) / (scale[1] - scale[0])
    return "red" if share < 1 / 3 else "yellow" if share < 2 / 3 else "green"


def _means(snapshot: Snapshot) -> Iterator[tuple[str, int, float]]:
    """(category, n, mean), by name; first of all samples, which is no mean of the means."""
    there = {name: found for name, found in sorted(snapshot.scores.items()) if found[0]}
    if len(there) > 1:
        number = sum(count for count, _ in there.values())
        yield _ALL, int(number), sum(total for _, total in there.values()) / number
    for name, (count, total) in there.items():
        yield clean(name), int(count), total / count


def _cells(snapshot: Snapshot) -> list[Line]:
    """A cell a mean, all of one width."""
    means, scale = list(_means(snapshot)), snapshot.scale
    name = min(max((cell_len(name) for name, _, _ in means), default=0), _NAME)
    digits = max((len(str(number)) for _, number, _ in means), default=0)
    return [
        [
            (fit(category, name), "bold" if category == _ALL else ""),
            (f"{mean:7.2f}", colour(mean, scale) or ("bold" if category == _ALL else "")),
            (f"  n {number:>{digits}}", "dim"),
        ]
        for category, number, mean in means
    ]


def _grid(cells: list[Line], width: int) -> list[Line]:
    """Cells of one width, side by side, in reading order."""
    if not cells:
        return []
    across = max(1, (width + _GAP) // (width_of(cells[0]) + _GAP))
    lines = []
    for start in range(0, len(cells), across):
        line: Line = []
        for cell in cells[start : start + across]:
            line += [(" " * _GAP, ""), *cell] if line else cell
        lines.append(line)
    return lines


def _first(lines: list[Line], height: int) -> list[Line]:
    if len(lines) <= height:
        return lines
    return [*lines[: height - 1], [(f"… {len(lines) - height + 1} more", "dim")]]


def _beside(left: Line, right: Line, pane: int) -> Line:
    return [*spread(left, [], pane), *right]


def _latest(snapshot: Snapshot, width: int, height: int) -> list[Line]:
    """A heading and the last scores, newest last."""
    events = snapshot.latest[-(height - 1) :] if height > 1 else []
    if not events:
        return []
    key = min(max(cell_len(clean(event.key)) for event in snapshot.latest), _KEY)
    heading = fit("score", 6, right=True) + f"  {fit('category', _NAME)}  {fit('sample', key)}  " + "what the judge says"
    return [[(fit(heading, width), "dim")], *(_score(event, key, snapshot.scale) for event in events)]


def _score(event: Event, key: int, scale: Scale) -> Line:
    number = ("     -", "dim") if event.score is None else (f"{event.score:6.2f}", colour(event.score, scale))
    about = f"  {fit(clean(event.category), _NAME)}  {fit(clean(event.key), key)}  "
    note = (clean(event.note), "dim") if event.status == OK else (why(event), "yellow")
    return [number, (about, ""), note]
