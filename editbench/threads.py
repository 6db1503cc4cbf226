"""Reading, decoding and writing many pictures in threads (Pillow and the disk release the GIL)."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

THREADS = min(8, os.cpu_count() or 1)
"""Calls at once, unless another number is asked for; also what bounds the memory."""
_AHEAD = 4
"""Times the calls at once: calls waiting for their turn or to be fetched. The executor's own `map` starts all at once: 100,000
futures are 150 MB."""


def in_threads(function: Callable[[_Item], _Result], items: Iterable[_Item], threads: int = THREADS) -> Iterator[_Result]:
    """The results in the order of the items. What a call raises is raised when its turn comes."""
    with ThreadPoolExecutor(threads) as pool:
        pending: deque[Future[_Result]] = deque()
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > _AHEAD * threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
