"""Who does what: claims on torchrun's TCPStore.

The plan is a fixed list of items, the same for every rank. An atomic counter over it is the whole scheduler: a claim is one
`add` (19-80 us on one machine), and whoever is free takes the next item. The store only hands out; what is done is a fact on
disk. Counters live in the agent's store, so they outlive a rank. A rank that dies begins its next life with the items it held;
when torchrun restarts all ranks, they walk the plan from its start again and skip what is done.
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
    """The part of torch.distributed.Store that claims need."""

    def add(self, key: str, amount: int) -> int: ...
    def set(self, key: str, value: str | bytes) -> None: ...
    def get(self, key: str) -> bytes: ...


MAX_STRIKES = 2
"""Ranks that may die with one item before it is set aside."""


class Claims:
    """Claims on `items` items by one of `world` ranks.

    `scope` names the walk over the plan: counters of another scope are others. `again`: items that this rank took in an earlier
    life of the same walk and did not finish; they come first.
    """

    def __init__(self, store: Store, *, items: int, world: int = 1, scope: str = "", again: Iterable[int] = ()) -> None:
        self._store, self._items, self._world, self._scope = store, items, world, scope
        self._again = deque(again)

    def next(self) -> int | None:
        """The place in the plan of the next item that nobody holds, None when all are handed out."""
        if self._again:
            return self._again.popleft()
        place = self._store.add(f"{self._scope}/claimed", 1) - 1
        return place if place < self._items else None

    def through(self, group: int) -> int:
        """Count one more item of `group` as through (done, failed or skipped); returns how many are."""
        return self._store.add(f"{self._scope}/through/{group}", 1)

    def strike(self, name: str) -> None:
        """A rank died while it held the item `name`."""
        self._store.add(f"strikes/{name}", 1)

    def strikes(self, name: str) -> int:
        return self._store.add(f"strikes/{name}", 0)

    def gather(self) -> None:
        """Wait for all ranks of this restart, so that every strike is counted before the first claim. Only after a restart."""
        ready = self._store.add(f"{self._scope}/ready", 1)
        while ready < self._world:
            time.sleep(0.02)
            ready = self._store.add(f"{self._scope}/ready", 0)


def connect() -> Store:
    """The store that the ranks share: with several nodes that of the rendezvous (which the head holds), else the agent's."""
    from torch.distributed import TCPStore

    host, _, port = os.environ.get(STORE_VARIABLE, "").rpartition(":")
    if not host:
        host, port = os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]
    return TCPStore(host, int(port), is_master=False, timeout=timedelta(seconds=60))
