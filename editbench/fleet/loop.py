"""The loop of a rank: claim, prepare, compute, store, with the three overlapping.

    prepare (thread)   [2]      [3]      [4]
    compute (main)     [1......][2......][3......]
    store (thread)              [1]      [2]

An item is an index into the plan. It is claimed ahead only when `compute` says that the device is about to be free
(`Pulse.ahead`): a rank never sits on an item that an idle rank could have started. Near the end a slow rank leaves what is
unclaimed to faster ones (`Claims.straggles`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from editbench.errors import StageError, status_of
from editbench.fleet import failure, status
from editbench.fleet.lockstep import Lockstep
from editbench.fleet.work import MAX_CRASHES, Claims
from editbench.fleet.worker import Pulse, Worker

Record = Callable[[dict[str, Any]], None]
"""Takes a row of timings.jsonl."""


@dataclass(slots=True)
class _Claimed:
    """An item that is claimed, and its input, which a thread prepares: (input, seconds)."""

    item: int
    prepared: Future[tuple[Any, float]]


class Loop:
    """Runs `worker` over what `claims` hands out until nothing is left. `record` gets a row of timings.jsonl for each item;
    `retries`: tries more for a transient failure.

    An item that raises is recorded as failed and the loop goes on (`failure.attempt`). A result that can't be written (a full
    disk) stops the loop with StageError; what was written stays.
    """

    def __init__(
        self,
        worker: Worker,
        claims: Claims,
        status_file: status.StatusFile,
        record: Record,
        *,
        retries: int = 0,
        lockstep: Lockstep | None = None,
    ) -> None:
        self._worker, self._claims, self._status, self._record = worker, claims, status_file, record
        self._retries, self._lockstep = retries, lockstep
        self._next: _Claimed | None = None
        self._claiming: Future[None] | None = None
        self._exhausted = False
        self._claimed: set[int] = set()
        self._claimed_lock = threading.Lock()
        self._storing: Future[None] | None = None
        self._preparer = ThreadPoolExecutor(1, "prepare")
        self._writer = ThreadPoolExecutor(1, "store")

    def run(self, device: str, loading: AbstractContextManager[None] | None = None) -> None:
        """Load the model (inside `loading`) and work; a rank that finds nothing to do loads nothing."""
        try:
            self._claim_ahead()
            if self._next is not None:
                self._load(device, loading or nullcontext())
            while (claimed := self._take()) is not None:
                self._work(claimed)
                if self._lockstep:
                    self._synchronise(self._lockstep)
            self._await_store()
        finally:
            self._preparer.shutdown(cancel_futures=True)
            self._writer.shutdown()

    def _load(self, device: str, loading: AbstractContextManager[None]) -> None:
        self._status.set(state=status.LOADING, item="")
        with loading:
            notes, seconds = _timed(self._worker.load, device)
        self._status.spend("loading", seconds)
        self._status.set(notes=notes, environment=self._status.status.environment | self._worker.kernels())

    def _take(self) -> _Claimed | None:
        claiming, self._claiming = self._claiming, None
        if claiming is not None:
            claiming.result()
        if self._next is None and self._claims.straggles():
            self._yield_items()
        self._claim_ahead()
        claimed, self._next = self._next, None
        return claimed

    def _claim_ahead(self) -> None:
        while self._next is None and not self._exhausted:
            item = self._claims.next()
            if item is None:
                self._exhausted = True
            elif self._worker.done(item):
                self._worker.finished(item, self._claims.count_finished)
            elif self._claims.crashes(self._worker.name(item)) >= MAX_CRASHES:
                self._fail(item, failure.CRASH, failure.REASONS[failure.CRASH], MAX_CRASHES)
            else:
                self._note_claimed(item)
                self._next = self._prepared(item)

    def _start_claiming(self) -> None:
        """Not in the thread of the item under way: it is not that item's fault when nothing more can be claimed."""
        if self._claiming is None:
            self._claiming = self._preparer.submit(self._claim_early)

    def _claim_early(self) -> None:
        """A straggler waits in the main thread, where SIGTERM ends the wait."""
        if not self._claims.straggles():
            self._claim_ahead()

    def _yield_items(self) -> None:
        self._await_store()
        self._status.set(state=status.WAITING, item="", step=0, steps=0)
        self._claims.yield_items(self._status.set)

    def _prepared(self, item: int) -> _Claimed:
        return _Claimed(item, self._preparer.submit(_timed, self._worker.prepare, item))

    def _work(self, claimed: _Claimed) -> None:
        item, began = claimed.item, time.time()
        self._status.set(state=status.WAITING, item=self._worker.name(item), step=0, steps=0)
        self._status.flush()  # the one status that matters after a crash: which rank had which item
        tries = 1
        while isinstance(outcome := failure.attempt(self._result, claimed), failure.Failed):
            if outcome.reason not in failure.TRANSIENT or tries > self._retries:
                self._fail(item, outcome.reason, outcome.error, tries)
                return
            tries += 1
            failure.recover()
            claimed = self._prepared(item)
        self._await_store()
        self._storing = self._writer.submit(self._store, item, outcome, began)
        if not self._lockstep:  # which keeps all ranks at one pace
            self._claims.count_seconds(outcome.seconds["wait"] + outcome.seconds["compute"])

    def _result(self, claimed: _Claimed) -> _Done:
        began = time.perf_counter()
        prepared, preparing = claimed.prepared.result()
        waited = time.perf_counter() - began
        self._status.set(state=status.WORKING)
        result, computing = _timed(self._worker.compute, claimed.item, prepared, self._pulse())
        self._status.spend("waiting", waited)
        self._status.spend("computing", computing)
        return _Done(result, {"prepare": preparing, "wait": waited, "compute": computing})

    def _pulse(self) -> Pulse:
        return Pulse(step=lambda step, steps: self._status.set(step=step, steps=steps), ahead=self._start_claiming)

    def _store(self, item: int, done: _Done, began: float) -> None:
        """`began`: Unix time at which the rank took the item up; the row's `ended`: when all of its result was on disk."""
        events, storing = _timed(self._worker.store, item, done.result, done.seconds["compute"])
        self._worker.finished(item, self._claims.count_finished)
        self._status.spend("writing", storing)
        self._status.add(events)
        seconds = {name: round(value, 4) for name, value in {**done.seconds, "store": storing}.items()}
        span = {"began": round(began, 4), "ended": round(time.time(), 4)}
        self._record({"keys": list(self._worker.keys(item)), "seconds": seconds, **span})
        self._note_claimed(item, finished=True)

    def _fail(self, item: int, reason: str, error: str, tries: int) -> None:
        events = self._worker.fail(item, reason, error, tries)
        self._worker.finished(item, self._claims.count_finished)
        self._status.add(events, reason)
        self._note_claimed(item, finished=True)

    def _note_claimed(self, item: int, *, finished: bool = False) -> None:
        """Keep the list of unfinished items in the status, from which a restarted rank takes them up (threads call this)."""
        with self._claimed_lock:
            (self._claimed.discard if finished else self._claimed.add)(item)
            self._status.set(claimed=sorted(self._claimed))

    def _await_store(self) -> None:
        """Wait for the last result to be on disk. At most one is ever in flight, so memory stays bounded."""
        storing, self._storing = self._storing, None
        try:
            if storing is not None:
                storing.result()
        except OSError as error:
            remedy = "Make room or mend the folder, then run it again."
            raise StageError(f"a result could not be written: {error}", remedy, status_of(error)) from error

    def _synchronise(self, lockstep: Lockstep) -> None:
        self._status.set(state=status.SYNCING, item="", step=0, steps=0)
        _, seconds = _timed(lockstep.step)
        self._status.spend("waiting", seconds)


@dataclass(frozen=True, slots=True)
class _Done:
    result: Any
    seconds: dict[str, float]


def _timed(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    began = time.perf_counter()
    return function(*arguments), time.perf_counter() - began
