from __future__ import annotations

import pytest

from editbench.report.render.html.charts import Axis, bars, distributions, largest_share


def test_a_place_is_a_share_of_the_width_and_never_outside() -> None:
    axis = Axis(0, 10)
    assert [axis.at(value) for value in (-1, 0, 2.5, 10, 11)] == [0, 0, 25, 100, 100]
    assert axis.span((2, 4)) == (20, 20)


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0, 10, "0 2 4 6 8 10"),
        (1, 5, "1 2 3 4 5"),
        (-0.3, 0.3, "-0.3 -0.2 -0.1 0 0.1 0.2 0.3"),
        (6.9, 7.9, "7 7.2 7.4 7.6 7.8"),
    ],
)
def test_ticks_are_round_numbers(low: float, high: float, labels: str) -> None:
    assert [label for _, label in Axis(low, high).ticks()] == labels.split()


def test_a_close_axis_spans_a_tenth_of_the_scale_at_least() -> None:
    axis = Axis.around([7.01, 7.02], (0, 10))
    assert axis.high - axis.low >= 1
    assert axis.low <= 7.01 <= 7.02 <= axis.high


def test_a_close_axis_stays_on_the_scale() -> None:
    axis = Axis.around([9.9, 10], (0, 10))
    assert axis.high == 10


def test_one_value_without_a_scale_has_an_axis() -> None:
    assert Axis.full(None, [0.0]).at(0.0) == 50


def test_differences_reach_as_far_down_as_up_but_not_over_the_scale() -> None:
    assert Axis.about_zero([-0.7, 0.2], (0, 10)) == Axis(-0.75, 0.75)
    assert Axis.about_zero([-40.0], (0, 10)) == Axis(-10, 10)


def test_small_differences_are_drawn_small() -> None:
    assert Axis.about_zero([0.01], (0, 10)) == Axis(-0.5, 0.5)
    assert Axis.about_zero([0.01], None).high == 0.01


def test_bars_are_drawn_to_one_measure() -> None:
    assert largest_share([{"counts": {"causal": [1, 3], "social": [2, 0], "none": [0, 0]}}]) == 1
    assert [bar[:3] for bar in bars([0, 5, 10], [1, 3], 1.0)] == [(0, 50, 25), (50, 50, 75)]
    assert bars([0, 5, 10], [0, 0], 1.0) == bars([], [], 1.0) == []


def test_the_distribution_of_all_comes_first() -> None:
    histogram = {"edges": [0, 5, 10], "counts": {"causal": [1, 3], "social": [2, 0]}}
    assert distributions(histogram, ["social", "causal"]) == [("all", [3, 3]), ("social", [2, 0]), ("causal", [1, 3])]
