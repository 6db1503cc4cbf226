"""How small a difference so many groups can show."""

from __future__ import annotations

import math

from editbench.report.statistics.clustered import Influence, t_quantile

LEAST_GROUPS = 6
"""Fewer groups can't show any difference: of five groups all have the same sign, by chance alone, in one case out of 16."""
POWER = 0.8
_ONE_IN = 20  # the level, 5 %


def detectable(influence: Influence, groups: int) -> float | None:
    """The smallest true difference whose p (`comparison.flip_test`) is at most 0.05 four times out of five.

    It is (t_{1 - a/2} + t_{0.8}) standard errors, with Student's quantiles and the error's own degrees of freedom (Bloom 1995,
    "Minimum Detectable Effects", Evaluation Review 19(5)). a is the greatest p up to 0.05 that flips of so many groups can
    have, a multiple of 2 / 2^groups. Six groups must all have the same sign for it, which is more than Student's quantiles
    ask for: sqrt(6) z standard errors, where 0.8^(1/6) of the normal distribution lies below z.

    How many of 4,000 pairs of simulated runs with just this difference, of 3 to 6 samples a group, have p <= 0.05, of the whole
    and of the macro mean of five categories: `python tests/benchmarks/coverage.py`

        groups      6        10       20       100
        whole       81 %     80 %     81 %     80 %
        macro       86 %     81 %     80 %     80 %

    Args:
        influence: of the groups on the mean paired difference.
        groups: how many groups the differences are of.

    Returns:
        None below LEAST_GROUPS, which have no p of 0.05 or less.
    """
    if groups < LEAST_GROUPS:
        return None
    flips = 2 ** (min(groups, 50) - 1)  # half of the ways: signs that are all exchanged have the same sum but for its sign
    level = flips // _ONE_IN / flips
    errors = t_quantile(influence.degrees, 1 - level) + t_quantile(influence.degrees, 2 * POWER - 1)
    if flips // _ONE_IN == 1:
        errors = max(errors, math.sqrt(groups) * t_quantile(math.inf, 2 * POWER ** (1 / groups) - 1))
    return errors * influence.error
