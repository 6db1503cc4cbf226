"""`--sync-every N`: every rank waits after each N items until all others have done as many, or have ended.

Off by default: it makes the fleet as slow as its slowest rank in every round. Some power supplies and networks need it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from editbench.fleet.work import Store

POLL = 0.05
ENDED_INTERVAL = 0.05
"""Seconds between two readings of who has ended, times the ranks: it reads a file a rank, often on a shared disk."""


class Lockstep:
    """A barrier after every `every` items of each of `world` ranks. It begins with the round that the fleet is at: a restarted
    rank must not do all earlier rounds again, alone.

    `ended()` counts the ranks that have ended, as their status files say: those that died for good never arrive.
    `heartbeat` is called while waiting, which is no stall.
    """

    def __init__(
        self,
        store: Store,
        *,
        every: int,
        world: int,
        scope: str,
        ended: Callable[[], int],
        heartbeat: Callable[[], None] = lambda: None,
    ) -> None:
        self._store, self._every, self._world, self._scope, self._ended = store, every, world, scope, ended
        self._items, self._ended_read, self._ended_count = 0, float("-inf"), 0
        self._heartbeat = heartbeat
        self._round = store.add(f"{scope}/rounds", 0)

    def step(self) -> None:
        """Count one more finished item; after the last of a round, wait for the other ranks."""
        self._items += 1
        if self._items % self._every:
            return
        self._round += 1
        key = f"{self._scope}/round/{self._round}"
        arrived = self._store.add(key, 1)
        while arrived < self._world and arrived + self._ended_lately() < self._world:
            self._heartbeat()
            time.sleep(POLL)
            arrived = self._store.add(key, 0)
        self._store.set(f"{self._scope}/rounds", str(self._round))

    def _ended_lately(self) -> int:
        if time.monotonic() - self._ended_read >= ENDED_INTERVAL * self._world:
            self._ended_count, self._ended_read = self._ended(), time.monotonic()
        return self._ended_count
