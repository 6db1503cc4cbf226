"""`--load-parallel N`: at most N ranks of a machine load at once, and the first one alone, so that the others find the page
cache warm.

Slots are locked files, and a lock dies with its holder.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER_VARIABLE = "EDITBENCH_SCRATCH"
"""Environment variable by which the launcher names a folder for the locks: on this machine, and gone with the attempt."""
POLL = 0.1


@contextmanager
def slot(folder: Path, parallel: int, heartbeat: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold one of `parallel` slots for the time of the block; with 0, all load at once. `folder`, for the locks, is on this
    machine and of this attempt; `heartbeat` is called while waiting, which is no stall."""
    if not parallel:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    warm = folder / "warm"
    slots = [folder / f"slot-{number}" for number in range(parallel)]
    lock = None
    while lock is None:
        lock = _try_one(slots if warm.exists() else slots[:1])
        if lock is None:
            heartbeat()
            time.sleep(POLL)
    try:
        yield
        warm.touch()
    finally:
        os.close(lock)


def _try_one(paths: list[Path]) -> int | None:
    """A descriptor that holds the first of `paths` that is free, None when none is."""
    for path in paths:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            os.close(descriptor)
    return None
