"""How long `editbench report` takes without its page, and how much memory, from the rows of a usual benchmark to a million; and
of it the statistics: the intervals of a run of five categories and two languages, the comparison of two runs, and their ranks.

    python tests/benchmarks/report_scale.py
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import commands
import numpy as np
import synthetic
from figures import Figure, said

from editbench.report.records import runs
from editbench.report.records.runs import ScoredRun
from editbench.report.statistics import comparison, standings
from editbench.report.statistics.bootstrap import Bootstrap

FEW, FEW_AIM = 1_000, 1.0
"""Up to so many rows, so many seconds."""
SECONDS_AIM, MEMORY_AIM = 10.0, 2000.0
"""On two cores, for a million rows."""


def report_scale(work: Path, *, rows: Sequence[int], repeats: int) -> Iterator[Figure]:
    """Raises RuntimeError when a command fails."""
    for count in rows:
        scores = work / f"scores-{count}"
        synthetic.scores(scores, count)
        arguments = ["report", str(scores), "--no-html", "--out", str(work / f"report-{count}")]
        title, aim = f"report without page, {count:,} rows", FEW_AIM if count <= FEW else SECONDS_AIM
        yield from commands.command(title, arguments, repeats, aim, MEMORY_AIM)
        run = runs.load(scores)
        yield Figure("  of it intervals", "s", [_seconds(_intervals, run) for _ in range(repeats)])
        yield Figure("  two runs compared, and their ranks", "s", [_seconds(_compared, run) for _ in range(repeats)])


def _intervals(run: ScoredRun) -> None:
    rows = run.rows
    bootstrap = Bootstrap(rows.group)
    bootstrap.macro(rows.score, rows.category, rows.scored)
    spoken = np.arange(len(rows.keys)) % 2
    for part in (True, *rows.by_category.values(), spoken == 0, spoken == 1):
        bootstrap.mean(rows.score, rows.scored & part)


def _compared(run: ScoredRun) -> None:
    score, scored = run.rows.score.copy(), run.rows.scored
    score[scored] = np.random.default_rng(1).permutation(score[scored])
    other = replace(run, rows=replace(run.rows, score=score))
    pair = {"first": run, "second": other}
    comparison.compare(pair)
    standings.rank_ranges(pair)


def _seconds(measure: Callable[[ScoredRun], None], run: ScoredRun) -> float:
    began = time.perf_counter()
    measure(run)
    return time.perf_counter() - began


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        said(report_scale(Path(folder), rows=(900, 1_000_000), repeats=2))
