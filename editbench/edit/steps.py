"""Counts the denoising steps of one call of a pipeline, and reports each as it is made.

Most pipelines call `callback_on_step_end`. For those that only move a progress bar, one of ours takes its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self

from editbench.edit.editor import Step


class StepCounter:
    """Both a callback and the maker of a progress bar, for one call of a pipeline."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._told = 0
        self._order = 1

    @property
    def made(self) -> int | None:
        """Steps that the pipeline has made; None where it told of none. One of a scheduler of second order counts once, though
        the model runs twice for it."""
        return -(-self._told // self._order) or None

    def callback(self, pipeline: Any, index: int, _timestep: Any, _tensors: dict[str, Any]) -> dict[str, Any]:
        """As `callback_on_step_end` is called."""
        self._told += 1
        self._order = getattr(getattr(pipeline, "scheduler", None), "order", 1)
        self._step(index + 1, getattr(pipeline, "num_timesteps", index + 1))
        return {}

    def progress_bar(self, iterable: Iterable[Any] | None = None, total: int | None = None) -> _Bar:
        """In place of a pipeline's own method."""
        items = [*iterable] if iterable is not None else []
        return _Bar(self, items, total or len(items))

    def tell(self, done: int, total: int) -> None:
        self._told += 1
        self._step(done, total)


class _Bar:
    """What pipelines use of tqdm: it is entered and updated, or gone through."""

    def __init__(self, counter: StepCounter, items: list[Any], total: int) -> None:
        self._counter, self._items, self._total = counter, items, total
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[Any]:
        for item in self._items:
            yield item
            self.update()

    def update(self, count: int = 1) -> None:
        for _ in range(count):
            self._done += 1
            self._counter.tell(self._done, max(self._total, self._done))
