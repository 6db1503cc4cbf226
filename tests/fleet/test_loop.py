"""The loop of a rank: over a store that fails, and as a straggler."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from torch.distributed import DistNetworkError

from editbench.fleet import status, work
from editbench.fleet.loop import Loop
from editbench.fleet.status import Event, RankStatus, StatusFile
from editbench.fleet.work import Claims
from editbench.fleet.worker import Pulse, Worker
from editbench.records import OK


class Store:
    """Hands out `items`, and is gone then."""

    def __init__(self, items: int = 1) -> None:
        self._values: dict[str, int] = {}
        self._items = items

    def add(self, key: str, amount: int) -> int:
        self._values[key] = self._values.get(key, 0) + amount
        if key.endswith("claimed") and self._values[key] > self._items:
            raise DistNetworkError("the store is gone")
        return self._values[key]


class Ahead(Worker):
    """Claims ahead while it computes, and notes what came of each item."""

    def __init__(self, items: int = 2) -> None:
        self._items = items
        self.stored: list[int] = []
        self.failed: list[int] = []

    def __len__(self) -> int:
        return self._items

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
        time.sleep(0.005)
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


class Watched(Claims):
    """Of one of two ranks, the slower one; calls `watch` before it waits for the other."""

    def __init__(self, items: int, watch: Callable[[], None]) -> None:
        store = Store(items + 1)
        super().__init__(store, items=items, world=2)
        self._watch = watch
        for _ in range(items):
            Claims(store, items=items, world=2).count_seconds(0.0)

    def yield_items(self, heartbeat: Callable[[], None]) -> None:
        self._watch()
        super().yield_items(heartbeat)


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StatusFile]:
    monkeypatch.setattr(work, "POLL", 0.001)
    board = StatusFile(tmp_path / "status", RankStatus(0, 1))
    yield board
    board.close()


def test_a_straggler_waits_with_nothing_in_flight_where_a_signal_ends_it(board: StatusFile) -> None:
    worker, waits = Ahead(6), []

    def watch() -> None:
        now = board.status
        waits.append((now.state, now.item, now.claimed, len(worker.stored) < 6, threading.current_thread()))

    Loop(worker, Watched(6, watch), board, lambda _row: None).run("cpu")
    assert waits == [(status.WAITING, "", [], True, threading.main_thread())]
    assert worker.stored == [0, 1, 2, 3, 4, 5]


def test_nobody_straggles_in_lockstep(board: StatusFile) -> None:
    worker, waits = Ahead(6), []
    lockstep = SimpleNamespace(step=lambda: None)
    Loop(worker, Watched(6, lambda: waits.append(1)), board, lambda _row: None, lockstep=lockstep).run("cpu")
    assert (waits, worker.stored) == ([], [0, 1, 2, 3, 4, 5])
