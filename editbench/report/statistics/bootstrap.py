"""95 % intervals of means by bootstrap over groups: samples of one source picture are not independent, so groups are drawn.

Every statistic is reduced to one number a group, its influence (`clustered.influence`), and a resample draws groups with
replacement. The interval is the bootstrap-t: quantiles of

    t* = sum of drawn e / (their standard deviation * sqrt(G)),        e: the G groups' influences about their mean

take the place of Student's (Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 12.5; for clusters Cameron,
Gelbach and Miller 2008, "Bootstrap-Based Improvements for Inference with Clustered Errors", Rev. Econ. Stat. 90(3); with the
jackknife's influences MacKinnon, Nielsen and Webb 2023, "Fast and Reliable Jackknife and Bootstrap Methods for Cluster-Robust
Inference", J. Applied Econometrics 38(5)). On either side the quantile is held between Student's and twice Student's, with
Satterthwaite's degrees of freedom: groups of very uneven size would make t* too narrow, and a few groups infinite, since a
resample may hold one group only. An end may lie beyond the rubric's scale.

How many of 1,000 intervals of simulated benchmarks hold the true mean, lowest and highest over three kinds of scores (normal,
skewed on 0..10, mostly failures), with samples of a group correlated at 0.5: `python tests/benchmarks/coverage.py`

                                            this module       Student's t       percentiles
    9 groups of 3 to 6 samples              93.7 % - 95.9 %   90.0 % - 95.1 %   87.1 % - 91.1 %
    54 groups of very mixed size            94.7 % - 95.3 %   92.9 % - 94.6 %   91.9 % - 93.2 %
    270 groups of 1 to 5                    95.1 % - 95.8 %   94.7 % - 94.8 %   94.3 % - 95.2 %
    macro of five categories, 9 groups      93.2 % - 95.0 %   91.0 % - 93.7 %   87.4 % - 88.7 %
    macro, 54 groups                        94.4 % - 95.1 %   94.3 % - 94.6 %   93.7 % - 94.1 %
    macro, 270 groups                       95.4 % - 95.9 %   94.6 % - 95.9 %   94.4 % - 95.8 %
    macro, 3 groups a category              95.1 % - 96.2 %   94.9 % - 95.9 %   89.3 % - 92.2 %
    4 groups of 3 to 6                      93.1 % - 97.0 %   88.4 % - 95.2 %   78.9 % - 83.1 %

Samples taken one by one, as if they were independent, would cover 65 % to 90 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np

from editbench.report.statistics import RESAMPLES, SEED
from editbench.report.statistics.clustered import LEVEL, Bools, Codes, Floats, Influence, Interval, influence, t_quantile

WIDEST = 2.0
"""Times Student's quantile."""
FEW_GROUPS = 1_000
"""Up to so many groups are drawn one by one; above, by cells of groups of nearly equal influence."""
CELLS = 128
_NEGLIGIBLE = 1e-12
"""Share of the greatest value below which an error is a rounding error."""
_EVEN = 1e-6
"""Share of the error below which the spread of a resample is a rounding error: it is the root of a difference."""
_BLOCK = 1_000_000  # draws held at once: 8 MB an array, which stays near the processor


class Bootstrap:
    """Intervals for statistics of samples in groups; equal arguments give equal intervals.

    Args:
        groups: shape (n,), an integer a group.
        resamples: how many.
        seed: of the draws. Statistics over equally many groups see the same draws.
    """

    def __init__(self, groups: Codes, resamples: int = RESAMPLES, seed: int = SEED) -> None:
        self.groups = groups
        self.resamples = resamples
        self.seed = seed
        # A rubric's only criterion is its score, and a benchmark's only language all of it: the same numbers again.
        self._quantiles: dict[bytes, Interval] = {}

    def mean(self, values: Floats, mask: Bools | None = None) -> Interval | None:
        """95 % interval of the mean of `values`; None below two groups.

        Args:
            values: shape (n,).
            mask: which samples count, shape (n,); None for all.

        Raises:
            UserError: scipy is not installed.
        """
        index = slice(None) if mask is None else mask
        return self.interval(influence(values[index], self.groups[index]))

    def macro(self, values: Floats, strata: Codes, mask: Bools | None = None) -> Interval | None:
        """95 % interval of the unweighted mean of the strata's means; None when a stratum has fewer than two groups.

        Args:
            values: shape (n,).
            strata: shape (n,), an integer a stratum; a group may span several. Those without a sample in the mask are left out.
            mask: which samples count, shape (n,); None for all.

        Raises:
            UserError: scipy is not installed.
        """
        index = slice(None) if mask is None else mask
        return self.interval(influence(values[index], self.groups[index], strata[index]))

    def interval(self, influence: Influence | None) -> Interval | None:
        """95 % interval of a statistic whose groups' influences are known: (x, x) when all are 0; None without influences."""
        if influence is None:
            return None
        if influence.error <= _NEGLIGIBLE * influence.greatest:
            return influence.value, influence.value
        key = influence.groups.tobytes()
        if key not in self._quantiles:
            self._quantiles[key] = studentised(influence.groups, self.resamples, self.seed)
        low, high = self._quantiles[key]
        student = t_quantile(influence.degrees, LEVEL)
        below, above = np.clip([high, -low], student, WIDEST * student) * influence.error
        return float(influence.value - below), float(influence.value + above)


def studentised(influences: Floats, resamples: int, seed: int) -> Interval:
    """The 2.5 % and 97.5 % quantiles of t*, infinite where too many resamples have no spread.

    Args:
        influences: shape (G,).
    """
    count = len(influences)
    centred = influences - influences.mean()
    error = np.sqrt(np.square(centred).sum())
    sums, squares = np.concatenate(list(_draw(centred, resamples, seed)), axis=1)
    spreads = np.sqrt(np.maximum(squares - sums**2 / count, 0) * count / (count - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(spreads > _EVEN * error, sums / spreads, np.copysign(np.inf, sums))
    ratios[np.abs(sums) <= _EVEN * error] = 0.0
    low, high = np.quantile(ratios, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="inverted_cdf")
    return float(low), float(high)


def joint(influences: Floats, resamples: int, seed: int) -> Floats:
    """By how much k statistics move together when groups are resampled: shape (resamples, k). Equal statistics move alike.

    Of more than FEW_GROUPS groups, drawn from the normal limit of their sums.

    Args:
        influences: shape (G, k).
    """
    columns = [column - column.mean() for column in np.ascontiguousarray(influences.T)]
    # Rounding may set even equal ones apart in a product.
    different = {column.tobytes(): column for column in columns}
    moves = dict(zip(different, _joint(list(different.values()), resamples, seed), strict=True))
    return np.stack([moves[column.tobytes()] for column in columns], axis=1)


def _joint(columns: Sequence[Floats], resamples: int, seed: int) -> Iterable[Floats]:
    """The moves of each statistic, shape (resamples,); `columns`: centred, shape (G,)."""
    count = len(columns[0])
    if count > FEW_GROUPS:
        normal = np.random.default_rng(seed).standard_normal((resamples, len(columns)))
        return [(normal * factors).sum(axis=1) for factors in cholesky(columns)]
    blocks = [[column.take(drawn).sum(axis=1) for column in columns] for drawn in _drawn(count, resamples, seed)]
    return np.concatenate(blocks, axis=1)


def cholesky(columns: Sequence[Floats]) -> Floats:
    """The lower triangular L, shape (k, k), of L L' = the products of k columns with each other.

    Columns may depend on each other. numpy's own wants them independent, and goes through a BLAS.
    """
    rest = np.array([[(first * second).sum() for second in columns] for first in columns])
    least = _NEGLIGIBLE * rest.diagonal()
    factors = np.zeros_like(rest)
    for index in range(len(columns)):
        if rest[index, index] > least[index]:
            factors[index:, index] = rest[index:, index] / np.sqrt(rest[index, index])
            rest -= np.multiply.outer(factors[:, index], factors[:, index])
    return factors


def _draw(values: Floats, resamples: int, seed: int) -> Iterator[Floats]:
    """Sums and sums of squares of as many values drawn with replacement: (2, b) in blocks of b resamples.

    Of more than FEW_GROUPS values, CELLS cells of equal width are drawn from instead, each standing for its values' mean and
    mean square. This moves the ends of an interval by at most 0.02 standard errors, as another seed does by itself
    (tests/benchmarks/coverage.py: 1,001 and 10,000 groups, values 0..10 or heavy-tailed, 100,000 resamples).
    """
    count = len(values)
    if count > FEW_GROUPS:
        sizes, *columns = _cells(values)
        times = np.random.default_rng(seed).multinomial(count, sizes / count, size=resamples)
        yield np.stack([(times * column).sum(axis=1) for column in columns])
        return
    for index in _drawn(count, resamples, seed):
        drawn = values.take(index)
        yield np.stack([drawn.sum(axis=1), np.square(drawn, out=drawn).sum(axis=1)])


def _drawn(count: int, resamples: int, seed: int) -> Iterable[Codes]:
    """For each of b resamples, `count` draws of 0 .. count - 1: (b, count), in blocks whose size changes no draw."""
    if count * resamples <= _BLOCK:
        return (_block(count, resamples, seed),)
    step, random = max(1, _BLOCK // count), np.random.default_rng(seed)
    return (random.integers(count, size=(min(step, resamples - start), count)) for start in range(0, resamples, step))


@lru_cache(maxsize=4)
def _block(count: int, resamples: int, seed: int) -> Codes:
    """Cached: a sample set's score, criteria and steps are mostly over equally many groups, and drawing takes the most time."""
    return np.random.default_rng(seed).integers(count, size=(resamples, count))


def _cells(values: Floats) -> tuple[Codes, Floats, Floats]:
    """How many values each cell of equal width has, their mean, and their mean square; shape (cells,)."""
    low, width = values.min(), np.ptp(values) / CELLS
    cell = np.minimum((values - low) / width, CELLS - 1).astype(np.int64)
    sizes = np.bincount(cell)
    present, sums, squares = sizes > 0, np.bincount(cell, values), np.bincount(cell, values**2)
    return sizes[present], sums[present] / sizes[present], squares[present] / sizes[present]
