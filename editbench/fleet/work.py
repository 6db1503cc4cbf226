"""Claims on the plan's items, over torchrun's TCPStore.

The plan is a fixed list of items, the same for every rank. An atomic counter over it is the whole scheduler: a claim is one
`add` (19-80 us on one machine), and whoever is free takes the next item. The store only hands out; what is done is a fact on
disk. Counters live in the agent's store, so they outlive a rank. A rank that its keeper restarts begins with the items it had
claimed; when torchrun restarts all ranks, they walk the plan from its start again and skip what is done.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterable
from datetime import timedelta
from typing import Protocol

STORE_VARIABLE = "EDITBENCH_STORE"


class Store(Protocol):
    """The methods of torch.distributed.Store that the fleet uses."""

    def add(self, key: str, amount: int) -> int: ...
    def set(self, key: str, value: str | bytes) -> None: ...
    def get(self, key: str) -> bytes: ...


MAX_CRASHES = 2
"""Ranks that may die with one item before it is set aside."""


class Claims:
    """Claims on `items` items by one of `world` ranks.

    `scope` names the walk over the plan: counters of another scope are others. `unfinished`: items that this rank claimed in an
    earlier incarnation during the same walk and did not finish; they come first.
    """

    def __init__(self, store: Store, *, items: int, world: int = 1, scope: str = "", unfinished: Iterable[int] = ()) -> None:
        self._store, self._items, self._world, self._scope = store, items, world, scope
        self._unfinished = deque(unfinished)

    def next(self) -> int | None:
        """Claim an item that no rank has claimed: its index in the plan, None when all are handed out."""
        if self._unfinished:
            return self._unfinished.popleft()
        index = self._store.add(f"{self._scope}/claimed", 1) - 1
        return index if index < self._items else None

    def count_finished(self, group: int) -> int:
        """Count one more item of `group` as finished (done, failed or skipped); returns how many of the group are."""
        return self._store.add(f"{self._scope}/finished/{group}", 1)

    def count_crash(self, name: str) -> None:
        """Count that a rank died while it worked on the item `name`."""
        self._store.add(f"crashes/{name}", 1)

    def crashes(self, name: str) -> int:
        """How many ranks have died while they worked on the item `name`."""
        return self._store.add(f"crashes/{name}", 0)

    def barrier(self) -> None:
        """Wait for all ranks of this restart, so that every crash is counted before the first claim. Only after a restart."""
        ready = self._store.add(f"{self._scope}/ready", 1)
        while ready < self._world:
            time.sleep(0.02)
            ready = self._store.add(f"{self._scope}/ready", 0)


def connect() -> Store:
    """The store that the ranks share: with several nodes that of the rendezvous (on the head), else that of the agent."""
    from torch.distributed import TCPStore

    host, _, port = os.environ.get(STORE_VARIABLE, "").rpartition(":")
    if not host:
        host, port = os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]
    return TCPStore(host, int(port), is_master=False, timeout=timedelta(seconds=60))
