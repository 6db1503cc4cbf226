"""The report in a terminal: a table a run with small bars where there is room, what is odd, and the runs side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.bar import Bar
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from editbench.printable import clean
from editbench.report.document import Report, Standing
from editbench.report.records.rows import Scale
from editbench.report.render.formats import AGREEMENT, estimate, number, p_value, ranks, share, signed, span
from editbench.report.statistics.aggregate import Macro, RunSummary, Summary
from editbench.report.statistics.agreement import ALPHAS, STATISTICS
from editbench.report.statistics.comparison import Comparison, Difference
from editbench.report.statistics.raters import RaterPair, RaterSet, scales
from editbench.wording import counted

_COLUMNS = ("n", "ok", "mean", "95 %", "std", "median", "min", "max", "floor")
_BAR = 12
"""Columns of a bar."""
_MOST_COLUMNS = 5
"""Up to so many runs side by side have a column each, more a row."""
_WIDTH_WITH_BARS = 92
"""Columns of a terminal from which on there is room for bars beside the numbers."""


def render(report: Report) -> RenderableType:
    """The whole report, for `console.show`."""
    blocks: list[RenderableType] = []
    for run in report.runs:
        blocks += [_RunTable(run), *_notes(run), *_warnings(report.run_warnings[run.label]), Text()]
    if report.agreement:
        blocks += [block for raters in report.reliability for block in (_reliability(raters), Text())]
        blocks += [_agreement(report.agreement), _scales(report.agreement), Text()]
        blocks += [block for pair in report.agreement if pair.disputed for block in (_disputed(pair), Text())]
    blocks += [block for comparison in report.comparisons for block in (_differences(comparison), Text())]
    # What is printed last is what is seen first.
    blocks += [block for board in report.boards if len(board) > 1 for block in (_side_by_side(board), Text())]
    return Group(*blocks, *_warnings(report.warnings))


class _RunTable:
    """The means of one run, as wide as the terminal allows."""

    def __init__(self, run: RunSummary) -> None:
        self.run = run

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        run, scale = self.run, self.run.facts.rubric.scale
        if options.max_width < _WIDTH_WITH_BARS or options.ascii_only:
            scale = None
        table = _table(("category", *_COLUMNS, *([""] if scale else ())))
        for name, summary in run.categories.items():
            table.add_row(*_row(name, summary), *_bar(summary, scale))
        if len(run.languages) > 1:
            table.add_section()
            for name, summary in run.languages.items():
                table.add_row(*_row(f"language {name}", summary), *_bar(summary, scale))
        table.add_section()
        table.add_row(*_row("micro", run.micro), *_bar(run.micro, scale), style="bold")
        table.add_row(*_macro_row("macro", run.macro), *_bar(run.macro, scale), style="bold")
        yield _titled(run.label, table)


def _bar(summary: Summary | Macro, scale: Scale | None) -> Iterator[Bar]:
    """A bar as long as the mean, where there is a scale to draw it on."""
    if scale:
        low, high = scale
        yield Bar(high - low, 0, max(0.0, (summary.mean or low) - low), width=_BAR, color="cyan")


def _notes(run: RunSummary) -> Iterator[Text]:
    facts, headline = run.facts, run.headline
    percent = f", {number(headline.percent.value)} as a percentage" if headline.percent else ""
    yield _text(f"headline: {headline.full_name} {number(headline.value)}{percent}, by {facts.judge.name}")
    yield _text(f"editor {facts.editor} | judge {facts.judge}", style="dim")
    yield _text(f"rubric {facts.rubric} | readout {facts.readout} | benchmark {facts.benchmark}", style="dim")
    if run.tokens:
        yield _text(f"tokens {run.tokens}", style="dim")
    counts = ", ".join(f"{count:,} {status}" for status, count in run.micro.statuses.items())
    yield _text(f"{counted(run.micro.n, 'sample')}: {counts} | floor: mean with failures at the lowest score", style="dim")
    yield from _protocol(run)
    if run.flags:
        flags = ", ".join(f"{count:,} {flag}" for flag, count in run.flags.items())
        yield _text(f"flagged edits: {flags}", style="yellow")
    if run.anchors:
        shift = run.anchors.shift
        yield _text(f"anchors: {signed(shift.value)} ({span(shift.interval)}) against {run.anchors.reference}")


def _protocol(run: RunSummary) -> Iterator[Text]:
    protocol, accuracy = run.protocol, run.protocol.accuracy
    for kind, means in (("criteria", protocol.criteria), ("steps", protocol.steps), ("pools", protocol.pools)):
        if len(means) > 1 or (means and kind != "criteria"):
            yield _text(f"{kind}: " + ", ".join(f"{name} {number(mean.mean)}" for name, mean in means.items()))
    if accuracy:
        lowest = f"; {share(accuracy.mean_failures_lowest)} with failures below it"
        top = f"accuracy: {share(accuracy.mean)} of {counted(accuracy.n, 'sample')} at the top of every criterion"
        yield _text(top + (lowest if accuracy.mean_failures_lowest != accuracy.mean else ""))


def _side_by_side(board: Sequence[Standing]) -> RenderableType:
    """Few runs stand in columns, with their categories; many in rows, without."""
    headline, runs = board[0].run.headline.full_name, [standing.run for standing in board]
    if len(board) > _MOST_COLUMNS:
        return _titled(f"leaderboard, by {headline}", _in_rows(board))
    table = _table(("run", *(run.label for run in runs)))
    table.add_row(_text("rank"), *(_text(_rank(standing)) for standing in board))
    for name in sorted({name for run in runs for name in run.categories}):
        table.add_row(_text(name), *(_mean(run.categories.get(name)) for run in runs))
    table.add_section()
    table.add_row(_text("micro"), *(_mean(run.micro) for run in runs), style="bold")
    table.add_row(_text("macro"), *(_mean(run.macro) for run in runs), style="bold")
    return _titled(f"mean ± half of the 95 % interval, by {headline}", table)


def _in_rows(board: Sequence[Standing]) -> Table:
    table = _table(("run", "rank", "ok", "micro", "macro", "floor"))
    for standing in board:
        run = standing.run
        overall = (_mean(run.micro), _mean(run.macro), _text(number(run.micro.mean_failures_lowest)))
        table.add_row(_text(run.label), _text(_rank(standing)), _text(share(run.micro.coverage)), *overall)
    return table


def _rank(standing: Standing) -> str:
    rank, could = str(standing.rank), ranks(standing.rank_range)
    return rank if could in ("-", rank) else f"{rank} ({could})"


def _differences(comparison: Comparison) -> RenderableType:
    first, second = comparison.runs
    table = _table(("category", "n", "difference", "95 %", "win/tie/loss", "p", "p (Holm)"))
    for name, row in comparison.rows.categories.items():
        table.add_row(*_difference(name, row))
    table.add_section()
    for name, row in (("overall", comparison.rows.overall), ("macro", comparison.rows.macro)):
        table.add_row(*_difference(name, row), style="bold")
    return _titled(f"{second} minus {first}", table)


def _difference(name: str, row: Difference) -> tuple[Text, ...]:
    numbers = (signed(row.difference), span(row.interval, ".."), f"{row.wins}/{row.ties}/{row.losses}")
    return tuple(map(_text, (name, str(row.n), *numbers, p_value(row.p), p_value(row.p_holm))))


def _agreement(pairs: Sequence[RaterPair]) -> RenderableType:
    table = _table(("raters", "n", *(AGREEMENT[name].removeprefix("Krippendorff's ") for name in STATISTICS)))
    for pair in pairs:
        estimates = (getattr(pair.agreement, name) for name in STATISTICS)
        cells = (f"{number(each.value)} {span(each.interval, '..') if each.interval else ''}" for each in estimates)
        table.add_row(*map(_text, (str(pair), str(pair.n), *cells)))
    return _titled("agreement, with 95 % intervals; alpha is Krippendorff's", table)


def _reliability(raters: RaterSet) -> Text:
    alphas = (f"{AGREEMENT[name]}: {estimate(getattr(raters.reliability, name), '..')}" for name in ALPHAS)
    return _text(f"{raters}: {'; '.join(alphas)}; {counted(raters.n, 'sample')}")


def _scales(pairs: Sequence[RaterPair]) -> Text:
    rescaled = "; alphas and differences after each is rescaled to 0..1" if any(pair.rescaled for pair in pairs) else ""
    return _text(f"scales: {'; '.join(scales(pairs))}{rescaled}", style="dim")


def _disputed(pair: RaterPair) -> RenderableType:
    names = (rater.name for rater in pair.raters)
    table = _table(("key", "category", *names, "of 0..1"))
    for dispute in pair.disputed:
        numbers = map(number, (*dispute.scores, dispute.difference))
        table.add_row(*map(_text, (dispute.key, dispute.category, *numbers)))
    return _titled(f"most disputed: {pair}", table)


def _text(text: str, style: str = "") -> Text:
    return Text(clean(text), style=style)


def _titled(title: str, table: Table) -> RenderableType:
    """A table's own title would break at the table's width."""
    return Group(_text(title, style="italic"), table)


def _table(columns: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True)
    table.show_edge = table.pad_edge = False
    for index, column in enumerate(columns):
        table.add_column(_text(column), justify="right" if index else "left", overflow="fold")
    return table


def _row(name: str, summary: Summary) -> tuple[Text, ...]:
    counts = (str(summary.n), share(summary.coverage), number(summary.mean), span(summary.interval, ".."))
    spread = map(number, (summary.std, summary.median, summary.min, summary.max, summary.mean_failures_lowest))
    return tuple(map(_text, (name, *counts, *spread)))


def _macro_row(name: str, macro: Macro) -> tuple[Text, ...]:
    numbers = (number(macro.mean), span(macro.interval, ".."), "", "", "", "", number(macro.mean_failures_lowest))
    return tuple(map(_text, (name, "", "", *numbers)))


def _mean(summary: Summary | Macro | None) -> Text:
    """Such as `7.12 ±0.34`; a narrow terminal breaks it at the space."""
    if summary is None or summary.interval is None:
        return _text(number(summary.mean if summary else None))
    return _text(f"{number(summary.mean)} ±{(summary.interval[1] - summary.interval[0]) / 2:.2f}")


def _warnings(warnings: Sequence[str]) -> list[Text]:
    return [_text(f"warning: {warning}", style="yellow") for warning in warnings]
