"""Claims on the plan's items, over torchrun's TCPStore.

The plan is a fixed list of items, the same for every rank. An atomic counter over it is the whole scheduler: a claim is one
`add` (19-80 us on one machine), and whoever is free takes the next item. The store only hands out; what is done is a fact on
disk. Counters live in the agent's store, so they outlive a rank. A rank that its keeper restarts begins with the items it had
claimed; when torchrun restarts all ranks, they walk the plan from its start again and skip what is done.

A rank that is much slower than the others is a straggler: the last item it claims may keep everybody waiting. It leaves the
last items to the others, and claims all the same when they don't take them.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable
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
SLOW = 1.4
"""A straggler takes at least so many times the others' mean seconds an item; a rank less slow costs the end of a run little."""
SLOW_ITEMS = 4
"""Items that its mean is of, at least: equal ranks whose items' seconds vary by half are no stragglers then."""
SHORTER = 2 / 3
"""What the last items take, over the mean of those before them, as the plan begins with the longest: has the best simulated
makespans (64 ranks, 8 of them slow: up to 1.009 times the bound, and 1.015 with 1; `tests/benchmarks/scale.py`)."""
POLL = 0.1


class Claims:
    """Claims on `items` items by one of `world` ranks.

    `scope` names the walk over the plan: counters of another scope are others. `unfinished`: items that this rank claimed in an
    earlier incarnation during the same walk and did not finish; they come first.
    """

    def __init__(self, store: Store, *, items: int, world: int = 1, scope: str = "", unfinished: Iterable[int] = ()) -> None:
        self._store, self._items, self._world, self._scope = store, items, world, scope
        self._unfinished = deque(unfinished)
        self._timed, self._microseconds, self._yields = 0, 0, world > 1

    def next(self) -> int | None:
        """Claim an item that no rank has claimed: its index in the plan, None when all are handed out."""
        if self._unfinished:
            return self._unfinished.popleft()
        index = self._store.add(f"{self._scope}/claimed", 1) - 1
        return index if index < self._items else None

    def count_seconds(self, seconds: float) -> None:
        """Count an item that this rank has done, and what it took. Without, no rank is a straggler."""
        microseconds = round(seconds * 1e6)
        self._timed += 1
        self._microseconds += microseconds
        self._store.add(f"{self._scope}/microseconds", microseconds)
        self._store.add(f"{self._scope}/timed", 1)

    def straggles(self) -> bool:
        """Whether the others should be through with all unclaimed items before this rank would be through with one.

        N others that take m seconds an item begin the last of R items after R m / N, and end it m later.
        """
        if self._unfinished or not self._yields or self._timed < SLOW_ITEMS:
            return False
        timed = self._store.add(f"{self._scope}/timed", 0) - self._timed
        microseconds = self._store.add(f"{self._scope}/microseconds", 0) - self._microseconds
        unclaimed = self._unclaimed()
        limit = max(SLOW, 1 + SHORTER * unclaimed / (self._world - 1))
        return unclaimed > 0 and self._microseconds * timed > limit * microseconds * self._timed

    def yield_items(self, heartbeat: Callable[[], None]) -> None:
        """Wait until the others have claimed everything. At their mean pace that takes them at most this rank's mean over
        `SHORTER`: if they haven't by then, they are lost or stuck, and it yields no more. `heartbeat` is called while waiting,
        which is no stall."""
        deadline = time.monotonic() + self._microseconds / self._timed / 1e6 / SHORTER
        while self._yields and self._unclaimed() > 0:
            heartbeat()
            time.sleep(POLL)
            self._yields = time.monotonic() < deadline

    def _unclaimed(self) -> int:
        return self._items - self._store.add(f"{self._scope}/claimed", 0)

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
