"""From rows to the numbers of the report.

Numbers are rounded here, once, to six decimals, so that every file of the report holds the same ones and the last bits of a
sum don't show. What can't be computed is None, never NaN and never 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from editbench.records import STATUSES
from editbench.report import stats
from editbench.report.rows import Rows, Scale
from editbench.report.runs import Facts, Run

DECIMALS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Some samples of a run. Means and spread are over the scored ones (status ok)."""

    n: int
    scored: int
    coverage: float
    """scored / n."""
    mean: float | None
    std: float | None
    """Of a sample (n - 1)."""
    median: float | None
    min: float | None
    max: float | None
    interval: tuple[float, float] | None
    """95 % interval of the mean, clustered by group; None below two groups."""
    mean_failures_lowest: float | None
    """The mean with every failure at the lowest score of the rubric's scale; None when the rubric tells no scale."""
    statuses: dict[str, int]
    """Samples by status, those that occur."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Macro:
    """The unweighted mean of the categories' means."""

    mean: float | None
    interval: tuple[float, float] | None
    """None when a category has fewer than two groups."""
    mean_failures_lowest: float | None
    categories: int
    """Categories that have a mean."""
    left_out: list[str]
    """Categories without any scored sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One score folder: what made it, and its numbers."""

    label: str
    facts: Facts
    micro: Summary
    """Over all samples alike."""
    macro: Macro
    categories: Mapping[str, Summary]
    languages: Mapping[str, Summary]
    mean_mass: float | None
    """Mean probability that the judge gave to allowed answers, 0..1; None where the readout tells none."""
    flags: Mapping[str, int] = field(default_factory=dict)
    reads: Mapping[str, int] = field(default_factory=dict)
    """Scored samples by how their score was read: `generate`, `forced`, `expected`."""
    """Edits by what is odd about them; one can count under several."""


def summarise(run: Run, label: str) -> RunSummary:
    """All numbers of one run."""
    table, scale = run.rows, run.facts.rubric.scale
    everything = np.ones(len(table.keys), dtype=bool)
    categories = {name: _summary(table, table.category == code, scale) for code, name in enumerate(table.categories)}
    return RunSummary(
        label=label,
        facts=run.facts,
        micro=_summary(table, everything, scale),
        macro=_macro(table, categories),
        categories=categories,
        languages={name: _summary(table, table.language == code, scale) for code, name in enumerate(table.languages)},
        mean_mass=_mean(table.mass[~np.isnan(table.mass)].tolist()),
        flags=table.flags,
        reads=table.reads,
    )


def ranked(runs: Sequence[RunSummary]) -> list[tuple[int, RunSummary]]:
    """(rank, run) by micro mean, the best first; equal means share a rank, runs without one come last."""
    means = [-math.inf if run.micro.mean is None else run.micro.mean for run in runs]
    order = sorted(range(len(runs)), key=lambda place: (-means[place], runs[place].label))
    return [(1 + sum(mean > means[place] for mean in means), runs[place]) for place in order]


def _summary(table: Rows, chosen: NDArray[np.bool_], scale: Scale | None) -> Summary:
    scored = chosen & table.scored
    values = table.score[scored]
    n, count = int(chosen.sum()), int(scored.sum())
    described = stats.moments(values)
    counts = np.bincount(table.status[chosen], minlength=len(STATUSES))
    return Summary(
        n=n,
        scored=count,
        coverage=round(count / n, DECIMALS),
        mean=_rounded(described.mean),
        std=_rounded(described.std),
        median=_rounded(described.median),
        min=_rounded(described.min),
        max=_rounded(described.max),
        interval=_rounded_pair(stats.interval(values, table.group[scored])),
        mean_failures_lowest=_rounded(stats.mean_with_lowest(values, n - count, scale[0])) if scale else None,
        statuses={name: int(count) for name, count in zip(STATUSES, counts, strict=True) if count},
    )


def _macro(table: Rows, categories: Mapping[str, Summary]) -> Macro:
    scored = table.scored
    means = [summary.mean for summary in categories.values() if summary.mean is not None]
    lowest = [summary.mean_failures_lowest for summary in categories.values()]
    return Macro(
        mean=_mean(means),
        interval=_rounded_pair(stats.interval(table.score[scored], table.group[scored], table.category[scored])),
        mean_failures_lowest=None if None in lowest else _mean(lowest),
        categories=len(means),
        left_out=[name for name, summary in categories.items() if summary.mean is None],
    )


def _mean(values: Sequence[float | None]) -> float | None:
    return _rounded(float(np.mean(values))) if values else None


def _rounded(value: float | None) -> float | None:
    # Adding 0.0 makes -0.0 a plain zero.
    return None if value is None else round(value, DECIMALS) + 0.0


def _rounded_pair(pair: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if pair is None else (round(pair[0], DECIMALS) + 0.0, round(pair[1], DECIMALS) + 0.0)
