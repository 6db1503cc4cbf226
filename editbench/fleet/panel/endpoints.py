"""A served judge's endpoints in place of ranks: the table while it runs and at its end, and what is wrong with those that fail.

endpoint    state    in flight  latency  tok/s  errors  done
node1:8000  judging         16    2.6 s    412       0   133
node2:8000  dead             0    2.4 s    398      16    87
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from editbench.fleet import status
from editbench.fleet.panel.ranks import GAP, STYLES
from editbench.fleet.panel.snapshot import RankView, Snapshot
from editbench.fleet.panel.text import fit, fit_middle, percent, short
from editbench.fleet.status import EndpointLoad, RankStatus
from editbench.printable import clean

_LEAST, _MOST = 8, 32
"""Cells of a name, however little room there is, or however much."""
_LOAD = ("latency", "tok/s", "errors", "done")


def table(snapshot: Snapshot, width: int, height: int) -> list[Text]:
    """A heading and at most `height - 1` rows; of more endpoints those stay that fail, then those with most errors."""
    views = snapshot.ranks
    if not views or height < 2:
        return []
    hidden = 0
    if len(views) > height - 1:
        views, hidden = sorted(views, key=_badness)[: height - 2], len(views) - height + 2
    states = [snapshot.state(view) for view in views]
    figures = [(str(_load(view.status).in_flight), *_figures(view.status)) for view in views]
    lines = _lines(("state", "in flight", *_LOAD), [view.status for view in views], states, figures, width)
    return [*lines, Text(f"… {hidden} more", "dim")] if hidden else lines


def failing(snapshot: Snapshot) -> list[Text]:
    """The last error of each endpoint that has had no reply since."""
    return [
        Text.assemble(("failing ", "red"), f"{clean(view.status.device)}  ", (clean(view.status.message), "red"))
        for view in snapshot.ranks
        if view.status.message
    ]


def summary(endpoints: Sequence[RankStatus], wall: float) -> list[Text]:
    """The table at the end of a run of `wall` seconds. Busy: the share of them in which an endpoint had a request."""
    busy = [min(1.0, endpoint.seconds.get("computing", 0.0) / wall) for endpoint in endpoints]
    figures = [(*_figures(one), percent(round(1000 * share), 1000)) for one, share in zip(endpoints, busy, strict=True)]
    return _lines((*_LOAD, "busy"), endpoints, [], figures)


def _badness(view: RankView) -> tuple[bool, bool, int, int]:
    return view.status.state != status.DEAD, not view.status.message, -_load(view.status).errors, view.status.rank


def _load(endpoint: RankStatus) -> EndpointLoad:
    return endpoint.endpoint or EndpointLoad()


def _figures(endpoint: RankStatus) -> tuple[str, ...]:
    load = _load(endpoint)
    latency = f"{short(load.latency)} s" if load.latency else "-"
    return latency, f"{load.tokens_per_second:.0f}", str(load.errors), str(endpoint.done)


def _lines(
    titles: Sequence[str],
    endpoints: Sequence[RankStatus],
    states: Sequence[str],
    figures: Sequence[Sequence[str]],
    width: float = math.inf,
) -> list[Text]:
    """A heading and a row an endpoint: its name, which is cut in the middle where there is no room, its state, its figures."""
    names = [clean(endpoint.device) for endpoint in endpoints]
    cells = [[*([state] if states else []), *row] for state, row in zip(states or names, figures, strict=True)]
    widths = [max(map(cell_len, column)) for column in zip(titles, *cells, strict=True)]
    room = width - sum(widths) - len(GAP) * len(widths)
    name = int(max(_LEAST, min(room, _MOST, max(map(cell_len, ("endpoint", *names))))))

    def line(first: str, row: Sequence[str]) -> list[Text]:
        rest = (Text(fit(text, wide, right=title != "state")) for title, text, wide in zip(titles, row, widths, strict=True))
        return [Text(fit_middle(first, name)), *rest]

    heading = Text(GAP).join(line("endpoint", titles))
    heading.stylize("dim")
    rows = [line(first, row) for first, row in zip(names, cells, strict=True)]
    for row, state in zip(rows, states, strict=False):
        row[1].stylize(STYLES.get(state, ""))
    return [heading, *(Text(GAP).join(row) for row in rows)]
