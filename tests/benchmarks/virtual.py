"""A virtual clock for threads: one runs at a time, and when it sleeps the one that is due next goes on.

The code under test stays as it is and calls `Clock.sleep` where it would call `time.sleep`. So 1,024 ranks work for virtual
hours in real seconds, and neither the interpreter's lock nor the number of cores shows in their times.
"""

from __future__ import annotations

import heapq
import math
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, threading.Lock]] = []
        self._idle: list[tuple[float, float, threading.Lock]] = []
        self._numbered = 0
        self._stuck = False

    def run(self, functions: Iterable[Callable[[], None]]) -> float:
        """Run all of them from time 0 to their ends; returns the virtual seconds until the last. Raises what they raise."""
        functions = list(functions)
        with ThreadPoolExecutor(len(functions)) as threads:
            running = [threads.submit(self._turn, function, self._schedule(0.0)) for function in functions]
            self._pass_on()
        for future in running:
            future.result()
        return self.now

    def sleep(self, seconds: float) -> None:
        self._wait(self._schedule(self.now + seconds))

    def poll(self, seconds: float) -> None:
        """Sleep as one who looks every `seconds` whether something has changed: looks before the next `stir` are skipped."""
        gate = _closed()
        self._idle.append((self.now, seconds, gate))
        self._wait(gate)
        if self._stuck:
            raise RuntimeError("all wait for each other")

    def stir(self) -> None:
        """Something has changed that others may poll for: each looks at the next of its moments."""
        for since, seconds, gate in self._idle:
            looks = math.ceil((self.now - since) / seconds)
            self._schedule(max(since + looks * seconds, self.now), gate)
        self._idle.clear()

    def _schedule(self, time: float, gate: threading.Lock | None = None) -> threading.Lock:
        gate = gate or _closed()
        self._numbered += 1
        heapq.heappush(self._due, (time, self._numbered, gate))
        return gate

    def _wait(self, gate: threading.Lock) -> None:
        self._pass_on()
        gate.acquire()

    def _pass_on(self) -> None:
        if not self._due and self._idle:
            self._stuck = True
            self.stir()
        if self._due:
            self.now, _, gate = heapq.heappop(self._due)
            gate.release()

    def _turn(self, function: Callable[[], None], gate: threading.Lock) -> None:
        gate.acquire()
        try:
            function()
        finally:
            self._pass_on()


def _closed() -> threading.Lock:
    gate = threading.Lock()
    gate.acquire()
    return gate
