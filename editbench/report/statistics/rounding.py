"""Numbers of the report are rounded once, to six decimals, so that all its files hold the same ones and the last bits of a sum
don't show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from editbench.report.statistics.agreement import Estimate
from editbench.report.statistics.clustered import Interval

DECIMALS = 6


def rounded(value: float | None) -> float | None:
    # Adding 0.0 makes -0.0 a plain zero; a number of numpy's would be no JSON.
    return None if value is None else round(float(value), DECIMALS) + 0.0


def rounded_pair(pair: Interval | None) -> Interval | None:
    return None if pair is None else (round(float(pair[0]), DECIMALS) + 0.0, round(float(pair[1]), DECIMALS) + 0.0)


def mean(values: Sequence[float]) -> float | None:
    """Rounded; None of nothing."""
    return rounded(np.mean(values)) if len(values) else None


def estimate(value: float | None, interval: Interval | None) -> Estimate:
    return Estimate(rounded(value), rounded_pair(interval))


def within(interval: Interval | None, span: Interval | None) -> Interval | None:
    """The part of a mean's interval that can be: one from few groups may leave the range of what it is the mean of."""
    if interval is None or span is None:
        return interval
    return max(interval[0], span[0]), min(interval[1], span[1])
