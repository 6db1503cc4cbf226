"""What a stage gives the fleet: a `Worker`, made anew in every rank.

The rank's loop calls `prepare` and `store` in threads and `compute` in its main thread, so that decoding the next input and
encoding and writing the last result overlap with the model. The fleet knows nothing else of a stage.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from editbench.fleet.status import Event


@dataclass(frozen=True, slots=True)
class Pulse:
    """What `compute` calls to report its progress."""

    step: Callable[[int, int], None]
    """`step(i, n)`: i of n steps are done."""
    ahead: Callable[[], None]
    """The device is about to be free: claim the next item and start preparing it. Harmless to call twice."""


class Worker(ABC):
    """The work of one stage in one rank. An item is an index into the plan, in `range(len(self))`."""

    @abstractmethod
    def __len__(self) -> int:
        """Items in the plan."""

    @abstractmethod
    def name(self, item: int) -> str:
        """A stable name of the item, for people and for counting crashes."""

    @abstractmethod
    def keys(self, item: int) -> Sequence[str]:
        """The samples in the item."""

    @abstractmethod
    def done(self, item: int) -> bool:
        """Whether the result lies on disk already."""

    @abstractmethod
    def load(self, device: str) -> list[str]:
        """Load the model; returns notes for the user (such as settings that the model does not know)."""

    def kernels(self) -> dict[str, str]:
        """What the loaded model runs on, by name, where there is a choice; as text, for environment.json."""
        return {}

    @abstractmethod
    def prepare(self, item: int) -> Any:
        """CPU work before the model: read, decode."""

    @abstractmethod
    def compute(self, item: int, prepared: Any, pulse: Pulse) -> Any:
        """The model's work."""

    @abstractmethod
    def store(self, item: int, result: Any, seconds: float) -> list[Event]:
        """Encode and write, whole or not at all. An OSError here stops the run: the disk is at fault, not the sample."""

    @abstractmethod
    def fail(self, item: int, reason: str, error: str, tries: int) -> list[Event]:
        """Record that the item failed `tries` times in this run, for one of `fleet.failure.REASONS`."""

    def finished(self, item: int, count: Callable[[int], int]) -> None:  # noqa: B027
        """Called when the item is done, failed or skipped. `count(group)` counts it, over all ranks, as finished in a group of
        the stage's own making, and returns how many of that group are."""
