"""The loop of a rank over a store that fails."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from torch.distributed import DistNetworkError

from editbench.fleet.loop import Loop
from editbench.fleet.status import Event, RankStatus, StatusFile
from editbench.fleet.work import Claims
from editbench.fleet.worker import Pulse, Worker
from editbench.records import OK


class Store:
    """Hands out one item, and is gone then."""

    def __init__(self) -> None:
        self._values: dict[str, int] = {}

    def add(self, key: str, amount: int) -> int:
        self._values[key] = self._values.get(key, 0) + amount
        if key.endswith("claimed") and self._values[key] > 1:
            raise DistNetworkError("the store is gone")
        return self._values[key]


class Ahead(Worker):
    """Claims ahead while it computes, and notes what came of each item."""

    def __init__(self) -> None:
        self.stored: list[int] = []
        self.failed: list[int] = []

    def __len__(self) -> int:
        return 2

    def name(self, item: int) -> str:
        return str(item)

    def keys(self, item: int) -> Sequence[str]:
        return [str(item)]

    def done(self, item: int) -> bool:
        return False

    def load(self, device: str) -> list[str]:
        return []

    def prepare(self, item: int) -> Any:
        return None

    def compute(self, item: int, prepared: Any, pulse: Pulse) -> Any:
        pulse.ahead()
        pulse.ahead()

    def store(self, item: int, result: Any, seconds: float) -> list[Event]:
        self.stored.append(item)
        return [Event(str(item), "a", OK)]

    def fail(self, item: int, reason: str, error: str, tries: int) -> list[Event]:
        self.failed.append(item)
        return []


def test_a_store_that_is_lost_while_an_item_is_under_way_is_no_fault_of_the_item(tmp_path: Path) -> None:
    worker, board = Ahead(), StatusFile(tmp_path / "status", RankStatus(0, 1))
    loop = Loop(worker, Claims(Store(), items=2), board, lambda _row: None)
    with pytest.raises(DistNetworkError):
        loop.run("cpu")
    board.close()
    assert (worker.stored, worker.failed) == ([0], [])
