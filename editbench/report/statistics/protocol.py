"""The numbers that a benchmark's own protocol asks for, as the rubric's headline tells: percent, accuracy, criteria, pools.

All are over the scored samples. A pool takes all values of all criteria of its samples alike: a sample with four criteria
weighs more in it than one with three, which is why it differs from the mean of the samples' scores.

>>> protocol.measure(run.rows, run.facts.rubric, bootstrap).pools["overall"].percent
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from editbench.records import PARTIAL
from editbench.report.records.rows import Rows
from editbench.report.records.runs import RubricFacts
from editbench.report.statistics.bootstrap import Bootstrap
from editbench.report.statistics.clustered import Bools, Floats, Interval
from editbench.report.statistics.rounding import rounded, rounded_pair, within

TOP = 0.5
"""A mean of votes or of a distribution is at the top of its range when it is at most this far below it."""

Percent = tuple[float, float]
"""(offset, factor)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    n: int
    """Values: one a sample that has it; in a pool, all criteria of all samples."""
    mean: float | None
    interval: tuple[float, float] | None
    """95 %, clustered by group."""
    percent: float | None
    """factor * (mean - offset) where the rubric shows percent; of an accuracy, 100 times the mean."""
    macro: float | None = None
    """The unweighted mean of the categories' means; None for pools and an accuracy."""
    mean_failures_lowest: float | None = None
    """Of an accuracy: over all samples, those without a score counting as below the top. None for all else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some samples, such as those of a category or of a language."""

    percent: float | None
    """Of the mean score."""
    criteria: Mapping[str, Mean]
    steps: Mapping[str, Mean]
    accuracy: Mean | None


Cells = Mapping[str, Mapping[str, Part]]
"""By language and category."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubsetParts:
    """Samples that the benchmark also counts by themselves."""

    whole: Part
    languages: Mapping[str, Part]
    cells: Cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    percent: Percent | None
    """(offset, factor) of what is shown as percent."""
    criteria: Mapping[str, Mean]
    steps: Mapping[str, Mean]
    pools: Mapping[str, Mean]
    accuracy: Mean | None
    """Share of samples whose every criterion is at its highest, 0..1; None unless the rubric asks for it."""
    categories: Mapping[str, Part]
    languages: Mapping[str, Part]
    cells: Cells
    subsets: Mapping[str, SubsetParts]


def cells(rows: Rows, chosen: Bools) -> dict[str, dict[str, Bools]]:
    """By language and category: which of the chosen samples are of both; those that any is of."""
    found: dict[str, dict[str, Bools]] = {}
    for language, name in enumerate(rows.languages):
        spoken = chosen & (rows.language == language)
        by_category = {category: spoken & (rows.category == code) for code, category in enumerate(rows.categories)}
        found[name] = {category: there for category, there in by_category.items() if there.any()}
    return {name: there for name, there in found.items() if there}


def measure(rows: Rows, rubric: RubricFacts, bootstrap: Bootstrap) -> Protocol:
    """All of them. `bootstrap`: over the groups of `rows`."""
    means = _Means(rows, rubric, bootstrap)
    everything = np.ones(len(rows.keys), dtype=bool)
    whole = means.part(everything)
    return Protocol(
        percent=rubric.percent,
        criteria=whole.criteria,
        steps=whole.steps,
        pools=means.pools(),
        accuracy=whole.accuracy,
        categories={name: means.part(rows.category == code) for code, name in enumerate(rows.categories)},
        languages=means.languages(everything),
        cells=means.cells(everything),
        subsets={name: means.subset(chosen) for name, chosen in rows.subsets.items()},
    )


def as_percent(value: float | None, percent: Percent | None) -> float | None:
    """factor * (value - offset), rounded."""
    return None if value is None or percent is None else rounded(percent[1] * (value - percent[0]))


class _Means:
    def __init__(self, rows: Rows, rubric: RubricFacts, bootstrap: Bootstrap) -> None:
        self.rows, self.rubric, self.bootstrap = rows, rubric, bootstrap
        known = rows.criteria.keys() <= rubric.criteria.keys()
        self.top = _at_the_top(rows, rubric) if rubric.accuracy and known else None

    def part(self, chosen: Bools) -> Part:
        rows, rubric, scored = self.rows, self.rubric, chosen & self.rows.scored
        score = float(rows.score[scored].mean()) if scored.any() else None
        return Part(
            percent=as_percent(score, rubric.percent),
            criteria=self._columns(rows.criteria, scored, rubric.percent),
            steps=self._columns(rows.steps, scored, None),
            accuracy=None if self.top is None else self._accuracy(chosen, scored & ~np.isnan(self.top)),
        )

    def languages(self, chosen: Bools) -> dict[str, Part]:
        spoken = {name: chosen & (self.rows.language == code) for code, name in enumerate(self.rows.languages)}
        return {name: self.part(there) for name, there in spoken.items() if there.any()}

    def cells(self, chosen: Bools) -> Cells:
        found = cells(self.rows, chosen)
        return {language: {name: self.part(there) for name, there in parts.items()} for language, parts in found.items()}

    def subset(self, chosen: Bools) -> SubsetParts:
        return SubsetParts(whole=self.part(chosen), languages=self.languages(chosen), cells=self.cells(chosen))

    def _accuracy(self, chosen: Bools, known: Bools) -> Mean:
        found = _mean(self.top, known, self.bootstrap, (0, 100), (0.0, 1.0))
        over_all = self.top[known].sum() / chosen.sum() if known.any() else None
        return replace(found, mean_failures_lowest=rounded(over_all))

    def pools(self) -> dict[str, Mean]:
        """Those that have samples."""
        if not self.rubric.pools or not self.rows.criteria:
            return {}
        names, times = [self.rubric.canonical(name) for name in self.rows.categories], len(self.rows.criteria)
        values = np.concatenate(list(self.rows.criteria.values()))
        bootstrap = Bootstrap(np.tile(self.rows.group, times), self.bootstrap.resamples, self.bootstrap.seed)
        taken = {pool: np.isin(names, members)[self.rows.category] for pool, members in self.rubric.pools.items()}
        scored = {pool: np.tile(chosen & self.rows.scored, times) & ~np.isnan(values) for pool, chosen in taken.items()}
        return {pool: _mean(values, there, bootstrap, self.rubric.percent) for pool, there in scored.items() if there.any()}

    def _columns(self, columns: Mapping[str, Floats], chosen: Bools, percent: Percent | None) -> dict[str, Mean]:
        """Those that any of the chosen samples has."""
        present = {name: chosen & ~np.isnan(values) for name, values in columns.items()}
        return {name: self._column(name, columns[name], there, percent) for name, there in present.items() if there.any()}

    def _column(self, name: str, values: Floats, chosen: Bools, percent: Percent | None) -> Mean:
        categories = self.rows.category[chosen]
        counts = np.bincount(categories)
        means = np.bincount(categories, values[chosen])[counts > 0] / counts[counts > 0]
        found = _mean(values, chosen, self.bootstrap, percent, self.rubric.criteria.get(name))
        return replace(found, macro=rounded(means.mean()))


def _mean(values: Floats, chosen: Bools, bootstrap: Bootstrap, percent: Percent | None, span: Interval | None = None) -> Mean:
    """`span`: what values can be, if that is known."""
    n = int(chosen.sum())
    mean = float(values[chosen].mean()) if n else None
    interval = rounded_pair(within(bootstrap.mean(values, chosen), span))
    return Mean(n=n, mean=rounded(mean), interval=interval, percent=as_percent(mean, percent))


def _at_the_top(rows: Rows, rubric: RubricFacts) -> Floats:
    """1 where every criterion that a sample was asked for is known and at its highest, else 0; NaN where it has none.

    Raises KeyError for criteria whose range the rubric doesn't tell.
    """
    asked, none = (np.zeros(len(rows.keys), dtype=bool) for _ in range(2))
    below = rows.flagged.get(PARTIAL, none).copy()
    for name, values in rows.criteria.items():
        there = ~np.isnan(values)
        asked |= there
        below |= there & (values < rubric.criteria[name][1] - TOP)
    return np.where(asked, ~below, np.nan)
