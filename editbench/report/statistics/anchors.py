"""Whether a judge's scale moved: scores of the same anchor edits in several runs, paired with those of a reference.

A shift that its interval keeps from zero says that the judge (or its version, or the machine) scores the very same edits
otherwise; differences between the runs' own edits contain it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from editbench.errors import UserError
from editbench.report.records import runs as run_module
from editbench.report.records.rows import Rows
from editbench.report.records.runs import ScoredRun
from editbench.report.statistics.bootstrap import RESAMPLES, SEED, Bootstrap
from editbench.report.statistics.clustered import Estimate, Floats, macro_mean
from editbench.report.statistics.rounding import rounded, rounded_estimate, within

_NEGLIGIBLE = 1e-12  # a spread below this is a rounding error


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchors:
    """How a run's scores of anchor edits stand to a reference's, over the anchor edits that have a score in both runs."""

    reference: str
    """Label of the run whose scores are subtracted."""
    n: int
    groups: int
    shift: Estimate
    """Mean of this run's score minus the reference's, paired, with its 95 % interval clustered by group."""
    correlation: float | None
    """Pearson's correlation of the two; None where one of them gives all anchors the same score."""
    edits: str
    """Digest of the anchor edits."""


def shifts(
    runs: Mapping[str, ScoredRun], reference: ScoredRun | None = None, resamples: int = RESAMPLES, seed: int = SEED
) -> dict[str, Anchors]:
    """How the scores of each run with anchors stand to the reference's, by label; a reference itself has no entry.

    Args:
        runs: by label.
        reference: a score folder of the anchor edits themselves, or a run with the same anchors. None: for each set of anchor
            edits the first of `runs` that has it.

    Raises:
        UserError: `reference` has no scores of the anchor edits of any run, on the same scale.
    """
    shifts = {}
    for label, run in runs.items():
        other, name = _first(runs, run) if reference is None else (reference, _label(runs, reference))
        if run.anchors is None or other is None or other.root.resolve() == run.root.resolve():
            continue
        if (scores := _scores(other, run)) is not None:
            shifts[label] = _shift(run, run.anchors, scores, name, resamples, seed)
    if reference is not None and not shifts:
        problem = f"{reference.root}: no other run scored the same edits as anchors, on the same scale"
        raise UserError(f"--reference {problem}", "Score the runs with --anchors EDITS, those of the reference.")
    return shifts


def _label(runs: Mapping[str, ScoredRun], reference: ScoredRun) -> str:
    known = {run.root.resolve(): label for label, run in runs.items()}
    return known.get(reference.root.resolve()) or run_module.labels([reference])[0]


def _first(runs: Mapping[str, ScoredRun], run: ScoredRun) -> tuple[ScoredRun | None, str]:
    """The first run that has the same anchors, and its label."""
    return next(((other, label) for label, other in runs.items() if _scores(other, run) is not None), (None, ""))


def _scores(reference: ScoredRun, run: ScoredRun) -> Rows | None:
    """The reference's scores of the anchor edits of `run`."""
    if run.anchors is None or not run.facts.anchors or reference.facts.rubric.scale != run.facts.rubric.scale:
        return None
    if reference.anchors is not None and reference.facts.anchors == run.facts.anchors:
        return reference.anchors
    return reference.rows if reference.facts.edits == run.facts.anchors else None


def _shift(run: ScoredRun, anchors: Rows, reference: Rows, label: str, resamples: int, seed: int) -> Anchors:
    """`anchors`: those of the run; `label`: of the reference."""
    score_by_key = dict(zip(reference.keys, reference.score.tolist(), strict=True))
    other = np.array([score_by_key.get(key, np.nan) for key in anchors.keys])
    both = ~np.isnan(anchors.score) & ~np.isnan(other)
    differences, groups = anchors.score[both] - other[both], anchors.group[both]
    interval = Bootstrap(groups, resamples, seed).mean(differences) if len(differences) else None
    low, high = run.facts.rubric.scale or (-math.inf, math.inf)
    return Anchors(
        reference=label,
        n=len(differences),
        groups=len(np.unique(groups)),
        shift=rounded_estimate(macro_mean(differences), within(interval, (low - high, high - low))),
        correlation=rounded(_pearson(anchors.score[both], other[both])),
        edits=run.facts.anchors,
    )


def _pearson(first: Floats, second: Floats) -> float | None:
    """Pearson's correlation of shapes (n,); None below two values, or where all values of one are the same."""
    if len(first) < 2 or first.std() < _NEGLIGIBLE or second.std() < _NEGLIGIBLE:
        return None
    first, second = first - first.mean(), second - second.mean()
    correlation = (first * second).sum() / math.sqrt((first * first).sum() * (second * second).sum())
    return float(np.clip(correlation, -1, 1))
