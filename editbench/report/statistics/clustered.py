"""Statistics on numpy arrays: summaries, and how much each group of samples moves a mean.

Every function is pure. Intervals from the influences are made in the module `bootstrap`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from editbench.errors import UserError

LEVEL = 0.95

Bools = NDArray[np.bool_]
Codes = NDArray[np.int64]
Floats = NDArray[np.float64]
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic and its 95 % interval."""

    value: float | None
    """None where the statistic is undefined."""
    interval: Interval | None


class Moments(NamedTuple):
    """What describes n values; `std` is that of a sample (n - 1), None below two values; all None when there is no value."""

    mean: float | None = None
    std: float | None = None
    q1: float | None = None
    median: float | None = None
    q3: float | None = None
    min: float | None = None
    max: float | None = None


class Influence(NamedTuple):
    """A mean, or a mean of means, and what each of its groups contributes to its error."""

    value: float
    groups: Floats
    """Shape (G,): by how much the statistic moves with the group, as the jackknife tells (see `influence`)."""
    degrees: float
    """Degrees of freedom of `error`."""
    greatest: float
    """Greatest absolute value of a sample; what rounding errors are measured by."""

    @property
    def error(self) -> float:
        """The standard error, clustered by group."""
        return math.sqrt(np.square(self.groups).sum())


def moments(values: Floats) -> Moments:
    """Describe `values`, shape (n,); quartiles are interpolated linearly (Hyndman and Fan 1996, type 7)."""
    if not len(values):
        return Moments()
    std = float(values.std(ddof=1)) if len(values) > 1 else None
    low, q1, median, q3, high = np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist()
    return Moments(float(values.mean()), std, q1, median, q3, low, high)


def macro_mean(values: Floats, strata: Codes | None = None) -> float | None:
    """The unweighted mean of the strata's means (the plain mean, without `strata`), shapes (n,); None without values."""
    if not len(values):
        return None
    if strata is None:
        return float(values.mean())
    count, strata = dense(strata)
    return float((np.bincount(strata, values, minlength=count) / np.bincount(strata)).mean())


def influence(values: Floats, groups: Codes, strata: Codes | None = None) -> Influence | None:
    """The unweighted mean of the strata's means (the plain mean, without `strata`), and its groups' influences.

    Without group g, stratum c's mean moves by r_gc / (N_c - n_gc), where r_gc is the sum over the group of (x - mean_c), n_gc
    its samples and N_c the stratum's. Its influence is e_g = sum_c sqrt((G_c - 1) / G_c) r_gc / (C (N_c - n_gc)) for C strata
    of G_c groups, and se^2 = sum_g e_g^2: the cluster jackknife, CR3 (MacKinnon, Nielsen and Webb 2023, J. Applied Econometrics
    38(5)); with one stratum of groups of equal size that of Cameron and Miller 2015, J. Human Resources 50(2). A group may span
    strata. The degrees of freedom are Satterthwaite's over the strata (Biometrics Bulletin 2, 1946), at most G - 1.

    Args:
        values: shape (n,).
        groups, strata: shape (n,), an integer each.

    Returns:
        None when there are no values, or a stratum has fewer than two groups: its spread between groups can't be known.
    """
    if not len(values):
        return None
    group_count, groups = dense(groups)
    strata_count, strata = (1, np.zeros_like(groups)) if strata is None else dense(strata)
    # A cell is a group's samples in one stratum.
    cells, cell = (np.arange(group_count), groups) if strata_count == 1 else _unique(strata * group_count + groups)
    stratum = cells // group_count
    groups_in = np.bincount(stratum)
    if groups_in.min() < 2:
        return None
    sizes, sizes_in = np.bincount(strata), np.bincount(cell)
    means = np.bincount(strata, values) / sizes
    moves = np.bincount(cell, values - means[strata]) / (sizes[stratum] - sizes_in)
    shares = moves * np.sqrt((groups_in - 1) / groups_in)[stratum] / strata_count
    degrees = _degrees(_sums(stratum, shares**2), groups_in, group_count - 1)
    influences = _sums(cells % group_count, shares)
    return Influence(float(means.mean()), influences, degrees, float(np.abs(values).max()))


def _sums(codes: Codes, values: Floats) -> Floats:
    """The sum of the values of each code 0, 1, ..."""
    return np.bincount(codes, values).astype(np.float64, copy=False)


def dense(codes: Codes) -> tuple[int, Codes]:
    """How many distinct codes there are, and the rank of each among them; of at least one code."""
    distinct, ranks = _unique(codes)
    return len(distinct), ranks


def t_quantile(degrees: float, level: float) -> float:
    """The two-sided quantile of Student's t.

    Raises:
        UserError: scipy is not installed.
    """
    try:
        # scipy.special takes 0.13 s to import, scipy.stats a second.
        from scipy.special import stdtrit
    except ModuleNotFoundError:
        raise UserError("intervals need scipy", "Install it with: pip install 'editbench[report]'") from None
    return float(stdtrit(degrees, (1 + level) / 2))


def _unique(codes: Codes) -> tuple[Codes, Codes]:
    """The distinct codes, and the index of each code into them. Codes that are dense enough need no sorting."""
    low, high = int(codes.min()), int(codes.max())
    if high - low > 4 * len(codes):
        return np.unique(codes, return_inverse=True)
    distinct = np.flatnonzero(np.bincount(codes - low))
    index = np.empty(high - low + 1, dtype=np.int64)
    index[distinct] = np.arange(len(distinct))
    return distinct + low, index[codes - low]


def _degrees(variances: Floats, groups_in: Codes, limit: int) -> float:
    """Satterthwaite's degrees of freedom of a sum of strata's variances, at most `limit`."""
    if len(variances) == 1 or not variances.any():
        return limit
    return min(limit, float(variances.sum() ** 2 / (variances**2 / (groups_in - 1)).sum()))
