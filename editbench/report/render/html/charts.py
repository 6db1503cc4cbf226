"""Positions in a chart. Horizontal ones are percentages of the drawing's width, so that a chart fits any screen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_MOST_TICKS = 6
_LEAST_SHARE = 0.1
"""Share of the scale's width that a chart shows at least: differences in the last digit must not look large."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A horizontal axis from `low` at 0 % to `high` at 100 %."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Position of a value in percent; of one outside the axis, that of its end."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 2)

    def span(self, interval: Sequence[float]) -> tuple[float, float]:
        """(start, length) of an interval, in percent."""
        start, end = self.at(interval[0]), self.at(interval[1])
        return start, round(end - start, 2)

    def ticks(self) -> list[tuple[float, str]]:
        """(position in percent, label) of round numbers, at most seven."""
        step = _step(self.high - self.low)
        first = math.ceil(round(self.low / step, 6))
        last = math.floor(round(self.high / step, 6))
        return [(self.at(number * step), f"{number * step:g}") for number in range(first, last + 1)]

    @classmethod
    def full(cls, scale: Sequence[float] | None, values: Iterable[float]) -> Axis:
        """The axis of the whole scale; without one, that which `values` span."""
        return cls(*scale) if scale else cls.around(values, None)

    @classmethod
    def around(cls, values: Iterable[float], scale: Sequence[float] | None) -> Axis:
        """The axis that `values` span, to round numbers, within the scale."""
        known = list(values)
        if not known:
            return cls(*scale) if scale else cls(0.0, 1.0)
        low, high = min(known), max(known)
        least = _LEAST_SHARE * (scale[1] - scale[0]) if scale else max(abs(low), 1.0) * 0.01
        if high - low < least:
            middle = (low + high) / 2
            low, high = middle - least / 2, middle + least / 2
        step = _step(high - low) / 2
        low, high = math.floor(round(low / step, 6)) * step, math.ceil(round(high / step, 6)) * step
        return cls(max(low, scale[0]), min(high, scale[1])) if scale else cls(low, high)

    @classmethod
    def about_zero(cls, values: Iterable[float], scale: Sequence[float] | None) -> Axis:
        """An axis as far to one side of zero as to the other, and no further than scores of the scale can lie apart."""
        greatest = max((abs(value) for value in values), default=0.0)
        if scale and greatest >= scale[1] - scale[0]:
            return cls(scale[0] - scale[1], scale[1] - scale[0])
        greatest = max(greatest, _LEAST_SHARE / 2 * (scale[1] - scale[0])) if scale else greatest or 1.0
        step = _step(2 * greatest) / 2
        end = math.ceil(round(greatest / step, 6)) * step
        return cls(-end, end)


def _step(width: float) -> float:
    """The smallest round step that has at most six in `width`."""
    magnitude = 10.0 ** math.floor(math.log10(width / _MOST_TICKS))
    return next(step * magnitude for step in _STEPS if width / (step * magnitude) <= _MOST_TICKS + 1e-9)


def distributions(histogram: Mapping[str, Any], categories: Sequence[str]) -> list[tuple[str, list[int]]]:
    """(name, counts) of all categories together and of each."""
    counts = histogram["counts"]
    total = [sum(column) for column in zip(*counts.values(), strict=True)]
    return [("all", total), *((name, counts[name]) for name in categories if name in counts)]


def bars(edges: Sequence[float], counts: Sequence[int], largest_share: float) -> list[tuple[float, float, float, str]]:
    """(left, width, height, description) of each bar, in percent; a bar of the largest share has the full height."""
    if not edges:
        return []
    axis, total = Axis(edges[0], edges[-1]), sum(counts)
    return [
        (
            *axis.span((left, right)),
            round(100 * count / total / largest_share, 2),
            f"{left:g} to {right:g}: {count} ({count / total:.0%})",
        )
        for left, right, count in zip(edges, edges[1:], counts, strict=False)
        if count
    ]


def largest_share(histograms: Iterable[Mapping[str, Any]]) -> float:
    """The largest share of any bar, so that all can be drawn to one measure; 1 when there are none."""
    shares = (max(counts) / sum(counts) for histogram in histograms for counts in histogram["counts"].values() if sum(counts))
    return max(shares, default=1.0)
