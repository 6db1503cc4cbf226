"""`--sync-every N`: every rank waits after each N items until all others have done as many, or have ended.

Off by default: it makes the fleet as slow as its slowest rank in every round. Some power supplies and networks need it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from editbench.fleet.work import Store

POLL = 0.05
LOOK = 0.05
"""Seconds between two looks at who has ended, for each rank there is: a look reads a file a rank, often on a shared disk."""


class Lockstep:
    """Begins with the round that the fleet is at: a rank in its second life must not go through all of them again, alone.

    `ended()` counts the ranks that have ended, as their status files say: those that died for good never arrive.
    `beat` is called while waiting, which is no stall.
    """

    def __init__(
        self,
        store: Store,
        *,
        every: int,
        world: int,
        scope: str,
        ended: Callable[[], int],
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._store, self._every, self._world, self._scope, self._ended = store, every, world, scope, ended
        self._items, self._looked, self._known = 0, float("-inf"), 0
        self._beat = beat
        self._round = store.add(f"{scope}/through", 0)

    def step(self) -> None:
        """One more item is through."""
        self._items += 1
        if self._items % self._every:
            return
        self._round += 1
        key = f"{self._scope}/round/{self._round}"
        arrived = self._store.add(key, 1)
        while arrived < self._world and arrived + self._ended_lately() < self._world:
            self._beat()
            time.sleep(POLL)
            arrived = self._store.add(key, 0)
        self._store.set(f"{self._scope}/through", str(self._round))

    def _ended_lately(self) -> int:
        if time.monotonic() - self._looked >= LOOK * self._world:
            self._known, self._looked = self._ended(), time.monotonic()
        return self._known
