"""Numbers of the report are rounded once, to six decimals, so that all its files hold the same ones and the last bits of a sum
don't show."""

from __future__ import annotations

from typing import Any, overload

from numpy.typing import NDArray

from editbench.report.statistics.clustered import Estimate, Interval

DECIMALS = 6


@overload
def rounded(value: float) -> float: ...
@overload
def rounded(value: float | None) -> float | None: ...
def rounded(value: float | None) -> float | None:
    """Rounded to DECIMALS."""
    # Adding 0.0 makes -0.0 a plain zero; a number of numpy's would be no JSON.
    return None if value is None else round(float(value), DECIMALS) + 0.0


def rounded_pair(pair: Interval | None) -> Interval | None:
    """Both ends rounded to DECIMALS."""
    return None if pair is None else (rounded(pair[0]), rounded(pair[1]))


def mean(values: NDArray[Any]) -> float | None:
    """The mean of shape (n,), rounded; None without values."""
    return rounded(float(values.mean())) if len(values) else None


def rounded_estimate(value: float | None, interval: Interval | None) -> Estimate:
    """Value and ends rounded to DECIMALS."""
    return Estimate(rounded(value), rounded_pair(interval))


def within(interval: Interval | None, span: Interval | None) -> Interval | None:
    """The part of a mean's interval that can be: one from few groups may leave the range of what it is the mean of."""
    if interval is None or span is None:
        return interval
    return max(interval[0], span[0]), min(interval[1], span[1])
