"""leaderboard.csv: a row a run, the best first; numbers as in report.json, empty where there is none."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from editbench.report.aggregate import RunSummary, ranked

COLUMNS = (
    "rank",
    "label",
    "editor",
    "judge",
    "rubric",
    "readout",
    "benchmark",
    "n",
    "scored",
    "coverage",
    "micro_mean",
    "ci_low",
    "ci_high",
    "macro_mean",
    "mean_failures_lowest",
)
"""Followed by `mean:CATEGORY` for each category of any run, `flags` (such as `identical=20; uniform=1`) and `warnings`."""


def render(runs: Sequence[RunSummary], run_warnings: Mapping[str, Sequence[str]]) -> str:
    """The whole file. `run_warnings` are by label, those on the comparison included."""
    names = sorted({name for run in runs for name in run.categories})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *(f"mean:{name}" for name in names), "flags", "warnings"])
    for rank, run in ranked(runs):
        means = [run.categories[name].mean if name in run.categories else None for name in names]
        notes = ["; ".join(f"{flag}={count}" for flag, count in run.flags.items()), "; ".join(run_warnings[run.label])]
        writer.writerow([rank, run.label, *_facts(run), *_numbers(run), *means, *notes])
    return text.getvalue()


def _facts(run: RunSummary) -> tuple[str, ...]:
    facts = run.facts
    return facts.editor.name, facts.judge.name, str(facts.rubric), facts.readout, facts.benchmark.name


def _numbers(run: RunSummary) -> tuple[float | None, ...]:
    micro = run.micro
    interval = micro.interval or (None, None)
    return micro.n, micro.scored, micro.coverage, micro.mean, *interval, run.macro.mean, micro.mean_failures_lowest
