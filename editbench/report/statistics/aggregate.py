"""From rows to the numbers of the report.

Numbers are rounded once (see `rounding`). What can't be computed is None, never NaN and never 0. Every dataclass here and in
`protocol`, `audit` and `anchors` is written to report.json with the names of its fields.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from editbench.report.records.rows import Rows, Scale
from editbench.report.records.runs import MACRO_MEAN, Facts, ScoredRun
from editbench.report.statistics import audit, clustered, headline, protocol
from editbench.report.statistics.anchors import Anchors
from editbench.report.statistics.audit import Audit
from editbench.report.statistics.bootstrap import RESAMPLES, SEED, Bootstrap
from editbench.report.statistics.clustered import Bools, Estimate, Floats
from editbench.report.statistics.protocol import Protocol
from editbench.report.statistics.rounding import DECIMALS, mean, rounded, rounded_pair, within
from editbench.usage import Usage

BINS = 20
"""Number of bins of a histogram."""
NEAR_TOP = 0.5
"""Scores at most this far below the scale's top are at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Statistics of some samples of a run. Means and spread are over the scored ones (status ok)."""

    n: int
    scored: int
    coverage: float
    """scored / n."""
    mean: float | None
    std: float | None
    """Standard deviation of a sample (n - 1)."""
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
    """95 % interval, clustered by group; None when a category has fewer than two groups."""
    mean_failures_lowest: float | None
    categories: int
    """Categories that have a mean."""
    left_out: list[str]
    """Categories without any scored sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The one number that the rubric ranks runs by."""

    title: str
    """What the benchmark itself calls it; "" where it has no name of its own."""
    name: str
    """`micro mean` or `macro mean`: they differ wherever categories have unlike numbers of samples."""
    value: float | None
    interval: tuple[float, float] | None
    percent: Estimate | None
    """Value and interval on the rubric's percent scale; None where it has none."""

    @property
    def full_name(self) -> str:
        return f"{self.title}, {self.name}" if self.title else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetSummary:
    """Statistics of samples that the benchmark also counts by themselves."""

    micro: Summary
    macro: Macro
    language_macros: Mapping[str, Macro]
    cells: Mapping[str, Mapping[str, Summary]]
    """Statistics by language and category."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts of scores. Bin i holds edges[i] <= score < edges[i + 1], the last one its upper edge too."""

    edges: list[float]
    """Ends of the bins, over the rubric's scale, or over the scores where it tells none; empty without either. Whole
    scores, if they are few, have a bin each."""
    counts: dict[str, list[int]]
    """Counts of each bin, by category."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One score folder: what made it, and its numbers."""

    label: str
    facts: Facts
    headline: Headline
    micro: Summary
    """Statistics of all samples, which count alike."""
    macro: Macro
    categories: Mapping[str, Summary]
    languages: Mapping[str, Summary]
    cells: Mapping[str, Mapping[str, Summary]]
    """Statistics by language and category."""
    subsets: Mapping[str, SubsetSummary]
    language_macros: Mapping[str, Macro]
    """Macro means over the categories within each language."""
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
    tokens: Usage | None = None
    """What a served judge has used; None for others."""

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
            "rubric": {
                "name": facts.rubric.name,
                "version": str(facts.rubric.version),
                "digest": facts.rubric.digest,
                "scale": facts.rubric.scale,
                "partial": facts.rubric.partial,
            },
            "board": board,
            "headline": self.headline,
            "overall": {"micro": self.micro, "macro": self.macro},
            "statuses": self.micro.statuses,
            **{name: getattr(self, name) for name in _DUMPED},
            **({"tokens": self.tokens} if self.tokens else {}),
            "warnings": warnings,
        }


_DUMPED = (
    *("categories", "languages", "cells", "subsets", "language_macros", "protocol", "histogram"),
    *("mean_mass", "reads", "flags", "audit", "anchors"),
)


def summarise(
    run: ScoredRun, label: str, *, resamples: int = RESAMPLES, seed: int = SEED, anchors: Anchors | None = None
) -> RunSummary:
    """All numbers of one run. Its intervals come from one bootstrap of `resamples` draws; `anchors`: see `anchors.shifts`."""
    rows, rubric = run.rows, run.facts.rubric
    bootstrap = Bootstrap(rows.group, resamples, seed)
    summaries = _Summaries(rows, rubric.scale, bootstrap)
    everything = np.ones(len(rows.keys), dtype=bool)
    micro, macro = summaries.micro(everything), summaries.macro(everything)
    return RunSummary(
        label=label,
        facts=run.facts,
        headline=_headline(run, micro, macro),
        micro=micro,
        macro=macro,
        categories={name: summaries.micro(mask) for name, mask in rows.by_category.items()},
        languages={name: summaries.micro(mask) for name, mask in rows.by_language.items()},
        cells=summaries.cells(everything),
        subsets={name: summaries.subset(mask) for name, mask in rows.subsets.items()},
        language_macros={name: summaries.macro(mask) for name, mask in rows.by_language.items()},
        protocol=protocol.measure(rows, rubric, bootstrap),
        histogram=_histogram(rows, rubric.scale),
        mean_mass=mean(rows.mass[~np.isnan(rows.mass)]),
        flags=rows.flags,
        reads=rows.reads,
        audit=audit.examine(run, bootstrap),
        anchors=anchors,
        tokens=run.tokens,
    )


def ranked(runs: Sequence[RunSummary]) -> list[tuple[int, RunSummary]]:
    """(rank, run) by headline, the best first; equal ones share a rank, runs without one come last."""
    values = {run.label: -math.inf if run.headline.value is None else run.headline.value for run in runs}
    ordered = sorted(runs, key=lambda run: (-values[run.label], run.label))
    return [(1 + sum(value > values[run.label] for value in values.values()), run) for run in ordered]


class _Summaries:
    """Summaries of some of a run's samples, which a mask of shape (n,) names."""

    def __init__(self, rows: Rows, scale: Scale | None, bootstrap: Bootstrap) -> None:
        self.rows, self.scale, self.bootstrap = rows, scale, bootstrap
        # What the mean is over when failures count as the lowest score.
        self.filled = np.where(rows.scored, rows.score, scale[0]) if scale else None

    def micro(self, mask: Bools) -> Summary:
        """Statistics of the samples of a mask, which count alike."""
        rows, scale = self.rows, self.scale
        scored = mask & rows.scored
        values = rows.score[scored]
        n, count = int(mask.sum()), len(values)
        moments = clustered.moments(values)
        return Summary(
            n=n,
            scored=count,
            coverage=round(count / n, DECIMALS),
            **{name: rounded(value) for name, value in moments._asdict().items()},
            top_share=mean(values >= scale[1] - NEAR_TOP) if scale else None,
            interval=rounded_pair(within(self.bootstrap.mean(rows.score, scored), scale)),
            mean_failures_lowest=None if self.filled is None else mean(self.filled[mask]),
            statuses=rows.statuses(mask),
        )

    def macro(self, mask: Bools) -> Macro:
        """Means of the categories that samples of a mask are of, which count alike."""
        rows, scored = self.rows, mask & self.rows.scored
        present, known = (np.bincount(rows.category[some], minlength=len(rows.categories)) > 0 for some in (mask, scored))
        lowest = None if self.filled is None else clustered.macro_mean(self.filled[mask], rows.category[mask])
        return Macro(
            mean=rounded(clustered.macro_mean(rows.score[scored], rows.category[scored])),
            interval=rounded_pair(within(self.bootstrap.macro(rows.score, rows.category, scored), self.scale)),
            mean_failures_lowest=rounded(lowest),
            categories=int(known.sum()),
            left_out=[rows.categories[code] for code in np.flatnonzero(present & ~known).tolist()],
        )

    def subset(self, mask: Bools) -> SubsetSummary:
        """Statistics of the samples of a mask, by language and category too."""
        by_language = {name: mask & language for name, language in self.rows.by_language.items()}
        macros = {name: self.macro(some) for name, some in by_language.items() if some.any()}
        return SubsetSummary(micro=self.micro(mask), macro=self.macro(mask), language_macros=macros, cells=self.cells(mask))

    def cells(self, mask: Bools) -> dict[str, dict[str, Summary]]:
        """Summaries by language and category."""
        masks = protocol.cells(self.rows, mask)
        return {language: {name: self.micro(cell) for name, cell in row.items()} for language, row in masks.items()}


def _headline(run: ScoredRun, micro: Summary, macro: Macro) -> Headline:
    facts = run.facts.rubric.headline
    mean, interval = (macro.mean, macro.interval) if facts.name == MACRO_MEAN else (micro.mean, micro.interval)
    if facts.percent is None:
        return Headline(title=facts.title, name=facts.name, value=mean, interval=interval, percent=None)
    value = protocol.as_percent(headline.number(run), facts.percent)
    ends = interval and (protocol.as_percent(interval[0], facts.percent), protocol.as_percent(interval[1], facts.percent))
    return Headline(title=facts.title, name=facts.name, value=mean, interval=interval, percent=Estimate(value, ends))


def _histogram(rows: Rows, scale: Scale | None) -> Histogram:
    values = rows.score[rows.scored]
    if scale is None and not len(values):
        return Histogram(edges=[], counts={name: [] for name in rows.categories})
    if scale is None:
        low, high = float(values.min()), float(values.max())
        scale = (low, high) if high > low else (low - 0.5, high + 0.5)
    edges = _edges(values, scale)
    bins = len(edges) - 1
    index = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, bins - 1)
    counts = np.bincount(rows.category[rows.scored] * bins + index, minlength=bins * len(rows.categories)).reshape(-1, bins)
    return Histogram(edges=edges.tolist(), counts=dict(zip(rows.categories, counts.tolist(), strict=True)))


def _edges(values: Floats, scale: Scale) -> Floats:
    if scale[1] - scale[0] < BINS and not np.any(np.mod(np.append(values, scale), 1)):
        return np.array([scale[0], *np.arange(scale[0] + 0.5, scale[1]), scale[1]])
    # Rounded as scores are, so that a score on an edge falls on its side of it.
    return np.round(np.linspace(*scale, BINS + 1), DECIMALS)
