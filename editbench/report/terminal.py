"""The report in a terminal: a table a run, and one of the runs side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from editbench.report.aggregate import Macro, RunSummary, Summary, ranked
from editbench.report.agreement import STATISTICS, Estimate
from editbench.report.raters import Pair

_COLUMNS = ("n", "ok", "mean", "95 %", "std", "median", "min", "max", "floor")


def render(
    runs: Sequence[RunSummary],
    warnings: Sequence[str],
    run_warnings: Mapping[str, Sequence[str]],
    agreement: Sequence[Pair] = (),
) -> RenderableType:
    """Everything, for `console.show`. `run_warnings` are by label."""
    parts: list[RenderableType] = []
    for run in runs:
        parts += [_run_table(run), *_notes(run), *_warnings(run_warnings[run.label]), Text()]
    if len(runs) > 1:
        parts += [_side_by_side(runs), *_warnings(warnings)]
    if agreement:
        parts += [Text(), _agreement(agreement), _scales(agreement)]
        parts += [part for pair in agreement if pair.disputed for part in (Text(), _disputed(pair))]
    return Group(*parts)


def _run_table(run: RunSummary) -> Table:
    table = _table(run.label, ("category", *_COLUMNS))
    for name, part in run.categories.items():
        table.add_row(*_row(name, part))
    if len(run.languages) > 1:
        table.add_section()
        for name, part in run.languages.items():
            table.add_row(*_row(f"language {name}", part))
    table.add_section()
    table.add_row(*_row("micro", run.micro), style="bold")
    table.add_row(*_macro_row(run.macro), style="bold")
    return table


def _notes(run: RunSummary) -> Iterator[Text]:
    facts = run.facts
    counts = ", ".join(f"{count:,} {status}" for status, count in run.micro.statuses.items())
    yield Text(f"editor {facts.editor} | judge {facts.judge}", style="dim")
    yield Text(f"rubric {facts.rubric} | readout {facts.readout} | benchmark {facts.benchmark}", style="dim")
    yield Text(f"{run.micro.n:,} samples: {counts} | floor: mean with failures at the lowest score", style="dim")
    if run.flags:
        flags = ", ".join(f"{count:,} {flag}" for flag, count in run.flags.items())
        yield Text(f"flagged edits: {flags}", style="yellow")


def _side_by_side(runs: Sequence[RunSummary]) -> Table:
    names = sorted({name for run in runs for name in run.categories})
    table = _table("mean ± half of the 95 % interval", ("run", *names, "micro", "macro"))
    for _, run in ranked(runs):
        parts = [run.categories.get(name) for name in names]
        table.add_row(Text(run.label), *map(_mean, (*parts, run.micro, run.macro)))
    return table


def _agreement(pairs: Sequence[Pair]) -> Table:
    table = _table("agreement, with 95 % intervals", ("raters", "n", *(name.replace("_", " ") for name in STATISTICS)))
    for pair in pairs:
        found = (_estimate(getattr(pair.agreement, name)) for name in STATISTICS)
        table.add_row(Text(_names(pair)), Text(str(pair.n)), *found)
    return table


def _scales(pairs: Sequence[Pair]) -> Text:
    raters = dict.fromkeys(rater for pair in pairs for rater in pair.raters)
    each = "; ".join(map(str, raters))
    told = "; alpha and differences after each is rescaled to 0..1" if any(pair.rescaled for pair in pairs) else ""
    return Text(f"scales: {each}{told}", style="dim")


def _disputed(pair: Pair) -> Table:
    names = (rater.name for rater in pair.raters)
    table = _table(f"most disputed: {_names(pair)}", ("key", "category", *names, "of 0..1"))
    for each in pair.disputed:
        table.add_row(Text(each.key), Text(each.category), *map(Text, map(_number, (*each.scores, each.difference))))
    return table


def _names(pair: Pair) -> str:
    return " and ".join(rater.name for rater in pair.raters)


def _estimate(found: Estimate) -> Text:
    return Text(_number(found.value) + (f" {_span(found.interval)}" if found.interval else ""))


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1), collapse_padding=True)
    table.show_edge = table.pad_edge = False
    for place, column in enumerate(columns):
        table.add_column(Text(column), justify="right" if place else "left", overflow="fold")
    return table


def _row(name: str, part: Summary) -> tuple[Text, ...]:
    spread = map(_number, (part.std, part.median, part.min, part.max, part.mean_failures_lowest))
    scored = f"{part.coverage:.0%}" if part.scored in (0, part.n) else f"{part.coverage:.1%}"
    return (Text(name), *map(Text, (str(part.n), scored, _number(part.mean), _span(part.interval), *spread)))


def _macro_row(macro: Macro) -> tuple[Text, ...]:
    numbers = (_number(macro.mean), _span(macro.interval), "", "", "", "", _number(macro.mean_failures_lowest))
    return (Text("macro"), Text(), Text(), *map(Text, numbers))


def _mean(part: Summary | Macro | None) -> Text:
    """`7.12 ±0.34`; a narrow terminal breaks it at the space."""
    if part is None or part.interval is None:
        return Text(_number(part.mean if part else None))
    return Text(f"{_number(part.mean)} ±{(part.interval[1] - part.interval[0]) / 2:.2f}")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _span(interval: tuple[float, float] | None) -> str:
    return "-" if interval is None else f"{interval[0]:.2f}..{interval[1]:.2f}"


def _warnings(warnings: Sequence[str]) -> list[Text]:
    return [Text(f"warning: {warning}", style="yellow") for warning in warnings]
