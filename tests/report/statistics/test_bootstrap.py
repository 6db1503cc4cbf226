from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from editbench.report.statistics import bootstrap, clustered
from editbench.report.statistics.bootstrap import Bootstrap
from editbench.report.statistics.clustered import Floats

SKEWED = np.random.default_rng(0).exponential(size=60)
ALONE = np.arange(60)


def coverage(groups: clustered.Codes, strata: clustered.Codes, simulations: int = 400) -> float:
    """How many intervals of the mean of skewed values hold 2; half of a value's variance is its group's."""
    random, held = np.random.default_rng(1), 0
    for _ in range(simulations):
        values = random.exponential(size=groups.max() + 1)[groups] + random.exponential(size=len(groups))
        low, high = Bootstrap(groups, 1000).macro(values, strata)
        held += low <= 2 <= high
    return held / simulations


def studentised_by_scipy(values: Floats) -> tuple[float, float]:
    """Bootstrap-t by the book, with another implementation of the resamples."""
    random = np.random.default_rng(7)
    drawn = random.choice(values, size=(20_000, len(values)))
    ratios = (drawn.mean(axis=1) - values.mean()) / scipy_stats.sem(drawn, axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return values.mean() - high * scipy_stats.sem(values), values.mean() - low * scipy_stats.sem(values)


def test_interval_of_samples_alone_is_the_bootstrap_t_where_that_is_wider_than_students() -> None:
    expected = studentised_by_scipy(SKEWED)
    student = scipy_stats.t.interval(0.95, 59, loc=SKEWED.mean(), scale=scipy_stats.sem(SKEWED))
    interval = Bootstrap(ALONE).mean(SKEWED)
    assert interval[0] == pytest.approx(student[0])
    assert interval[1] == pytest.approx(expected[1], abs=0.1 * scipy_stats.sem(SKEWED))
    assert interval[1] > student[1] + 0.2 * scipy_stats.sem(SKEWED)


def test_interval_agrees_with_scipys_bca_on_many_even_samples() -> None:
    values = np.random.default_rng(3).normal(size=500)
    expected = scipy_stats.bootstrap((values,), np.mean, n_resamples=4000, rng=np.random.default_rng(4)).confidence_interval
    assert Bootstrap(np.arange(500)).mean(values) == pytest.approx(tuple(expected), abs=0.1 * scipy_stats.sem(values))


def test_copies_of_a_sample_in_its_group_add_nothing() -> None:
    assert Bootstrap(np.repeat(ALONE, 3)).mean(np.repeat(SKEWED, 3)) == pytest.approx(Bootstrap(ALONE).mean(SKEWED))


def test_macro_of_one_stratum_is_the_mean() -> None:
    there = Bootstrap(ALONE // 3)
    assert there.macro(SKEWED, np.full(60, 7)) == there.mean(SKEWED)


def test_only_chosen_samples_count() -> None:
    chosen = ALONE < 30
    values = np.where(chosen, SKEWED, math.nan)
    assert Bootstrap(ALONE // 3).mean(values, chosen) == Bootstrap(ALONE[:30] // 3).mean(SKEWED[:30])
    assert Bootstrap(ALONE // 3).macro(values, ALONE % 2, chosen) == Bootstrap(ALONE[:30] // 3).macro(
        SKEWED[:30], ALONE[:30] % 2
    )


def test_fewer_than_two_groups_have_no_interval() -> None:
    assert Bootstrap(np.zeros(60, dtype=int)).mean(SKEWED) is None
    assert Bootstrap(np.zeros(0, dtype=int)).mean(np.zeros(0)) is None
    assert Bootstrap(ALONE).macro(SKEWED, (ALONE == 5).astype(int)) is None
    assert Bootstrap(ALONE).mean(SKEWED, ALONE < 0) is None


def test_equal_values_have_an_interval_without_width() -> None:
    assert Bootstrap(ALONE).mean(np.full(60, 0.1)) == pytest.approx((0.1, 0.1), abs=1e-15)
    low, high = Bootstrap(ALONE).macro(np.where(ALONE % 3, 0.1, 0.7), ALONE % 3)
    assert low == high == pytest.approx(0.3)


def test_two_groups_have_an_interval_of_twice_students() -> None:
    # Half the resamples hold one group twice: t* is infinite.
    half = 2 * 2 * math.tan(0.475 * math.pi)
    assert Bootstrap(np.array([8, 8, 3, 3])).mean(np.array([1.0, 3.0, 5.0, 7.0])) == pytest.approx((4 - half, 4 + half))


def test_one_failure_among_many_leaves_a_finite_interval() -> None:
    low, high = Bootstrap(ALONE).mean(np.where(ALONE, 1.0, 0.0))
    assert 0.9 < low < 59 / 60 < high < 1.05


def test_a_seed_decides_the_interval() -> None:
    intervals = [Bootstrap(ALONE, seed=seed).mean(SKEWED) for seed in (0, 0, 1)]
    assert intervals[0] == intervals[1] != intervals[2]


def test_the_size_of_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    influences = np.stack([SKEWED, SKEWED[::-1]], axis=1)
    whole = bootstrap.studentised(SKEWED, 999, 0), bootstrap.joint(influences, 999, 0)
    monkeypatch.setattr(bootstrap, "_BLOCK", 7 * 60)
    assert bootstrap.studentised(SKEWED, 999, 0) == whole[0]
    assert np.array_equal(bootstrap.joint(influences, 999, 0), whole[1])


def test_cells_of_many_groups_give_the_quantiles_of_single_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(2).pareto(3, size=1500)
    by_cells = bootstrap.studentised(values, 20_000, 0)
    monkeypatch.setattr(bootstrap, "FEW_GROUPS", 1500)
    assert by_cells == pytest.approx(bootstrap.studentised(values, 20_000, 0), abs=0.1)


@pytest.mark.parametrize("few", [1000, 10])
def test_joint_moves_vary_as_the_influences_do(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "FEW_GROUPS", few)
    influences = np.stack([SKEWED, -SKEWED, np.sin(ALONE)], axis=1)
    expected = 60 * np.cov(influences.T, ddof=0)
    assert np.cov(bootstrap.joint(influences, 20_000, 0).T) == pytest.approx(expected, rel=0.05, abs=1.5)


@pytest.mark.parametrize("few", [1000, 10])
def test_equal_columns_move_alike_and_one_that_depends_on_others_moves_with_them(
    few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "FEW_GROUPS", few)
    other = np.sin(ALONE)
    first, second, same, both = bootstrap.joint(np.stack([SKEWED, other, SKEWED, SKEWED + other], axis=1), 200, 0).T
    assert np.array_equal(first, same)
    assert both == pytest.approx(first + second, abs=1e-6)


def test_cholesky_is_numpys_where_columns_are_independent() -> None:
    columns = [SKEWED, np.sin(ALONE), np.cos(ALONE)]
    table = np.stack(columns)
    assert bootstrap.cholesky(columns) == pytest.approx(np.linalg.cholesky(table @ table.T))


@pytest.mark.parametrize("macro", [False, True])
def test_intervals_of_skewed_clustered_samples_cover_the_truth(macro: bool) -> None:
    # Of 400 intervals, 93 % to 97 % and three binomial standard errors (1.1 % each).
    groups = np.repeat(np.arange(20), 4)
    strata = np.arange(80) % 5 if macro else np.zeros(80, dtype=int)
    assert 0.93 - 0.035 <= coverage(groups, strata) <= 0.97 + 0.025
