from __future__ import annotations

import time

import pytest

from editbench.threads import in_threads


def test_results_come_in_the_order_of_the_items() -> None:
    def slow_first(number: int) -> int:
        time.sleep(0.05 if number == 0 else 0)
        return number

    assert list(in_threads(slow_first, range(100))) == list(range(100))


def test_items_are_taken_as_results_are_fetched() -> None:
    taken = []
    results = in_threads(str, (taken.append(number) or number for number in range(10_000)))
    assert next(results) == "0"
    assert len(taken) < 100


def test_what_a_call_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda number: 1 // number, [1, 0, 1]))
