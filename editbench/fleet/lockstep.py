"""`--sync-every N`: every rank waits after each N items until all others have done as many, or have ended.

Off by default: it makes the fleet as slow as its slowest rank in every round. Some power supplies and networks need it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from editbench.fleet.work import Store

POLL = 0.05


class Lockstep:
    """`ended()` counts the ranks that have ended, as their status files say: those that died for good never arrive."""

    def __init__(self, store: Store, *, every: int, world: int, scope: str, ended: Callable[[], int]) -> None:
        self._store, self._every, self._world, self._scope, self._ended = store, every, world, scope, ended
        self._items = self._round = 0

    def step(self) -> None:
        """One more item is through."""
        self._items += 1
        if self._items % self._every:
            return
        self._round += 1
        key = f"{self._scope}/round/{self._round}"
        arrived = self._store.add(key, 1)
        while arrived + self._ended() < self._world:
            time.sleep(POLL)
            arrived = self._store.add(key, 0)
