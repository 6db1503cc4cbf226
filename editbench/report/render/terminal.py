"""The report in a terminal: a table a run with small bars where there is room, what is odd, and the runs side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.bar import Bar
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from editbench.printable import clean
from editbench.report.records.rows import Scale
from editbench.report.render.formats import AGREEMENT, estimate, number, p_value, ranks, share, signed, span
from editbench.report.statistics.aggregate import Macro, RunSummary, Summary
from editbench.report.statistics.agreement import ALPHAS, STATISTICS
from editbench.report.statistics.comparison import Comparison, Difference
from editbench.report.statistics.raters import RaterPair, RaterSet, scales

if TYPE_CHECKING:
    from editbench.report.document import Report, Standing

_COLUMNS = ("n", "ok", "mean", "95 %", "std", "median", "min", "max", "floor")
_BAR = 12
_IN_COLUMNS = 5
"""Runs side by side, up to which each has a column."""
_ROOM = 92
"""Columns of a terminal from which on there is room for bars beside the numbers."""


def render(report: Report) -> RenderableType:
    """Everything, for `console.show`."""
    parts: list[RenderableType] = []
    for run in report.runs:
        parts += [_RunTable(run), *_notes(run), *_warnings(report.run_warnings[run.label]), Text()]
    if report.agreement:
        parts += [part for raters in report.reliability for part in (_reliability(raters), Text())]
        parts += [_agreement(report.agreement), _scales(report.agreement), Text()]
        parts += [part for pair in report.agreement if pair.disputed for part in (_disputed(pair), Text())]
    parts += [part for comparison in report.comparisons for part in (_differences(comparison), Text())]
    # What is printed last is what is seen first.
    parts += [part for places in report.boards if len(places) > 1 for part in (_side_by_side(places), Text())]
    return Group(*parts, *_warnings(report.warnings))


class _RunTable:
    """Of one run, as wide as the terminal lets it be."""

    def __init__(self, run: RunSummary) -> None:
        self.run = run

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        bars = options.max_width >= _ROOM and not options.ascii_only and self.run.facts.rubric.scale is not None
        table = _table(("category", *_COLUMNS, *([""] if bars else ())))
        for name, part in self.run.categories.items():
            table.add_row(*self._row(name, part, bars))
        if len(self.run.languages) > 1:
            table.add_section()
            for name, part in self.run.languages.items():
                table.add_row(*self._row(f"language {name}", part, bars))
        table.add_section()
        table.add_row(*self._row("micro", self.run.micro, bars), style="bold")
        table.add_row(*self._row("macro", self.run.macro, bars), style="bold")
        yield _titled(self.run.label, table)

    def _row(self, name: str, part: Summary | Macro, bars: bool) -> tuple[RenderableType, ...]:
        row = _macro_row(name, part) if isinstance(part, Macro) else _row(name, part)
        return (*row, _bar(part.mean, self.run.facts.rubric.scale)) if bars else row


def _bar(mean: float | None, scale: Scale) -> RenderableType:
    low, high = scale
    return Bar(high - low, 0, max(0.0, (mean or low) - low), width=_BAR, color="cyan")


def _notes(run: RunSummary) -> Iterator[Text]:
    facts, headline = run.facts, run.headline
    percent = f", {number(headline.percent.value)} as a percentage" if headline.percent else ""
    yield _text(f"headline: {headline.name} {number(headline.value)}{percent}")
    yield _text(f"editor {facts.editor} | judge {facts.judge}", style="dim")
    yield _text(f"rubric {facts.rubric} | readout {facts.readout} | benchmark {facts.benchmark}", style="dim")
    counts = ", ".join(f"{count:,} {status}" for status, count in run.micro.statuses.items())
    yield _text(f"{run.micro.n:,} samples: {counts} | floor: mean with failures at the lowest score", style="dim")
    yield from _protocol(run)
    if run.flags:
        flags = ", ".join(f"{count:,} {flag}" for flag, count in run.flags.items())
        yield _text(f"flagged edits: {flags}", style="yellow")
    if run.anchors:
        shift = run.anchors.shift
        yield _text(f"anchors: {signed(shift.value)} ({span(shift.interval)}) against {run.anchors.reference}")


def _protocol(run: RunSummary) -> Iterator[Text]:
    found = run.protocol
    for kind, means in (("criteria", found.criteria), ("steps", found.steps), ("pools", found.pools)):
        if len(means) > 1 or (means and kind != "criteria"):
            yield _text(f"{kind}: " + ", ".join(f"{name} {number(part.mean)}" for name, part in means.items()))
    if found.accuracy:
        accuracy = found.accuracy
        told = f"accuracy: {share(accuracy.mean)} of {accuracy.n} samples at the top of every criterion"
        lowest = f"; {share(accuracy.mean_failures_lowest)} with failures below it"
        yield _text(told + (lowest if accuracy.mean_failures_lowest != accuracy.mean else ""))


def _side_by_side(places: Sequence[Standing]) -> RenderableType:
    """Few runs stand in columns, with their categories; many in rows, without."""
    headline = places[0].run.headline.name
    if len(places) > _IN_COLUMNS:
        return _titled(f"leaderboard, by {headline}", _in_rows(places))
    table = _table(("run", *(place.run.label for place in places)))
    table.add_row(_text("rank"), *(_text(_rank(place)) for place in places))
    for name in sorted({name for place in places for name in place.run.categories}):
        table.add_row(_text(name), *(_mean(place.run.categories.get(name)) for place in places))
    table.add_section()
    table.add_row(_text("micro"), *(_mean(place.run.micro) for place in places), style="bold")
    table.add_row(_text("macro"), *(_mean(place.run.macro) for place in places), style="bold")
    return _titled(f"mean ± half of the 95 % interval, by {headline}", table)


def _in_rows(places: Sequence[Standing]) -> Table:
    table = _table(("run", "rank", "ok", "micro", "macro", "floor"))
    for place in places:
        run = place.run
        overall = (_mean(run.micro), _mean(run.macro), _text(number(run.micro.mean_failures_lowest)))
        table.add_row(_text(run.label), _text(_rank(place)), _text(share(run.micro.coverage)), *overall)
    return table


def _rank(place: Standing) -> str:
    could = ranks(place.rank_range)
    return str(place.rank) if could in ("-", str(place.rank)) else f"{place.rank} ({could})"


def _differences(comparison: Comparison) -> RenderableType:
    first, second = comparison.runs
    table = _table(("category", "n", "difference", "95 %", "win/tie/loss", "p", "p (Holm)"))
    for name, part in comparison.rows.categories.items():
        table.add_row(*_difference(name, part))
    table.add_section()
    for name, part in (("overall", comparison.rows.overall), ("macro", comparison.rows.macro)):
        table.add_row(*_difference(name, part), style="bold")
    return _titled(f"{second} minus {first}", table)


def _difference(name: str, part: Difference) -> tuple[Text, ...]:
    record = f"{part.wins}/{part.ties}/{part.losses}"
    cells = (
        name,
        str(part.n),
        signed(part.difference),
        span(part.interval, ".."),
        record,
        p_value(part.p),
        p_value(part.p_holm),
    )
    return tuple(map(_text, cells))


def _agreement(pairs: Sequence[RaterPair]) -> RenderableType:
    table = _table(("raters", "n", *(AGREEMENT[name].removeprefix("Krippendorff's ") for name in STATISTICS)))
    for pair in pairs:
        found = (getattr(pair.agreement, name) for name in STATISTICS)
        cells = (f"{number(each.value)} {span(each.interval, '..') if each.interval else ''}" for each in found)
        table.add_row(*map(_text, (str(pair), str(pair.n), *cells)))
    return _titled("agreement, with 95 % intervals; alpha is Krippendorff's", table)


def _reliability(raters: RaterSet) -> Text:
    found = (f"{AGREEMENT[name]}: {estimate(getattr(raters.reliability, name), '..')}" for name in ALPHAS)
    return _text(f"{raters}: {'; '.join(found)}; {raters.n} samples")


def _scales(pairs: Sequence[RaterPair]) -> Text:
    each = "; ".join(scales(pairs))
    told = "; alphas and differences after each is rescaled to 0..1" if any(pair.rescaled for pair in pairs) else ""
    return _text(f"scales: {each}{told}", style="dim")


def _disputed(pair: RaterPair) -> RenderableType:
    names = (rater.name for rater in pair.raters)
    table = _table(("key", "category", *names, "of 0..1"))
    for each in pair.disputed:
        table.add_row(_text(each.key), _text(each.category), *map(_text, map(number, (*each.scores, each.difference))))
    return _titled(f"most disputed: {pair}", table)


def _text(text: str, style: str = "") -> Text:
    return Text(clean(text), style=style)


def _titled(title: str, table: Table) -> RenderableType:
    """A table's own title would break at the table's width."""
    return Group(_text(title, style="italic"), table)


def _table(columns: Sequence[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True)
    table.show_edge = table.pad_edge = False
    for place, column in enumerate(columns):
        table.add_column(_text(column), justify="right" if place else "left", overflow="fold")
    return table


def _row(name: str, part: Summary) -> tuple[Text, ...]:
    spread = map(number, (part.std, part.median, part.min, part.max, part.mean_failures_lowest))
    return tuple(map(_text, (name, str(part.n), share(part.coverage), number(part.mean), span(part.interval, ".."), *spread)))


def _macro_row(name: str, macro: Macro) -> tuple[Text, ...]:
    numbers = (number(macro.mean), span(macro.interval, ".."), "", "", "", "", number(macro.mean_failures_lowest))
    return tuple(map(_text, (name, "", "", *numbers)))


def _mean(part: Summary | Macro | None) -> Text:
    """`7.12 ±0.34`; a narrow terminal breaks it at the space."""
    if part is None or part.interval is None:
        return _text(number(part.mean if part else None))
    return _text(f"{number(part.mean)} ±{(part.interval[1] - part.interval[0]) / 2:.2f}")


def _warnings(warnings: Sequence[str]) -> list[Text]:
    return [_text(f"warning: {warning}", style="yellow") for warning in warnings]
