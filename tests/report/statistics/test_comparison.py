from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from editbench.report.records.runs import ScoredRun
from editbench.report.statistics import comparison, standings
from editbench.report.statistics.comparison import Comparison, Difference

from ..handmade import run

RANDOM = np.random.default_rng(0)
QUALITY = 5 + RANDOM.normal(size=40)
FIRST, SECOND = QUALITY + RANDOM.normal(size=40), QUALITY + 0.5 + RANDOM.normal(size=40)
ALONE = np.arange(40)


def against(first: ScoredRun, second: ScoredRun) -> Comparison:
    return comparison.compare({"a": first, "b": second})[0]


def overall(first: ScoredRun, second: ScoredRun) -> Difference:
    return against(first, second).rows.overall


def test_a_difference_is_the_second_run_minus_the_first() -> None:
    difference = overall(run([1, 2, 3]), run([2, 2, 6]))
    assert (difference.first_mean, difference.second_mean, difference.difference) == (2, 3.333333, 1.333333)
    assert (difference.n, difference.groups) == (3, 3)


def test_win_tie_and_loss_are_the_second_runs() -> None:
    difference = overall(run([1, 2, 3, 4, 5]), run([2, 9, 3 + 1e-9, 4 - 1e-9, 1]))
    assert (difference.wins, difference.ties, difference.losses) == (2, 2, 1)


def test_only_samples_that_both_scored_count_in_whatever_order() -> None:
    first, second = run([1, math.nan, 3, 4]), run([9, 6, 5, math.nan], keys=["k3", "k2", "k1", "k0"])
    difference = overall(first, second)
    assert (difference.n, difference.first_mean, difference.second_mean) == (2, 3.5, 7.5)


def test_p_of_samples_alone_is_scipys_permutation_test() -> None:
    expected = scipy_stats.permutation_test(
        (FIRST, SECOND), lambda x, y, axis: (y - x).mean(axis=axis), permutation_type="samples", n_resamples=20_000, rng=1
    )
    assert comparison.flip_test(SECOND - FIRST, ALONE) == pytest.approx(expected.pvalue, abs=0.005)


def test_exact_p_is_scipys() -> None:
    first, second = FIRST[:9], SECOND[:9]
    expected = scipy_stats.permutation_test(
        (first, second), lambda x, y, axis: (y - x).mean(axis=axis), permutation_type="samples", n_resamples=np.inf
    )
    assert comparison.flip_test(second - first, ALONE[:9]) == pytest.approx(expected.pvalue)


def test_p_of_ranks_is_wilcoxons() -> None:
    differences = SECOND - FIRST
    ranked = np.sign(differences) * scipy_stats.rankdata(np.abs(differences))
    expected = scipy_stats.wilcoxon(differences, mode="exact").pvalue
    assert comparison.flip_test(ranked, ALONE, 50_000) == pytest.approx(expected, abs=0.004)


def test_samples_of_a_group_are_flipped_together() -> None:
    # Three groups: of the 8 ways, only all up and all down sum to as much.
    assert comparison.flip_test(np.ones(30), np.repeat(np.arange(3), 10)) == 2 / 8
    assert comparison.flip_test(np.ones(30), np.arange(30)) == 1 / 10_001


def test_no_difference_anywhere_has_p_1_and_no_effect() -> None:
    difference = overall(run(FIRST), run(FIRST))
    assert (difference.difference, difference.interval, difference.p, difference.effect, difference.detectable) == (
        0,
        (0, 0),
        1,
        None,
        0,
    )


def test_cells_of_many_groups_give_the_p_of_single_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    differences, groups = np.tile(SECOND - FIRST - 0.4, 30) + np.arange(1200) / 5000, np.arange(1200)
    by_cells = comparison.flip_test(differences, groups)
    monkeypatch.setattr(comparison, "FEW_GROUPS", 1200)
    assert by_cells == pytest.approx(comparison.flip_test(differences, groups), abs=0.02)


def test_the_size_of_blocks_changes_no_p(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = comparison.flip_test(SECOND - FIRST, ALONE, 999)
    monkeypatch.setattr(comparison, "_BLOCK", 7 * 40)
    assert comparison.flip_test(SECOND - FIRST, ALONE, 999) == whole


@pytest.mark.parametrize("macro", [False, True])
def test_clustered_runs_that_do_not_differ_seldom_seem_to(macro: bool) -> None:
    # Of 600 p-values: 3 % to 7 % and three binomial standard errors (0.9 % each). Flipped one by one, 20 % and more do.
    random, groups = np.random.default_rng(2), np.repeat(np.arange(20), 4)
    weights = comparison.weigh(np.arange(80) % 5 if macro else np.zeros(80, dtype=int))
    significant = np.zeros(2)
    for _ in range(600):
        differences = (random.normal(size=20)[groups] + random.normal(size=80)) * weights
        significant += [comparison.flip_test(differences, of, 500) <= 0.05 for of in (groups, np.arange(80))]
    assert 0.03 - 0.027 <= significant[0] / 600 <= 0.07 + 0.027
    assert significant[1] / 600 > 0.15


def test_a_true_difference_lies_in_the_interval_and_is_found() -> None:
    groups = np.repeat(np.arange(200), 3)
    base, random = np.random.default_rng(1).normal(size=600), np.random.default_rng(5)
    difference = overall(run(base, groups=groups), run(base + 0.5 + random.normal(size=600), groups=groups))
    assert difference.interval[0] < 0.5 < difference.interval[1]
    assert difference.p < 0.001


def test_effect_and_detectable_difference_are_those_of_the_paired_differences() -> None:
    differences = SECOND - FIRST
    difference = overall(run(FIRST), run(SECOND))
    assert difference.effect == pytest.approx(differences.mean() / differences.std(ddof=1), abs=1e-6)
    quantiles = scipy_stats.t.ppf([0.975, 0.8], 39).sum()
    assert difference.detectable == pytest.approx(quantiles * differences.std(ddof=1) / math.sqrt(40), rel=1e-4)


def test_copies_of_samples_in_their_groups_make_no_smaller_difference_detectable() -> None:
    twice = run(np.repeat(FIRST, 2), groups=np.repeat(ALONE, 2)), run(np.repeat(SECOND, 2), groups=np.repeat(ALONE, 2))
    assert overall(*twice).detectable == pytest.approx(overall(run(FIRST), run(SECOND)).detectable)


def test_macro_counts_categories_alike() -> None:
    categories = [0, 0, 0, 1]
    rows = against(run([1, 1, 1, 1], categories=categories), run([2, 2, 2, 5], categories=categories)).rows
    assert (rows.overall.difference, rows.macro.difference) == (1.75, 2.5)
    assert [part.difference for part in rows.categories.values()] == [1, 4]


def test_no_common_scored_sample_leaves_everything_open() -> None:
    difference = overall(run([1, math.nan]), run([math.nan, 2]))
    assert (difference.n, difference.difference, difference.interval, difference.p, difference.detectable) == (
        0,
        None,
        None,
        None,
        None,
    )


def test_holms_correction_by_hand() -> None:
    assert comparison.holm([0.01, 0.04, 0.03, None]) == pytest.approx([0.03, 0.06, 0.06, None])
    assert comparison.holm([0.6, 0.7]) == [1, 1]
    assert comparison.holm([]) == []


def test_categories_are_corrected_and_the_whole_is_not() -> None:
    categories = ALONE % 2
    rows = against(run(FIRST, categories=categories), run(SECOND, categories=categories)).rows
    assert rows.overall.p_holm is None
    assert [part.p_holm for part in rows.categories.values()] == comparison.holm([part.p for part in rows.categories.values()])


def pairs(means: dict[str, float], **options: str) -> list[tuple[str, str]]:
    runs = {label: run([mean, mean + 1]) for label, mean in means.items()}
    return [each.runs for each in comparison.compare(runs, resamples=10, **options)]


def test_a_baseline_is_compared_with_every_other_run() -> None:
    assert pairs({"a": 1, "b": 2, "c": 3}, baseline="b") == [("b", "a"), ("b", "c")]


def test_few_runs_are_compared_in_every_pair_and_many_with_the_best() -> None:
    assert pairs({"a": 1, "b": 2, "c": 3}) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert pairs({"a": 1, "b": 9, "c": 3, "d": 4, "e": 5}) == [("b", "a"), ("b", "c"), ("b", "d"), ("b", "e")]


def test_runs_of_different_boards_are_not_compared_unless_forced() -> None:
    runs = {"a": run([1, 2]), "b": run([1, 2], judge="other")}
    assert comparison.compare(runs) == []
    assert comparison.compare(runs, "a") == []
    assert len(comparison.compare(runs, boards=standings.boards(runs, force=True))) == 1


def test_an_interval_reaches_no_further_than_scores_can_lie_apart() -> None:
    first, second = run([10, 10, 10, 0], groups=[0, 0, 1, 2]), run([0, 1, 0, 0], groups=[0, 0, 1, 2])
    low, _ = overall(first, second).interval
    assert low == -10
