"""The charts as files for papers and slides: SVG and PNG, drawn with matplotlib.

Equal input gives equal bytes with one version of matplotlib and the same fonts. In SVG text stays text, so that it can be
edited and searched. A PNG shows Chinese names where the machine has a font for them.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

from editbench.errors import UserError
from editbench.printable import clean
from editbench.report.render import fonts
from editbench.report.statistics.aggregate import Macro, RunSummary, Summary
from editbench.report.statistics.comparison import Comparison, Difference

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MEANS, SCORES, DIFFERENCES = NAMES = ("means", "scores", "differences")
DPI = 200
"""Dots per inch of a PNG."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Colours of runs, which the colour-blind can tell apart (Okabe and Ito 2008, "Color Universal Design")."""

_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "editbench",
    "text.parse_math": False,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}
_MOST_RUNS = 8
"""Side by side in one chart; with more, the first ones of the leaderboard are drawn."""
_LONGEST = 60
"""Characters of a name that is shown whole; a longer one would leave no room for the chart."""


def render(boards: Sequence[Sequence[RunSummary]], comparisons: Sequence[Comparison]) -> tuple[dict[str, bytes], list[str]]:
    """File contents by name, and what is wrong with them in sentences: names for which this machine has no font.

    The files are `means.svg`, `means.png`, `scores.*`, and `differences.*` where runs are compared. Runs of a second
    leaderboard, which can't be compared with those of the first, are in `means-2.*` and `scores-2.*`.

    Args:
        boards: runs of each leaderboard, the best first.

    Raises:
        UserError: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise UserError("figures need matplotlib", "Install it with: pip install 'editbench[report]'") from None
    runs = [run for board in boards for run in board]
    chosen, missing = fonts.families("".join([*_categories(runs), *(run.label for run in runs)]))
    # matplotlib would tell of a missing character for every time that it is drawn.
    with matplotlib.rc_context({**_STYLE, "font.family": chosen}), warnings.catch_warnings(action="ignore"):
        files = {f"{name}.{kind}": data for name, figure in _figures(boards, comparisons) for kind, data in _saved(figure)}
    return files, [fonts.lacking(missing)] if missing else []


def _figures(boards: Sequence[Sequence[RunSummary]], comparisons: Sequence[Comparison]) -> Iterator[tuple[str, Figure]]:
    for number, runs in enumerate(boards, 1):
        suffix = f"-{number}" if number > 1 else ""
        yield f"{MEANS}{suffix}", _means(runs[:_MOST_RUNS])
        yield f"{SCORES}{suffix}", _scores(runs[:_MOST_RUNS])
    if comparisons:
        yield DIFFERENCES, _differences(comparisons[:_MOST_RUNS])


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height))


def _saved(figure: Figure) -> Iterator[tuple[str, bytes]]:
    """(format, contents of the file). Canvases are drawn directly: `savefig` draws twice, the layout of the first does."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    svg, png = io.BytesIO(), io.BytesIO()
    FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None})
    figure.set_layout_engine("none")
    figure.set_dpi(DPI)
    FigureCanvasAgg(figure).print_png(png, metadata={"Software": None})
    yield from {"svg": svg.getvalue(), "png": png.getvalue()}.items()


def _means(runs: Sequence[RunSummary]) -> Figure:
    """Means with 95 % intervals: a line a category, a colour a run."""
    names = _categories(runs)
    rows = [*names, "micro", "macro"]
    figure = _figure(6, 0.9 + 0.13 * len(rows) * (len(runs) + 1.5))
    axes = figure.subplots()
    for number, run in enumerate(runs):
        _dots(axes, [*map(run.categories.get, names), run.micro, run.macro], number, len(runs))
    _label_rows(axes, rows)
    axes.axhline(len(names) - 0.5, color="0.8", linewidth=0.8)
    axes.set_xlabel("mean score with 95 % interval")
    if scale := runs[0].facts.rubric.scale:
        axes.set_xlim(*scale)
    _legend(figure, runs)
    return figure


def _dots(axes: Axes, summaries: Sequence[Summary | Macro | None], number: int, count: int) -> None:
    """The means of run `number` of `count`, a row each; None leaves a row empty."""
    shift, colour = 0.6 * ((number + 0.5) / count - 0.5), COLOURS[number % len(COLOURS)]
    known = [(row + shift, summary) for row, summary in enumerate(summaries) if summary and summary.mean is not None]
    axes.plot([summary.mean or 0.0 for _, summary in known], [y for y, _ in known], "o", color=colour, markersize=4)
    for y, summary in known:
        if summary.interval:
            axes.plot(summary.interval, [y, y], color=colour, linewidth=1.2)


def _scores(runs: Sequence[RunSummary]) -> Figure:
    """How the scores are distributed: a panel a category, a line a run."""
    names = _categories(runs)
    columns = min(3, max(1, len(names)))
    rows = -(-len(names) // columns) or 1
    figure = _figure(2.2 * columns, 0.5 + 1.4 * rows)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for index, (panel, name) in enumerate(zip_longest(panels, names)):
        if name is None:
            panel.set_axis_off()
            continue
        panel.set_title(_shortened(name))
        panel.tick_params(labelbottom=index + columns >= len(names))  # the lowest of each column
        for number, run in enumerate(runs):
            _steps(panel, run, name, COLOURS[number % len(COLOURS)])
    figure.supxlabel("score", fontsize=9)
    figure.supylabel("share of samples", fontsize=9)
    _legend(figure, runs)
    return figure


def _steps(panel: Axes, run: RunSummary, name: str, colour: str) -> None:
    counts = run.histogram.counts.get(name, ())
    if total := sum(counts):
        panel.stairs([count / total for count in counts], run.histogram.edges, color=colour)


def _differences(comparisons: Sequence[Comparison]) -> Figure:
    """Paired differences with 95 % intervals: a panel a pair of runs."""
    tables = [list(_rows(comparison)) for comparison in comparisons]
    figure = _figure(6, 0.6 + sum(0.55 + 0.22 * len(rows) for rows in tables))
    ratios = [len(rows) + 1 for rows in tables]
    panels = figure.subplots(len(tables), 1, squeeze=False, sharex=True, height_ratios=ratios).ravel()
    for panel, comparison, rows in zip(panels, comparisons, tables, strict=True):
        panel.set_title(" minus ".join(map(_shortened, reversed(comparison.runs))))
        panel.axvline(0, color="0.6", linewidth=0.8)
        for y, (_, row) in enumerate(rows):
            if row.difference is not None:
                panel.plot(row.difference, y, "o", color=COLOURS[0], markersize=4)
            if row.interval:
                panel.plot(row.interval, [y, y], color=COLOURS[0], linewidth=1.2)
        _label_rows(panel, [name for name, _ in rows])
    panels[-1].set_xlabel("paired difference with 95 % interval")
    return figure


def _rows(comparison: Comparison) -> Iterator[tuple[str, Difference]]:
    yield from comparison.rows.categories.items()
    yield "overall", comparison.rows.overall
    yield "macro", comparison.rows.macro


def _label_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), map(_shortened, names))
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)


def _legend(figure: Figure, runs: Sequence[RunSummary]) -> None:
    """Which colour is which run, where they are several; matplotlib's own leaves out labels that begin with `_`."""
    from matplotlib.lines import Line2D

    if len(runs) > 1:
        lines = [Line2D([], [], color=COLOURS[number % len(COLOURS)]) for number in range(len(runs))]
        figure.legend(lines, [_shortened(run.label) for run in runs], loc="outside upper center", ncols=2)


def _shortened(name: str) -> str:
    name = clean(name)
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _categories(runs: Sequence[RunSummary]) -> list[str]:
    return sorted({name for run in runs for name in run.categories})
