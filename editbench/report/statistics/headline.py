"""A run's headline: the one number that it is ranked by. The rubric chooses the mean of samples or of categories' means."""

from __future__ import annotations

from editbench.report.records.runs import MACRO_MEAN, ScoredRun
from editbench.report.statistics import clustered
from editbench.report.statistics.clustered import Codes


def number(run: ScoredRun) -> float | None:
    """The headline, not rounded; None of a run without scores. What is shown and ranked is this, rounded in `aggregate`."""
    return clustered.macro_mean(run.rows.score[run.rows.scored], strata(run))


def strata(run: ScoredRun) -> Codes | None:
    """Stratum of each scored sample, where the means of strata count alike; None where every sample counts alike."""
    return run.rows.category[run.rows.scored] if run.facts.rubric.headline.name == MACRO_MEAN else None
