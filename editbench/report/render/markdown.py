"""report.md: the report as text that pastes well into GitHub."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from editbench.printable import printable
from editbench.records import STATUSES
from editbench.report.document import Report, Standing
from editbench.report.records.runs import MACRO_MEAN, MICRO_MEAN
from editbench.report.render import markdown_sections as sections
from editbench.report.render.formats import estimate, number, ranks, share, span
from editbench.report.render.markdown_text import Markdown, bold, bullets, escape, table, warnings
from editbench.report.statistics.aggregate import Macro, RunSummary, Summary

NOTES = (
    "Means, spread and intervals are over the scored samples (status `ok`); coverage is their share. "
    "`floor` is the mean with every failure at the lowest score of the rubric's scale, `top` the share of scores within half a "
    "point of its highest. Micro: every sample counts alike. Macro: every category counts alike. "
    "Intervals hold the mean with 95 % confidence, by bootstrap-t over groups of samples of one source picture; "
    "`-` stands for what can't be computed."
)
_COLUMNS = ("n", "scored", "coverage", "mean", "95 % interval", "std", "min", "q1", "median", "q3", "max", "top", "floor")


def render(report: Report) -> str:
    """The whole file."""
    blocks = ["# Image-editing benchmark report", *warnings(report.warnings)]
    for board in report.boards:
        blocks += [f"## Leaderboard{f' {board[0].board + 1}' if len(report.boards) > 1 else ''}", _leaderboard(board)]
    blocks += sections.comparisons(report.comparisons)
    for run in report.runs:
        blocks += _run(run, report.run_warnings[run.label])
    blocks += sections.agreement(report.agreement, report.reliability)
    return printable("\n\n".join([*blocks, NOTES]), lines=True) + "\n"


def _run(run: RunSummary, run_warnings: Sequence[str]) -> Iterator[str]:
    yield f"## {escape(run.label)}"
    yield from warnings(run_warnings)
    yield bullets(f"{name}: {value}" for name, value in _facts(run))
    overall = [_row(bold("overall, micro"), run.micro), _macro_row(bold("overall, macro"), run.macro)]
    yield table(("category", *_COLUMNS), [*_rows(run.categories), *overall])
    if len(run.languages) > 1:
        macros = [_macro_row(f"{name}, macro", macro) for name, macro in run.language_macros.items()]
        yield table(("language", *_COLUMNS), [*_rows(run.languages), *macros])
    yield from sections.cells(run.cells, run.protocol.cells)
    for name, subset in run.subsets.items():
        rows = [_row(f"{name}, micro", subset.micro), _macro_row(f"{name}, macro", subset.macro)]
        yield table(("subset", *_COLUMNS), rows)
        yield from sections.subset(name, subset, run.protocol.subsets[name])
    yield from sections.protocol(run.protocol)
    if run.micro.scored < run.micro.n:
        yield _statuses(run)
    yield from sections.audit(run.audit)
    yield from sections.anchors(run.anchors)


def _facts(run: RunSummary) -> Iterator[tuple[str, object]]:
    facts, headline = run.facts, run.headline
    percent = f"; as a percentage {estimate(headline.percent)}" if headline.percent else ""
    yield "Headline", f"{headline.full_name} {number(headline.value)} ({span(headline.interval)}){percent}"
    yield "Editor", facts.editor
    yield "Judge", facts.judge
    yield "Rubric", facts.rubric
    yield "Readout", facts.readout
    yield "Benchmark", facts.benchmark
    if run.tokens:
        yield "Tokens", run.tokens
    if run.reads:
        yield "Scores read", ", ".join(f"{count} {read}" for read, count in run.reads.items())
    if run.flags:
        yield "Flagged edits", ", ".join(f"{count} {flag}" for flag, count in run.flags.items())


def _leaderboard(board: Sequence[Standing]) -> str:
    names = sorted({name for standing in board for name in standing.run.categories})
    headline = board[0].run.headline
    other = MICRO_MEAN if headline.name == MACRO_MEAN else MACRO_MEAN
    header = ("rank", "run", "could be", headline.full_name, "95 % interval", "coverage", "micro floor", other, *names)
    return table(header, (_standing(standing, other, names) for standing in board), texts=3)


def _standing(standing: Standing, other: str, names: Sequence[str]) -> tuple[str, ...]:
    run = standing.run
    overall = (
        number(run.headline.value),
        span(run.headline.interval),
        share(run.micro.coverage),
        number(run.micro.mean_failures_lowest),
    )
    other_mean = run.micro.mean if other == MICRO_MEAN else run.macro.mean
    means = [number(run.categories[name].mean) if name in run.categories else "-" for name in names]
    return (str(standing.rank), run.label, ranks(standing.rank_range), *overall, number(other_mean), *means)


def _statuses(run: RunSummary) -> str:
    present = [status for status in STATUSES if status in run.micro.statuses]
    languages = run.languages.items() if len(run.languages) > 1 else ()
    summaries = [*run.categories.items(), *languages, ("overall", run.micro)]
    rows = [(name, *(str(summary.statuses.get(status, 0)) for status in present)) for name, summary in summaries]
    return table(("samples by status", *present), rows)


def _rows(summaries: Mapping[str, Summary]) -> Iterable[tuple[str, ...]]:
    return (_row(name, summary) for name, summary in summaries.items())


def _row(name: str, summary: Summary) -> tuple[str, ...]:
    spread = map(number, (summary.std, summary.min, summary.q1, summary.median, summary.q3, summary.max))
    counts = (str(summary.n), str(summary.scored), share(summary.coverage))
    return (
        name,
        *counts,
        number(summary.mean),
        span(summary.interval),
        *spread,
        share(summary.top_share),
        number(summary.mean_failures_lowest),
    )


def _macro_row(name: str, macro: Macro) -> tuple[str, ...]:
    blank = [""] * 3
    name = Markdown(f"{escape(name)} over {macro.categories}")
    return (name, *blank, number(macro.mean), span(macro.interval), *blank, *blank, "", number(macro.mean_failures_lowest))
