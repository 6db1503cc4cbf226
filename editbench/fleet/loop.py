"""The loop of a rank: claim, prepare, compute, store, with the three overlapping.

    prepare (thread)   [2]      [3]      [4]
    compute (main)     [1......][2......][3......]
    store (thread)              [1]      [2]

An item is claimed ahead only when `compute` says that the device is about to be free (`Pulse.ahead`): a rank never sits on an
item that an idle rank could have started.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from editbench.errors import StageError
from editbench.fleet import failure, status
from editbench.fleet.work import MAX_STRIKES, Claims
from editbench.fleet.worker import Pulse, Worker

Record = Callable[[dict[str, Any]], None]
"""Takes a row of timings.jsonl."""


@dataclass(slots=True)
class _Claimed:
    item: int
    prepared: Future[tuple[Any, float]]


class Loop:
    """Runs `worker` over what `claims` hands out until nothing is left.

    A sample that raises is recorded as failed and the loop goes on: the one place where any exception is caught. A result that
    can't be written (a full disk) stops the loop with StageError; what was written stays.
    """

    def __init__(self, worker: Worker, claims: Claims, board: status.StatusFile, record: Record) -> None:
        self._worker, self._claims, self._board, self._record = worker, claims, board, record
        self._ahead: _Claimed | None = None
        self._exhausted = False
        self._storing: Future[None] | None = None
        self._preparer = ThreadPoolExecutor(1, "prepare")
        self._writer = ThreadPoolExecutor(1, "store")

    def run(self, device: str) -> None:
        """Load the model and work; a rank that finds nothing to do loads nothing."""
        try:
            self._claim_ahead()
            if self._ahead is not None:
                self._board.set(state=status.LOADING, held="")
                self._board.set(notes=self._worker.load(device))
            while (claimed := self._take()) is not None:
                self._work(claimed)
            self._settle()
        finally:
            self._preparer.shutdown(cancel_futures=True)
            self._writer.shutdown()

    def _take(self) -> _Claimed | None:
        self._claim_ahead()
        claimed, self._ahead = self._ahead, None
        return claimed

    def _claim_ahead(self) -> None:
        while self._ahead is None and not self._exhausted:
            place = self._claims.next()
            if place is None:
                self._exhausted = True
            elif self._worker.done(place):
                self._worker.through(place, self._claims.through)
            elif self._claims.strikes(self._worker.name(place)) >= MAX_STRIKES:
                self._fail(place, failure.CRASH, failure.REASONS[failure.CRASH])
            else:
                self._ahead = _Claimed(place, self._preparer.submit(_timed, self._worker.prepare, place))

    def _work(self, claimed: _Claimed) -> None:
        item, began = claimed.item, time.time()
        self._board.set(state=status.WAITING, held=self._worker.name(item), step=0, steps=0)
        self._board.flush()  # the one status that matters after a crash: who held what
        try:
            (prepared, preparing), waited = _timed(claimed.prepared.result)
            self._board.set(state=status.WORKING)
            result, computing = _timed(self._worker.compute, item, prepared, self._pulse())
        except Exception as error:  # noqa: BLE001 - the boundary of a sample: it fails, the rank goes on
            traceback.print_exc()
            reason, line = failure.reason(error), failure.summary(error)
            del error
            self._fail(item, reason, line)
            return
        self._settle()
        phases = {"prepare": preparing, "wait": waited, "compute": computing}
        self._storing = self._writer.submit(self._store, item, result, phases, began)

    def _pulse(self) -> Pulse:
        return Pulse(step=lambda step, steps: self._board.set(step=step, steps=steps), ahead=self._claim_ahead)

    def _store(self, item: int, result: Any, phases: dict[str, float], began: float) -> None:
        """`began`: Unix time at which the rank took the item up; the row's `ended`: when all of its result was on disk."""
        events, storing = _timed(self._worker.store, item, result, phases["compute"])
        self._worker.through(item, self._claims.through)
        self._board.add(events, failed=False)
        seconds = {name: round(value, 4) for name, value in {**phases, "store": storing}.items()}
        span = {"began": round(began, 4), "ended": round(time.time(), 4)}
        self._record({"keys": list(self._worker.keys(item)), "seconds": seconds, **span})

    def _fail(self, item: int, reason: str, error: str) -> None:
        events = self._worker.fail(item, reason, error)
        self._worker.through(item, self._claims.through)
        self._board.add(events, failed=True)

    def _settle(self) -> None:
        """Wait for the last result to be on disk. At most one is ever in flight, so memory stays bounded."""
        storing, self._storing = self._storing, None
        try:
            if storing is not None:
                storing.result()
        except OSError as error:
            raise StageError(
                f"a result could not be written: {error}", "Make room or mend the folder, then run it again."
            ) from error


def _timed(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    began = time.perf_counter()
    return function(*arguments), time.perf_counter() - began
