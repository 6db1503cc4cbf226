"""Krippendorff's alpha: how far raters agree beyond chance, for any number of them and with ratings missing.

alpha = 1 - D_o / D_e (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"). With m_u ratings of unit u (units of
one rating are left out) and n in all: D_o = 1/n sum_u sum_{i != j} d(v_ui, v_uj)^2 / (m_u - 1), and D_e = 1/(n (n - 1)) times
the sum of d(v, v')^2 over all ordered pairs of ratings. 1 is perfect agreement, 0 is what chance gives. Distance d is v - v'
for interval data. For ordinal data it is the number of ratings from v to v', half of those at either end left out, which is
the difference of their midranks among all n: the ordinal alpha is the interval alpha of midranks.

The package `krippendorff` agrees with it (the tests compare them) but is under the GPL, has no weights, by which a thousand
resamples are measured at once here, and holds units x levels^2 numbers, which scores with decimals make too many.
"""

from __future__ import annotations

import numpy as np

from editbench.report.statistics.clustered import Bools, Floats

_NEGLIGIBLE = 1e-12  # share of the sum of squares below which a spread is a rounding error


def alpha(ratings: Floats, weights: Floats | None = None, *, ordinal: bool = False) -> Floats:
    """Krippendorff's alpha for interval or ordinal data.

    Args:
        ratings: shape (u, raters), NaN for a missing one.
        weights: shape (u, b), whole numbers: how often each unit counts; None for once.

    Returns:
        Shape (b,), or (1,) without weights; NaN where all ratings are the same, or none is of a unit with another.
    """
    weights = np.ones((1, len(ratings))) if weights is None else np.ascontiguousarray(weights.T)
    rated = ~np.isnan(ratings)
    counts = rated.sum(axis=1)
    paired = counts > 1
    if not paired.any():
        return np.full(len(weights), np.nan)
    ratings, rated, counts, weights = ratings[paired], rated[paired], counts[paired], weights[:, paired]
    # Less the lowest of all, so that equal ratings leave no rounding error.
    columns = _midranks(ratings, rated, weights) if ordinal else list(np.nan_to_num(ratings - np.nanmin(ratings)).T)
    totals, squares = sum(columns), sum(np.square(column) for column in columns)
    n, total, square = ((weights * values).sum(axis=1) for values in (counts, totals, squares))
    within = (weights * (2 * (counts * squares - np.square(totals)) / (counts - 1))).sum(axis=1)
    spread = n * square - total**2
    spread = np.where(spread > _NEGLIGIBLE * n * square, spread, np.nan)
    return 1 - within / n / (2 * spread / (n * (n - 1)))


def _midranks(ratings: Floats, rated: Bools, weights: Floats) -> list[Floats]:
    """Each rater's midranks in each resample, shape (b, u), 0 where missing. `weights`: shape (b, u)."""
    levels, codes = np.unique(ratings[rated], return_inverse=True)
    order = np.argsort(codes, kind="stable")
    drawn = weights.take(np.nonzero(rated)[0][order], axis=1)
    sizes = np.add.reduceat(drawn, np.searchsorted(codes[order], np.arange(len(levels))), axis=1)
    ranks = np.cumsum(sizes, axis=1) - sizes / 2
    code = np.zeros(rated.shape, dtype=np.int64)
    code[rated] = codes
    return [ranks.take(code[:, rater], axis=1) * rated[:, rater] for rater in range(rated.shape[1])]
