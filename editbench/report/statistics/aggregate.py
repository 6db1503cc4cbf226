"""From rows to the numbers of the report.

Numbers are rounded once (see `rounding`). What can't be computed is None, never NaN and never 0. Every dataclass here and in
`protocol`, `audit` and `anchors` stands in report.json as it is.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from editbench.records import STATUSES
from editbench.report.records.rows import Rows, Scale
from editbench.report.records.runs import Facts, RubricFacts, Run
from editbench.report.statistics import audit, clustered, protocol
from editbench.report.statistics.agreement import Estimate
from editbench.report.statistics.anchors import Anchors
from editbench.report.statistics.audit import Audit
from editbench.report.statistics.bootstrap import RESAMPLES, SEED, Bootstrap
from editbench.report.statistics.protocol import Protocol
from editbench.report.statistics.rounding import DECIMALS, mean, rounded, rounded_pair, within

BINS = 20
"""Of a histogram."""
NEAR_TOP = 0.5
"""Scores at most this far below the scale's top are at it."""

_Chosen = NDArray[np.bool_]


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
    q1: float | None
    """Quartiles, interpolated linearly."""
    median: float | None
    q3: float | None
    min: float | None
    max: float | None
    top_share: float | None
    """Share of the scored samples at the top of the scale (see NEAR_TOP); None without a scale or a scored sample."""
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
class Headline:
    """The one number that the rubric ranks runs by."""

    name: str
    """`micro mean` or `macro mean`: they differ wherever categories have unlike numbers of samples."""
    value: float | None
    interval: tuple[float, float] | None
    percent: Estimate | None
    """The same as the rubric shows percent; None where it doesn't."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subset:
    """Samples that the benchmark also counts by themselves."""

    micro: Summary
    macro: Macro
    language_macros: Mapping[str, Macro]
    cells: Mapping[str, Mapping[str, Summary]]
    """By language and category."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Of scores. Bin i holds edges[i] <= score < edges[i + 1], the last one its upper edge too."""

    edges: list[float]
    """Over the rubric's scale, or over the scores where it tells none; empty without either. Where all scores are whole,
    and few, each has a bin of its own."""
    counts: dict[str, list[int]]
    """By category."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One score folder: what made it, and its numbers."""

    label: str
    facts: Facts
    headline: Headline
    micro: Summary
    """Over all samples alike."""
    macro: Macro
    categories: Mapping[str, Summary]
    languages: Mapping[str, Summary]
    cells: Mapping[str, Mapping[str, Summary]]
    """By language and category."""
    subsets: Mapping[str, Subset]
    language_macros: Mapping[str, Macro]
    """Over the categories within each language."""
    protocol: Protocol
    histogram: Histogram
    mean_mass: float | None
    """Mean probability that the judge gave to allowed answers, 0..1; None where the readout tells none."""
    flags: Mapping[str, int] = field(default_factory=dict)
    """Edits by what is odd about them; one can count under several."""
    reads: Mapping[str, int] = field(default_factory=dict)
    """Scored samples by how their score was read: `generate`, `forced`, `expected`."""
    audit: Audit | None = None
    anchors: Anchors | None = None

    def document(self, board: int, warnings: Sequence[str]) -> dict[str, Any]:
        """The run in report.json, to be dumped with orjson. `board`: number of the leaderboard that it stands on."""
        facts = self.facts
        return {
            "label": self.label,
            "scores": facts.digest,
            "readout": facts.readout,
            "editor": facts.editor,
            "judge": facts.judge,
            "benchmark": facts.benchmark,
            "edits": facts.edits,
            "rubric": {name: getattr(facts.rubric, name) for name in ("name", "version", "digest", "scale", "partial")},
            "board": board,
            "headline": self.headline,
            "overall": {"micro": self.micro, "macro": self.macro},
            "statuses": self.micro.statuses,
            **{name: getattr(self, name) for name in _DUMPED},
            "warnings": warnings,
        }


_DUMPED = (
    *("categories", "languages", "cells", "subsets", "language_macros", "protocol", "histogram"),
    *("mean_mass", "reads", "flags", "audit", "anchors"),
)


def summarise(
    run: Run, label: str, *, resamples: int = RESAMPLES, seed: int = SEED, anchors: Anchors | None = None
) -> RunSummary:
    """All numbers of one run. Its intervals come from one bootstrap of `resamples` draws; `anchors`: see `anchors.shifts`."""
    table, rubric = run.rows, run.facts.rubric
    bootstrap = Bootstrap(table.group, resamples, seed)
    means = _Means(table, rubric.scale, bootstrap)
    everything = np.ones(len(table.keys), dtype=bool)
    micro, macro = means.summary(everything), means.macro(everything)
    languages = {name: table.language == code for code, name in enumerate(table.languages)}
    return RunSummary(
        label=label,
        facts=run.facts,
        headline=_headline(micro, macro, rubric, means),
        micro=micro,
        macro=macro,
        categories={name: means.summary(table.category == code) for code, name in enumerate(table.categories)},
        languages={name: means.summary(chosen) for name, chosen in languages.items()},
        cells=means.cells(everything),
        subsets={name: means.subset(chosen, languages) for name, chosen in table.subsets.items()},
        language_macros={name: means.macro(chosen) for name, chosen in languages.items()},
        protocol=protocol.measure(table, rubric, bootstrap),
        histogram=_histogram(table, rubric.scale),
        mean_mass=mean(table.mass[~np.isnan(table.mass)]),
        flags=table.flags,
        reads=table.reads,
        audit=audit.examine(run, bootstrap),
        anchors=anchors,
    )


def ranked(runs: Sequence[RunSummary]) -> list[tuple[int, RunSummary]]:
    """(rank, run) by headline, the best first; equal ones share a rank, runs without one come last."""
    values = [-math.inf if run.headline.value is None else run.headline.value for run in runs]
    order = sorted(range(len(runs)), key=lambda place: (-values[place], runs[place].label))
    return [(1 + sum(value > values[place] for value in values), runs[place]) for place in order]


class _Means:
    """Of chosen samples of a run: arrays of shape (n,), True for each that counts."""

    def __init__(self, table: Rows, scale: Scale | None, bootstrap: Bootstrap) -> None:
        self.table, self.scale, self.bootstrap = table, scale, bootstrap

    def summary(self, chosen: _Chosen) -> Summary:
        table, scale = self.table, self.scale
        scored = chosen & table.scored
        values = table.score[scored]
        n, count = int(chosen.sum()), int(scored.sum())
        described = clustered.moments(values)
        counts = np.bincount(table.status[chosen], minlength=len(STATUSES))
        return Summary(
            n=n,
            scored=count,
            coverage=round(count / n, DECIMALS),
            mean=rounded(described.mean),
            std=rounded(described.std),
            q1=rounded(described.q1),
            median=rounded(described.median),
            q3=rounded(described.q3),
            min=rounded(described.min),
            max=rounded(described.max),
            top_share=rounded((values >= scale[1] - NEAR_TOP).mean()) if scale and count else None,
            interval=rounded_pair(within(self.bootstrap.mean(table.score, scored), scale)),
            mean_failures_lowest=rounded(clustered.mean_with_lowest(values, n - count, scale[0])) if scale else None,
            statuses={name: int(count) for name, count in zip(STATUSES, counts, strict=True) if count},
        )

    def macro(self, chosen: _Chosen) -> Macro:
        """Over the categories that the chosen samples are of."""
        table = self.table
        scored = chosen & table.scored
        every, counts, sums = (self._sums(*each) for each in ((chosen,), (scored,), (scored, table.score[scored])))
        there, known = every > 0, counts > 0
        lowest = (sums + (every - counts) * self.scale[0])[there] / every[there] if self.scale else []
        return Macro(
            mean=mean(self._category_means(scored)),
            interval=rounded_pair(within(self.bootstrap.macro(table.score, table.category, scored), self.scale)),
            mean_failures_lowest=mean(lowest),
            categories=int(known.sum()),
            left_out=[table.categories[code] for code in np.flatnonzero(there & ~known)],
        )

    def subset(self, chosen: _Chosen, languages: Mapping[str, _Chosen]) -> Subset:
        spoken = {name: chosen & there for name, there in languages.items()}
        macros = {name: self.macro(there) for name, there in spoken.items() if there.any()}
        return Subset(micro=self.summary(chosen), macro=self.macro(chosen), language_macros=macros, cells=self.cells(chosen))

    def cells(self, chosen: _Chosen) -> dict[str, dict[str, Summary]]:
        found = protocol.cells(self.table, chosen)
        return {language: {name: self.summary(there) for name, there in parts.items()} for language, parts in found.items()}

    def percent(self, found: Summary | Macro, percent: protocol.Percent) -> Estimate:
        """The mean of all samples, or of all categories, as the rubric shows percent; from the means before rounding."""
        scored = self.table.scored
        values = self._category_means(scored) if isinstance(found, Macro) else self.table.score[scored]
        ends = tuple(protocol.as_percent(end, percent) for end in found.interval or ())
        return Estimate(protocol.as_percent(values.mean() if len(values) else None, percent), ends or None)

    def _category_means(self, scored: _Chosen) -> NDArray[np.float64]:
        """Of the categories that have one."""
        counts = self._sums(scored)
        return (self._sums(scored, self.table.score[scored]) / np.maximum(counts, 1))[counts > 0]

    def _sums(self, chosen: _Chosen, weights: NDArray[np.float64] | None = None) -> NDArray[Any]:
        """By category."""
        return np.bincount(self.table.category[chosen], weights, minlength=len(self.table.categories))


def _headline(micro: Summary, macro: Macro, rubric: RubricFacts, means: _Means) -> Headline:
    name, found = ("macro mean", macro) if rubric.aggregate == "macro" else ("micro mean", micro)
    percent = means.percent(found, rubric.percent) if rubric.percent else None
    return Headline(name=name, value=found.mean, interval=found.interval, percent=percent)


def _histogram(table: Rows, scale: Scale | None) -> Histogram:
    scored = table.scored
    values = table.score[scored]
    if scale is None and not len(values):
        return Histogram(edges=[], counts={name: [] for name in table.categories})
    if scale is None:
        low, high = float(values.min()), float(values.max())
        scale = (low, high) if high > low else (low - 0.5, high + 0.5)
    edges = _edges(values, scale)
    count = len(edges) - 1
    bins = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, count - 1)
    counts = np.bincount(table.category[scored] * count + bins, minlength=count * len(table.categories)).reshape(-1, count)
    return Histogram(edges=edges.tolist(), counts=dict(zip(table.categories, counts.tolist(), strict=True)))


def _edges(values: NDArray[np.float64], scale: Scale) -> NDArray[np.float64]:
    if scale[1] - scale[0] < BINS and not np.any(np.mod(np.append(values, scale), 1)):
        return np.array([scale[0], *np.arange(scale[0] + 0.5, scale[1]), scale[1]])
    # Rounded as scores are, so that a score on an edge falls on its side of it.
    return np.round(np.linspace(*scale, BINS + 1), DECIMALS)
