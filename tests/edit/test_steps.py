from __future__ import annotations

from types import SimpleNamespace

from editbench.edit.steps import StepCounter


def counter() -> tuple[StepCounter, list[tuple[int, int]]]:
    told: list[tuple[int, int]] = []
    return StepCounter(lambda *step: told.append(step)), told


def test_a_callback_tells_and_counts() -> None:
    steps, told = counter()
    assert steps.made is None
    for index in range(3):
        assert steps.callback(SimpleNamespace(num_timesteps=3, scheduler=SimpleNamespace()), index, None, {}) == {}
    assert (told, steps.made) == ([(1, 3), (2, 3), (3, 3)], 3)


def test_a_step_of_second_order_is_one() -> None:
    steps, _ = counter()
    for index in range(5):  # Heun's method runs the model twice a step, but for the last
        steps.callback(SimpleNamespace(num_timesteps=5, scheduler=SimpleNamespace(order=2)), index, None, {})
    assert steps.made == 3


def test_a_bar_that_is_updated_tells_and_counts() -> None:
    steps, told = counter()
    with steps.progress_bar(total=2) as bar:
        bar.update()
        bar.update()
    assert (told, steps.made) == ([(1, 2), (2, 2)], 2)


def test_a_bar_that_is_gone_through_tells_and_counts() -> None:
    steps, told = counter()
    assert list(steps.progress_bar("ab")) == ["a", "b"]
    assert (told, steps.made) == ([(1, 2), (2, 2)], 2)
