"""The numbers that a benchmark's own protocol asks for, as the rubric's headline tells: percent, accuracy, criteria, pools.

All are over the scored samples. A pool takes all values of all criteria of its samples alike: a sample with four criteria
weighs more in it than one with three, which is why it differs from the mean of the samples' scores.

>>> protocol.measure(run.rows, run.facts.rubric, bootstrap).pools["overall"].percent
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import overload

import numpy as np

from editbench.records import PARTIAL
from editbench.report.records.rows import Rows
from editbench.report.records.runs import RubricFacts
from editbench.report.statistics import clustered
from editbench.report.statistics.bootstrap import Bootstrap
from editbench.report.statistics.clustered import Bools, Floats, Interval
from editbench.report.statistics.rounding import rounded, rounded_pair, within

TOP = 0.5
"""A mean of votes or of a distribution is at the top of its range when it is at most this far below it."""

Percent = tuple[float, float]
"""(offset, factor)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolMean:
    """The mean of what a protocol counts: a criterion, a step, a pool or an accuracy."""

    n: int
    """Values: one a sample that has it; in a pool, all criteria of all samples."""
    mean: float | None
    interval: tuple[float, float] | None
    """95 % interval of the mean, clustered by group."""
    percent: float | None
    """factor * (mean - offset) where the rubric shows percent; of an accuracy, 100 times the mean."""
    macro: float | None = None
    """The unweighted mean of the categories' means; None for pools and an accuracy."""
    mean_failures_lowest: float | None = None
    """An accuracy over all samples, those without a score counting as below the top; None for anything else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolPart:
    """The protocol's numbers of some samples, such as those of a category or of a language."""

    percent: float | None
    """The mean score on the rubric's percent scale."""
    criteria: Mapping[str, ProtocolMean]
    steps: Mapping[str, ProtocolMean]
    accuracy: ProtocolMean | None


Cells = Mapping[str, Mapping[str, ProtocolPart]]
"""The protocol's numbers by language and category."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolSubset:
    """The protocol's numbers of samples that the benchmark also counts by themselves."""

    whole: ProtocolPart
    languages: Mapping[str, ProtocolPart]
    cells: Cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """The protocol's numbers of a run."""

    percent: Percent | None
    """(offset, factor) of what is shown as percent."""
    criteria: Mapping[str, ProtocolMean]
    steps: Mapping[str, ProtocolMean]
    pools: Mapping[str, ProtocolMean]
    accuracy: ProtocolMean | None
    """Share of samples whose every criterion is at its highest, 0..1; None unless the rubric asks for it."""
    categories: Mapping[str, ProtocolPart]
    languages: Mapping[str, ProtocolPart]
    cells: Cells
    subsets: Mapping[str, ProtocolSubset]


def cells(rows: Rows, mask: Bools) -> dict[str, dict[str, Bools]]:
    """Masks, shape (n,), of the samples of each language and category, by both names; those that have a sample of `mask`."""
    masks: dict[str, dict[str, Bools]] = {}
    for language, spoken in rows.by_language.items():
        own = {category: mask & spoken & of_category for category, of_category in rows.by_category.items()}
        masks[language] = {category: cell for category, cell in own.items() if cell.any()}
    return {name: row for name, row in masks.items() if row}


def measure(rows: Rows, rubric: RubricFacts, bootstrap: Bootstrap) -> Protocol:
    """The protocol's numbers of a run. `bootstrap`: over the groups of `rows`."""
    parts = _Parts(rows, rubric, bootstrap)
    everything = np.ones(len(rows.keys), dtype=bool)
    whole = parts.part(everything)
    return Protocol(
        percent=rubric.headline.percent,
        criteria=whole.criteria,
        steps=whole.steps,
        pools=parts.pools(),
        accuracy=whole.accuracy,
        categories={name: parts.part(mask) for name, mask in rows.by_category.items()},
        languages=parts.languages(everything),
        cells=parts.cells(everything),
        subsets={name: parts.subset(mask) for name, mask in rows.subsets.items()},
    )


@overload
def as_percent(value: float, percent: Percent) -> float: ...
@overload
def as_percent(value: float | None, percent: Percent | None) -> float | None: ...
def as_percent(value: float | None, percent: Percent | None) -> float | None:
    """factor * (value - offset), rounded; None where either is."""
    return None if value is None or percent is None else rounded(percent[1] * (value - percent[0]))


class _Parts:
    """The protocol's numbers of some of a run's samples, which a mask of shape (n,) names."""

    def __init__(self, rows: Rows, rubric: RubricFacts, bootstrap: Bootstrap) -> None:
        self.rows, self.rubric, self.bootstrap = rows, rubric, bootstrap
        self.percent = rubric.headline.percent
        known = rows.criteria.keys() <= rubric.criteria.keys()
        self.top = _at_the_top(rows, rubric) if rubric.headline.accuracy and known else None

    def part(self, mask: Bools) -> ProtocolPart:
        """The numbers of the samples of a mask."""
        rows, scored = self.rows, mask & self.rows.scored
        return ProtocolPart(
            percent=as_percent(clustered.macro_mean(rows.score[scored]), self.percent),
            criteria=self._columns(rows.criteria, scored, self.percent),
            steps=self._columns(rows.steps, scored, None),
            accuracy=None if self.top is None else self._accuracy(self.top, mask),
        )

    def languages(self, mask: Bools) -> dict[str, ProtocolPart]:
        spoken = {name: mask & of_language for name, of_language in self.rows.by_language.items()}
        return {name: self.part(some) for name, some in spoken.items() if some.any()}

    def cells(self, mask: Bools) -> Cells:
        masks = cells(self.rows, mask)
        return {language: {name: self.part(cell) for name, cell in row.items()} for language, row in masks.items()}

    def subset(self, mask: Bools) -> ProtocolSubset:
        return ProtocolSubset(whole=self.part(mask), languages=self.languages(mask), cells=self.cells(mask))

    def _accuracy(self, top: Floats, mask: Bools) -> ProtocolMean:
        known = mask & self.rows.scored & ~np.isnan(top)
        over_all = top[known].sum() / mask.sum() if known.any() else None
        mean = _mean(top, known, self.bootstrap, (0, 100), (0.0, 1.0))
        return replace(mean, mean_failures_lowest=rounded(over_all))

    def pools(self) -> dict[str, ProtocolMean]:
        """The rubric's pools that have samples."""
        rows, criteria = self.rows, self.rows.criteria
        if not criteria:
            return {}
        names = [self.rubric.canonical(name) for name in rows.categories]
        values = np.concatenate(list(criteria.values()))
        bootstrap = Bootstrap(np.tile(rows.group, len(criteria)), self.bootstrap.resamples, self.bootstrap.seed)
        means = {}
        for pool, members in self.rubric.headline.pools.items():
            scored = np.isin(names, members)[rows.category] & rows.scored
            known = np.tile(scored, len(criteria)) & ~np.isnan(values)
            if known.any():
                means[pool] = _mean(values, known, bootstrap, self.percent)
        return means

    def _columns(self, columns: Mapping[str, Floats], mask: Bools, percent: Percent | None) -> dict[str, ProtocolMean]:
        """The means of the columns that any sample of the mask has."""
        means = {}
        for name, values in columns.items():
            known = mask & ~np.isnan(values)
            if known.any():
                mean = _mean(values, known, self.bootstrap, percent, self.rubric.criteria.get(name))
                macro = clustered.macro_mean(values[known], self.rows.category[known])
                means[name] = replace(mean, macro=rounded(macro))
        return means


def _mean(
    values: Floats, mask: Bools, bootstrap: Bootstrap, percent: Percent | None, span: Interval | None = None
) -> ProtocolMean:
    """`span`: lowest and highest possible value, where they are known."""
    mean = clustered.macro_mean(values[mask])
    interval = rounded_pair(within(bootstrap.mean(values, mask), span))
    return ProtocolMean(n=int(mask.sum()), mean=rounded(mean), interval=interval, percent=as_percent(mean, percent))


def _at_the_top(rows: Rows, rubric: RubricFacts) -> Floats:
    """1 where every criterion that a sample was rated on is known and at its highest, else 0; NaN where it has none.

    Raises KeyError for criteria whose range the rubric doesn't tell.
    """
    rated, none = (np.zeros(len(rows.keys), dtype=bool) for _ in range(2))
    below = rows.flagged.get(PARTIAL, none).copy()
    for name, values in rows.criteria.items():
        known = ~np.isnan(values)
        rated |= known
        below |= known & (values < rubric.criteria[name][1] - TOP)
    return np.where(rated, ~below, np.nan)
