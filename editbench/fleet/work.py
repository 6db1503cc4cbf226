"""Who does what: claims on torchrun's TCPStore.

The plan is a fixed list of items, the same for every rank. An atomic counter over it is the whole scheduler: a claim is one
`add` (19-80 us on one machine), and whoever is free takes the next item. The store only hands out; what is done is a fact on
disk. Counters live in the agent's store, so they outlive a rank; each restart of the ranks walks the plan from its start again
and skips what is done.
"""

from __future__ import annotations

import os
import time
from typing import Protocol


class Store(Protocol):
    """The part of torch.distributed.Store that claims need."""

    def add(self, key: str, amount: int) -> int: ...


MAX_STRIKES = 2
"""Ranks that may die with one item before it is set aside."""


class Claims:
    """Claims on `items` items by one of `world` ranks; `restart` counts how often torchrun restarted the ranks."""

    def __init__(self, store: Store, *, items: int, world: int = 1, restart: int = 0) -> None:
        self._store, self._items, self._world = store, items, world
        self._scope = f"restart-{restart}"

    def next(self) -> int | None:
        """The place in the plan of the next item that nobody holds, None when all are handed out."""
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
    """The agent's store, as torchrun's environment names it."""
    from torch.distributed import TCPStore

    return TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
