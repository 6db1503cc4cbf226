"""The run of a served judge: threads in the launcher's process, each with one sample at a time, until none is left.

A sample's row is on disk as soon as it is judged, so that it is never asked about again. Every endpoint has a status file, as
ranks have, from which the panel and `watch` draw.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

import orjson

from editbench import console
from editbench.errors import Interrupted, StageError
from editbench.fleet import failure, status
from editbench.fleet.failure import Failed
from editbench.fleet.launch import Watch
from editbench.fleet.status import Event, RankStatus, StatusFile
from editbench.fleet.tracker import Tracker
from editbench.paths import AttemptPaths, RunPaths
from editbench.score.items import JudgedItem
from editbench.score.questions import QuestionBuilder
from editbench.score.row_maker import JudgedRow, RowMaker
from editbench.score.served.judge import ServedJudge, Session
from editbench.score.served.pool import EndpointPool, EndpointState

TICK = 0.25
"""Seconds between two looks at how far the threads are."""


Put = Callable[[int, JudgedRow], None]
"""Makes the row of a chunk durable. Raises OSError, UserError as `Chunks.put` does."""


@dataclass
class Board:
    """The status file and the timings of each endpoint: row i is endpoint i."""

    pool: EndpointPool
    files: Sequence[StatusFile]
    timings: Sequence[Any]

    @classmethod
    @contextmanager
    def opened(cls, paths: RunPaths, logs: AttemptPaths, attempt: int, pool: EndpointPool) -> Iterator[Board]:
        for stale in paths.rank_statuses():
            stale.unlink()
        with ExitStack() as stack:
            files = []
            for number, state in enumerate(pool.states):
                row = RankStatus(number, attempt, device=state.endpoint.label, state=status.WORKING)
                files.append(StatusFile(paths.rank_status(number), row))
                stack.callback(files[-1].close)
            timings = [
                stack.enter_context(open(logs.rank_timings(number), "ab", buffering=0)) for number in range(len(pool.states))
            ]
            board = cls(pool, files, timings)
            try:
                yield board
            finally:
                board.refresh(ended=True)

    def refresh(self, *, ended: bool = False) -> list[RankStatus]:
        """Take in how the endpoints are; returns the rows."""
        for state, file in zip(self.pool.states, self.files, strict=True):
            here = status.DEAD if state.down else status.WORKING if state.in_flight else status.WAITING
            ending = status.STOPPED if self.pool.stopping else status.FINISHED
            file.set(
                state=ending if ended else here,
                endpoint=state.load,
                message=state.last_error if state.failures else "",
                seconds={**file.status.seconds, "computing": state.seconds},
            )
        return [file.status for file in self.files]

    def add(self, state: EndpointState | None, event: Event, row: dict[str, Any]) -> None:
        """A finished sample, whose last reply was of `state`; without any, the first endpoint's."""
        number = self.pool.states.index(state) if state else 0
        self.timings[number].write(orjson.dumps({**row, "rank": number, "device": self.files[number].status.device}) + b"\n")
        self.files[number].add([event])


@dataclass(frozen=True, slots=True)
class Asking:
    """Judges items in threads. `items`: (chunk, item), a chunk being one sample."""

    judge: ServedJudge
    builder: QuestionBuilder
    maker: RowMaker
    put: Put
    board: Board
    left: SimpleQueue[tuple[int, JudgedItem]]

    def run(self, threads: int, tracker: Tracker, watch: Watch) -> None:
        """Until nothing is left. Raises Interrupted once what is under way is finished, and what the pool was halted for."""
        # Events, not `Thread.join`: up to Python 3.12 that takes a thread at work for one that has ended, where the handler of
        # a signal raises meanwhile.
        ends = [threading.Event() for _ in range(threads)]
        for number, end in enumerate(ends):
            threading.Thread(target=self._ask, args=(end,), name=f"ask-{number}", daemon=True).start()
        try:
            self._watch(ends, tracker, watch)
        except Interrupted:
            self.judge.pool.stop()
            flying = sum(state.in_flight for state in self.judge.pool.states)
            console.say(f"stopping: {flying} requests under way are waited for; once more stops now", "yellow")
            self._watch(ends, tracker, watch)
            raise
        if self.judge.pool.error:
            raise self.judge.pool.error

    def _watch(self, ends: Sequence[threading.Event], tracker: Tracker, watch: Watch) -> None:
        for end in ends:
            while not end.wait(TICK):
                watch(tracker.update(self.board.refresh()))
        watch(tracker.update(self.board.refresh()))

    def _ask(self, end: threading.Event) -> None:
        try:
            self._work()
        finally:
            end.set()

    def _work(self) -> None:
        while not self.judge.pool.stopping:
            try:
                chunk, item = self.left.get_nowait()
            except Empty:
                return
            began, started = time.time(), time.perf_counter()
            session = Session(self.judge, item)
            judged = failure.attempt(self._judged, item, session)
            if isinstance(judged, Failed):
                if self.judge.pool.stopping:
                    return
                judged = self.maker.unjudged(item, judged.message)
            self._store(chunk, judged, session, began, time.perf_counter() - started)

    def _judged(self, item: JudgedItem, session: Session) -> JudgedRow:
        if not item.images:
            return self.maker.unjudged(item)
        groups, failures = self.builder.build({0: item})
        if failures:
            return self.maker.unjudged(item, failures[0].message)
        return self.maker.judged(item, [*session.votes(groups)])

    def _store(self, chunk: int, judged: JudgedRow, session: Session, began: float, seconds: float) -> None:
        row = {
            "keys": [judged.item.name],
            "seconds": {"compute": round(seconds, 4)},
            "began": round(began, 4),
            "ended": round(time.time(), 4),
            "tokens": session.cost,
            "fingerprint": session.fingerprint,
        }
        failed = failure.attempt(self.put, chunk, judged) or failure.attempt(
            self.board.add, session.state, judged.event(seconds), row
        )
        if isinstance(failed, Failed):
            remedy = "Make room or mend the folder, then run it again."
            self.judge.pool.halt(StageError(f"a result could not be written: {failed.text}", remedy))


@contextmanager
def logged(logs: AttemptPaths) -> Iterator[None]:
    """What is logged while the block runs (tracebacks of failed samples) goes into the attempt's log, not on the terminal."""
    handler = logging.FileHandler(logs.rank_log(0), encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(threadName)s %(message)s"))
    logger = logging.getLogger("editbench")
    before, logger.propagate = logger.propagate, False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = before
        handler.close()


def queued(items: Sequence[JudgedItem], chunks: Sequence[int], rows_of: Callable[[int], range]) -> SimpleQueue[Any]:
    """(chunk, item) of these chunks, which hold one item each."""
    left: SimpleQueue[tuple[int, JudgedItem]] = SimpleQueue()
    for chunk in chunks:
        (row,) = rows_of(chunk)
        left.put((chunk, items[row]))
    return left
