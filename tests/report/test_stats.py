from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from scipy import stats as scipy_stats

from editbench.errors import UserError
from editbench.report import stats

X = np.array([1.0, 3.0, 5.0, 7.0])
ALONE = np.arange(4)


def test_moments_of_four_values() -> None:
    assert stats.moments(X) == pytest.approx((4.0, math.sqrt(20 / 3), 4.0, 1.0, 7.0))


def test_one_value_has_no_spread_and_none_has_nothing() -> None:
    assert stats.moments(np.array([2.0])) == (2.0, None, 2.0, 2.0, 2.0)
    assert stats.moments(np.array([])) == (None,) * 5


def test_failures_count_at_the_lowest_score() -> None:
    assert stats.mean_with_lowest(X, 4, 1.0) == (16 + 4) / 8
    assert stats.mean_with_lowest(np.array([]), 0, 1.0) is None


def test_interval_of_samples_alone_is_the_ordinary_t_interval() -> None:
    expected = scipy_stats.t.interval(0.95, 3, loc=4, scale=scipy_stats.sem(X))
    assert stats.interval(X, ALONE) == pytest.approx(expected)


def test_interval_of_two_groups_by_hand() -> None:
    # Residuals -3 -1 | 1 3: sums -4 and 4; se^2 = 2/1 * (16 + 16) / 4^2 = 4; t(1 degree, 97.5 %) = tan(0.475 pi).
    half = 2 * math.tan(0.475 * math.pi)
    assert stats.interval(X, np.array([8, 8, 3, 3])) == pytest.approx((4 - half, 4 + half))


def test_interval_of_uneven_groups_by_hand() -> None:
    # Residuals -3 | -1 | 1 3: sums -3, -1, 4; se^2 = 3/2 * 26 / 16; t(2 degrees, 97.5 %) = 4.302653.
    half = 4.302653 * math.sqrt(1.5 * 26 / 16)
    assert stats.interval(X, np.array([0, 1, 2, 2])) == pytest.approx((4 - half, 4 + half))


def test_missing_scipy_is_told_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    with pytest.raises(UserError) as caught:
        stats.interval(X, ALONE)
    assert "editbench[report]" in caught.value.remedy


def test_one_group_has_no_interval() -> None:
    assert stats.interval(X, np.zeros(4, dtype=int)) is None
    assert stats.interval(np.array([]), np.array([], dtype=int)) is None


def test_interval_over_strata_with_groups_of_their_own_is_the_stratified_one() -> None:
    values, strata = np.array([1.0, 3.0, 5.0, 9.0, 4.0]), np.array([0, 0, 1, 1, 1])
    variances = np.array([values[:2].var(ddof=1) / 2, values[2:].var(ddof=1) / 3]) / 4  # of each stratum's half of the mean
    degrees = variances.sum() ** 2 / (variances**2 / [1, 2]).sum()
    half = scipy_stats.t.ppf(0.975, degrees) * math.sqrt(variances.sum())
    assert stats.interval(values, np.arange(5), strata) == pytest.approx((4 - half, 4 + half))


def test_groups_that_span_strata_are_added_up_before_squaring() -> None:
    # Each group is low in one stratum by what it is high in the other, so the mean of the two does not vary.
    values, groups, strata = np.array([1.0, 3.0, 8.0, 6.0]), np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    assert stats.interval(values, groups, strata) == pytest.approx((4.5, 4.5))


def test_a_stratum_of_one_group_has_no_macro_interval() -> None:
    assert stats.interval(X, np.array([0, 1, 2, 2]), np.array([0, 0, 1, 1])) is None


def test_interval_covers_the_truth_of_clustered_samples_about_95_times_in_100() -> None:
    random = np.random.default_rng(5)
    groups = np.repeat(np.arange(20), 3)
    found = [stats.interval(random.normal(size=20)[groups] + random.normal(size=60), groups) for _ in range(500)]
    assert 0.92 <= np.mean([low <= 0 <= high for low, high in found]) <= 0.98
