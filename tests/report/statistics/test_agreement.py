from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from editbench.report.statistics import agreement
from editbench.report.statistics.agreement import STATISTICS, Agreement, agree, reliability
from editbench.report.statistics.krippendorff import alpha

LEVELS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=30)


def _agree(first: list[float], second: list[float], groups: list[int] | None = None) -> Agreement:
    pair = np.array(first, dtype=float), np.array(second, dtype=float)
    return agree(*pair, np.array(groups or range(len(first))), np.stack(pair, axis=1))


def _values(agreed: Agreement) -> dict[str, float | None]:
    return {name: getattr(agreed, name).value for name in STATISTICS}


def _noisy(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    first = rng.normal(size=n)
    return first, first + rng.normal(size=n)


def test_values_worked_by_hand() -> None:
    # Pairs: (1,2) alike, (1,3) alike, (2,3) tied by the second only. Ranks 1 2 3 and 1 2.5 2.5. Pooled 1 1 2 3 3 3.
    values = _values(_agree([1, 2, 3], [1, 3, 3]))
    assert values["pairwise_accuracy"] == pytest.approx(2 / 3)
    assert values["kendall_tau_b"] == pytest.approx(2 / np.sqrt(3 * 2))
    assert values["spearman"] == pytest.approx(1.5 / np.sqrt(2 * 1.5))
    assert values["krippendorff_alpha"] == pytest.approx(1 - (1 / 3) / (2 * (6 * 33 - 13**2) / (6 * 5)))


def test_a_pair_that_both_tie_is_agreed_on_and_one_that_one_ties_is_not() -> None:
    assert _agree([1, 1], [2, 2]).pairwise_accuracy.value == 1
    assert _agree([1, 1], [2, 3]).pairwise_accuracy.value == 0


@settings(max_examples=100, deadline=None)
@given(LEVELS)
def test_rank_correlations_are_those_of_scipy(scores: list[tuple[int, int]]) -> None:
    first, second = zip(*scores, strict=True)
    agreed = _agree(list(first), list(second))
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert (agreed.spearman.value, agreed.kendall_tau_b.value) == (None, None)
    else:
        assert agreed.spearman.value == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-12)
        assert agreed.kendall_tau_b.value == pytest.approx(stats.kendalltau(first, second).statistic, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(LEVELS)
def test_pairwise_accuracy_is_what_counting_every_pair_gives(scores: list[tuple[int, int]]) -> None:
    first, second = (np.array(column) for column in zip(*scores, strict=True))
    alike = np.sign(first[:, None] - first) == np.sign(second[:, None] - second)
    assert _agree(first, second).pairwise_accuracy.value == pytest.approx(alike[np.triu_indices(len(first), 1)].mean())


def test_a_group_drawn_twice_counts_as_its_samples_written_twice() -> None:
    first, second = np.array([1.0, 2, 2, 5]), np.array([2.0, 1, 4, 4])
    cells = agreement._cells(first, second, np.stack([first, second], axis=1))
    weights = agreement._weigh(cells.cell, np.arange(4), np.array([[2.0], [0], [1], [3]]))
    rho, tau, interval, _, _ = agreement._measure(cells, weights)[:, 0]
    twice = [np.repeat(scores, [2, 0, 1, 3]) for scores in (first, second)]
    assert (rho, tau) == pytest.approx((stats.spearmanr(*twice).statistic, stats.kendalltau(*twice).statistic))
    assert interval == pytest.approx(alpha(np.stack(twice, axis=1))[0])


def test_copies_of_one_sample_are_no_pair() -> None:
    scores = np.array([1.0, 2.0])
    cells = agreement._cells(scores, scores[::-1].copy(), np.stack([scores, scores], axis=1))
    assert agreement._measure(cells, agreement._weigh(cells.cell, np.arange(2), np.array([[5.0], [1.0]])))[4, 0] == 0


def test_perfect_agreement_is_one_with_an_interval_of_one() -> None:
    agreed = _agree(list(range(20)), list(range(20)))
    assert {(getattr(agreed, name).value, getattr(agreed, name).interval) for name in STATISTICS} == {(1.0, (1.0, 1.0))}


def test_opposite_orders_are_minus_one() -> None:
    values = _values(_agree([1, 2, 3], [3, 2, 1]))
    assert (values["spearman"], values["kendall_tau_b"], values["pairwise_accuracy"]) == pytest.approx((-1, -1, 0))


def test_a_rater_who_gives_everyone_the_same_has_no_rank_correlation() -> None:
    values = _values(_agree([7, 7, 7, 7], [1, 2, 2, 3]))
    assert (values["spearman"], values["kendall_tau_b"]) == (None, None)
    assert values["pairwise_accuracy"] == pytest.approx(1 / 6)
    assert _values(_agree([7, 7], [7, 7]))["krippendorff_alpha"] is None


def test_alpha_of_a_rater_who_gives_everyone_the_same_is_not_above_chance() -> None:
    assert _agree([7] * 4, [1, 2, 2, 3]).krippendorff_alpha.value < 0


@pytest.mark.parametrize("count", [0, 1])
def test_below_two_samples_nothing_is_defined(count: int) -> None:
    agreed = _agree([1.0] * count, [2.0] * count)
    assert set(_values(agreed).values()) == {None}


def test_one_group_has_values_but_no_interval() -> None:
    agreed = _agree([1, 2, 3], [1, 3, 2], [4, 4, 4])
    assert agreed.spearman.value == 0.5
    assert agreed.spearman.interval is None


def test_without_a_common_scale_only_the_alphas_are_undefined() -> None:
    agreed = agree(*_noisy(20), np.arange(20))
    unknown = [name for name, value in _values(agreed).items() if value is None]
    assert unknown == ["krippendorff_alpha", "krippendorff_alpha_ordinal"]


@pytest.mark.parametrize("name", STATISTICS)
def test_samples_of_one_group_widen_the_interval(name: str) -> None:
    first, second = (np.repeat(scores, 5) for scores in _noisy(60))
    widths = []
    for groups in (np.arange(300), np.repeat(np.arange(60), 5)):
        low, high = getattr(agree(first, second, groups, np.stack([first, second], axis=1)), name).interval
        widths.append(high - low)
    assert widths[1] > 1.7 * widths[0]


def test_the_interval_of_spearman_has_about_its_theoretical_width() -> None:
    first, second = _noisy(400)
    spearman = agree(first, second, np.arange(400)).spearman
    half = 1.96 * np.sqrt((1 + spearman.value**2 / 2) / (400 - 3))  # on Fisher's scale: Bonett and Wright 2000
    low, high = np.tanh(np.arctanh(spearman.value) + np.array([-half, half]))
    assert spearman.interval == pytest.approx((low, high), abs=0.02)


def test_the_interval_does_not_depend_on_how_many_resamples_are_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = _noisy(50)
    whole = agree(first, second, np.arange(50))
    monkeypatch.setattr(agreement, "_CHUNK", 50 * 7)
    assert agree(first, second, np.arange(50)).kendall_tau_b == whole.kendall_tau_b


def test_a_statistic_that_most_resamples_leave_undefined_has_no_interval() -> None:
    spearman = _agree([0] * 9 + [1], [0] * 9 + [1]).spearman
    assert (spearman.value, spearman.interval) == (pytest.approx(1.0), None)


def test_very_many_samples_have_values_but_no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "DRAWS", 40 * agreement.LEAST_RESAMPLES)
    assert _agree(*_noisy(40)).spearman.interval is not None
    assert _agree(*_noisy(41)).spearman.interval is None


def test_two_raters_are_as_reliable_as_they_agree() -> None:
    first, second = _noisy(40)
    units, groups = np.stack([first, second], axis=1), np.arange(40) // 2
    pair, alphas = agree(first, second, groups, units), reliability(units, groups)
    for name in ("krippendorff_alpha_ordinal", "krippendorff_alpha"):
        assert getattr(alphas, name).value == pytest.approx(getattr(pair, name).value)
        assert getattr(alphas, name).interval == pytest.approx(getattr(pair, name).interval)


def test_reliability_of_three_raters_who_missed_some_is_within_an_interval_by_group() -> None:
    first, second = _noisy(60)
    ratings = np.repeat(np.stack([first, second, first + second], axis=1), 4, axis=0)
    ratings[::5, 0] = ratings[1::7, 2] = np.nan
    alone, clustered = (
        reliability(ratings, groups).krippendorff_alpha_ordinal for groups in (np.arange(240), np.arange(240) // 4)
    )
    assert (alone.value, clustered.value) == pytest.approx((alpha(ratings, ordinal=True)[0],) * 2)
    assert clustered.interval[0] < clustered.value < clustered.interval[1]
    assert np.ptp(clustered.interval) > 1.4 * np.ptp(alone.interval)
