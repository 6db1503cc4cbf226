"""leaderboard.csv: a row a run, by board and the best first; numbers as in report.json, empty where there is none.

A text that a spreadsheet would compute, since it begins with =, +, - or @, has an apostrophe before it. Numbers are numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence

from editbench.printable import spreadsheet_text
from editbench.report.document import Standing
from editbench.report.statistics.aggregate import RunSummary

COLUMNS = (
    *("board", "rank", "rank_best", "rank_worst", "label", "editor", "judge", "rubric", "readout", "benchmark"),
    *("n", "scored", "coverage", "headline_name", "headline", "headline_low", "headline_high", "headline_percent"),
    *("micro_mean", "ci_low", "ci_high", "macro_mean", "mean_failures_lowest"),
)
"""`headline_low` and `headline_high` are the headline's 95 % interval, `ci_low` and `ci_high` the micro mean's, of which
`mean_failures_lowest` is too. Followed by `mean:CATEGORY` for each category of any run, `flags` (such as
`identical=20; uniform=1`) and `warnings`."""


def render(standings: Sequence[Standing], run_warnings: Mapping[str, Sequence[str]]) -> str:
    """The whole file. `run_warnings` are by label, those on the comparison included."""
    names = sorted({name for standing in standings for name in standing.run.categories})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_cell, (*COLUMNS, *(f"mean:{name}" for name in names), "flags", "warnings")))
    for standing in standings:
        run = standing.run
        means = (run.categories[name].mean if name in run.categories else None for name in names)
        flags = "; ".join(f"{flag}={count}" for flag, count in run.flags.items())
        ranks = (standing.rank, *(standing.rank_range or (None, None)))
        row = (
            standing.board,
            *ranks,
            run.label,
            *_facts(run),
            *_numbers(run),
            *means,
            flags,
            "; ".join(run_warnings[run.label]),
        )
        writer.writerow(map(_cell, row))
    return text.getvalue()


def _cell(value: float | str | None) -> float | str | None:
    return spreadsheet_text(value) if isinstance(value, str) else value


def _facts(run: RunSummary) -> tuple[str, ...]:
    facts = run.facts
    return facts.editor.name, facts.judge.name, str(facts.rubric), facts.readout, facts.benchmark.name


def _numbers(run: RunSummary) -> Iterator[float | str | None]:
    micro, headline = run.micro, run.headline
    yield from (micro.n, micro.scored, micro.coverage)
    yield from (headline.name, headline.value, *(headline.interval or (None, None)))
    yield headline.percent.value if headline.percent else None
    yield from (micro.mean, *(micro.interval or (None, None)), run.macro.mean, micro.mean_failures_lowest)
