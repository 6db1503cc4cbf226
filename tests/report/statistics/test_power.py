from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from editbench.report.statistics import clustered, comparison, power

SIMULATIONS = 500


def simulated(groups: int, samples: int = 3) -> tuple[float | None, float]:
    """The difference that so many groups are said to show, and how often differences about it have p <= 0.05."""
    random, of = np.random.default_rng(1), np.repeat(np.arange(groups), samples)
    noise = random.normal(size=(SIMULATIONS, groups))[:, of] + random.normal(size=(SIMULATIONS, groups * samples))
    told = [power.detectable(clustered.influence(row, of), groups) for row in noise]
    difference = None if told[0] is None else math.sqrt(np.mean(np.square(told)))
    significant = [comparison.flip_test(row + (difference or 100.0), of, 500) <= 0.05 for row in noise]
    return difference, float(np.mean(significant))


@pytest.mark.parametrize("groups", [6, 7, 10, 20, 100])
def test_a_difference_that_is_said_to_be_detectable_is_found_four_times_out_of_five(groups: int) -> None:
    # 80 %, three points that the groups' discrete p takes, and three binomial standard errors (1.8 % each).
    _, share = simulated(groups)
    assert 0.77 - 0.054 <= share <= 0.8 + 0.054


@pytest.mark.parametrize("groups", [4, 5])
def test_too_few_groups_show_no_difference_however_large(groups: int) -> None:
    assert simulated(groups) == (None, 0)


def test_of_many_groups_it_is_the_textbooks_number_of_errors() -> None:
    values = np.random.default_rng(0).normal(size=5000)
    assert power.detectable(clustered.influence(values, np.arange(5000)), 5000) == pytest.approx(
        (1.96 + 0.8416) * scipy_stats.sem(values), rel=1e-3
    )
