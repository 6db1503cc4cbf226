from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from scipy import stats as scipy_stats

from editbench.errors import UserError
from editbench.report.statistics import clustered

X = np.array([1.0, 3.0, 5.0, 7.0])
ALONE = np.arange(4)


def test_moments_of_four_values() -> None:
    assert clustered.moments(X) == pytest.approx((4.0, math.sqrt(20 / 3), 2.5, 4.0, 5.5, 1.0, 7.0))


def test_one_value_has_no_spread_and_none_has_nothing() -> None:
    assert clustered.moments(np.array([2.0])) == (2.0, None, 2.0, 2.0, 2.0, 2.0, 2.0)
    assert clustered.moments(np.array([])) == (None,) * 7


def test_macro_mean_counts_strata_alike_whatever_their_numbers() -> None:
    assert clustered.macro_mean(X, np.array([9, 9, 9, 4])) == (3 + 7) / 2
    assert clustered.macro_mean(X) == 4
    assert clustered.macro_mean(np.array([]), np.array([], dtype=int)) is None


def test_error_of_samples_alone_is_the_ordinary_standard_error() -> None:
    influence = clustered.influence(X, ALONE)
    assert (influence.value, influence.error, influence.degrees) == pytest.approx((4, scipy_stats.sem(X), 3))


def test_influences_are_how_the_mean_moves_without_each_group() -> None:
    groups = np.array([0, 1, 2, 2])
    without = np.array([X[groups != group].mean() for group in range(3)])
    assert clustered.influence(X, groups).groups == pytest.approx((4 - without) * math.sqrt(2 / 3))


def test_error_over_strata_of_their_own_groups_is_the_stratified_one() -> None:
    values, strata = np.array([1.0, 3.0, 5.0, 9.0, 4.0]), np.array([0, 0, 1, 1, 1])
    variances = np.array([values[:2].var(ddof=1) / 2, values[2:].var(ddof=1) / 3]) / 4  # of each stratum's half of the mean
    influence = clustered.influence(values, np.arange(5), strata)
    degrees = variances.sum() ** 2 / (variances**2 / [1, 2]).sum()
    assert (influence.value, influence.error, influence.degrees) == pytest.approx((4, math.sqrt(variances.sum()), degrees))


def test_groups_that_span_strata_are_added_up_before_squaring() -> None:
    # Each group is low in one stratum by what it is high in the other, so the mean of the two does not vary.
    values, groups, strata = np.array([1.0, 3.0, 8.0, 6.0]), np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    assert clustered.influence(values, groups, strata).error == pytest.approx(0)


def test_the_numbers_that_groups_go_by_do_not_matter() -> None:
    near, far = (clustered.influence(X, np.array(groups)).groups for groups in ([3, 3, 4, 6], [-5, -5, 70, 10**12]))
    assert near.tolist() == far.tolist()


def test_a_stratum_of_one_group_has_no_influence() -> None:
    assert clustered.influence(X, np.zeros(4, dtype=int)) is None
    assert clustered.influence(np.array([]), np.array([], dtype=int)) is None
    assert clustered.influence(X, np.array([0, 1, 2, 2]), np.array([0, 0, 1, 1])) is None


def test_missing_scipy_is_told_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.special", None)
    with pytest.raises(UserError) as caught:
        clustered.t_quantile(3, 0.95)
    assert "editbench[report]" in caught.value.remedy
