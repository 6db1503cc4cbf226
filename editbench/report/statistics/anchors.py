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
from editbench.report.records.runs import Run
from editbench.report.statistics.agreement import Estimate
from editbench.report.statistics.bootstrap import RESAMPLES, SEED, Bootstrap
from editbench.report.statistics.clustered import Floats
from editbench.report.statistics.rounding import estimate, rounded, within

_NOTHING = 1e-12  # a spread below this is a rounding error


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchors:
    """Over the anchor edits that have a score in both runs."""

    reference: str
    """Label of the run whose scale it is."""
    n: int
    groups: int
    shift: Estimate
    """Mean of this run's score minus the reference's, paired, with its 95 % interval clustered by group."""
    correlation: float | None
    """Pearson's; None where one of them gives all anchors the same score."""
    edits: str
    """Digest of the anchor edits."""


def shifts(
    runs: Mapping[str, Run], reference: Run | None = None, resamples: int = RESAMPLES, seed: int = SEED
) -> dict[str, Anchors]:
    """By label, how each run with anchors stands to the reference; a reference itself has none.

    Args:
        runs: by label.
        reference: a score folder of the anchor edits themselves, or a run with the same anchors. None: for each set of anchor
            edits the first of `runs` that has it.

    Raises:
        UserError: `reference` has no scores of the anchor edits of any run, on the same scale.
    """
    found, label = {}, None if reference is None else _label(runs, reference)
    for name, run in runs.items():
        other, of = (reference, label) if reference is not None else _first(runs, run)
        there = None if other is None or other.root.resolve() == run.root.resolve() else _scores(other, run)
        if there is not None:
            found[name] = _shift(run, there, of, resamples, seed)
    if reference is not None and not found:
        problem = f"{reference.root}: no other run scored the same edits as anchors, on the same scale"
        raise UserError(f"--reference {problem}", "Score the runs with --anchors EDITS, those of the reference.")
    return found


def _label(runs: Mapping[str, Run], reference: Run) -> str:
    known = {run.root.resolve(): label for label, run in runs.items()}
    return known.get(reference.root.resolve()) or run_module.labels([reference])[0]


def _first(runs: Mapping[str, Run], run: Run) -> tuple[Run | None, str]:
    """The first run that has the same anchors."""
    return next(((other, label) for label, other in runs.items() if _scores(other, run) is not None), (None, ""))


def _scores(reference: Run, run: Run) -> Rows | None:
    """The reference's scores of the anchor edits of `run`."""
    if run.anchors is None or not run.facts.anchors or reference.facts.rubric.scale != run.facts.rubric.scale:
        return None
    if reference.anchors is not None and reference.facts.anchors == run.facts.anchors:
        return reference.anchors
    return reference.rows if reference.facts.edits == run.facts.anchors else None


def _shift(run: Run, reference: Rows, label: str, resamples: int, seed: int) -> Anchors:
    table = run.anchors
    there = dict(zip(reference.keys, reference.score.tolist(), strict=True))
    other = np.array([there.get(key, np.nan) for key in table.keys])
    both = ~np.isnan(table.score) & ~np.isnan(other)
    differences, groups = table.score[both] - other[both], table.group[both]
    value = float(differences.mean()) if len(differences) else None
    interval = Bootstrap(groups, resamples, seed).mean(differences) if len(differences) else None
    low, high = run.facts.rubric.scale or (-math.inf, math.inf)
    return Anchors(
        reference=label,
        n=len(differences),
        groups=len(np.unique(groups)),
        shift=estimate(value, within(interval, (low - high, high - low))),
        correlation=rounded(_pearson(table.score[both], other[both])),
        edits=run.facts.anchors,
    )


def _pearson(first: Floats, second: Floats) -> float | None:
    if len(first) < 2 or first.std() < _NOTHING or second.std() < _NOTHING:
        return None
    first, second = first - first.mean(), second - second.mean()
    shared = (first * second).sum() / math.sqrt((first * first).sum() * (second * second).sum())
    return float(np.clip(shared, -1, 1))
