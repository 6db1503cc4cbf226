"""Progress as lines, for logs and pipes: at the start, every 30 s or 5 %, for every failure and every score, and at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby

from editbench.fleet import status
from editbench.fleet.panel.ranks import FALLEN
from editbench.fleet.panel.snapshot import EDIT, SCORE, Observer, Snapshot, restarts
from editbench.fleet.panel.text import counts, duration, fit, percent, samples_per_second, why
from editbench.fleet.status import Event
from editbench.fleet.tracker import Tracker
from editbench.printable import clean
from editbench.records import OK
from editbench.wording import counted

SECONDS, SHARE = 30.0, 0.05
_LONGEST = 200


class Plain:
    """A `Watch` that gives `say` the lines."""

    def __init__(self, observer: Observer, say: Callable[[str], None]) -> None:
        self._observer, self._say = observer, say
        self._last: tuple[float, int] | None = None
        """Seconds and finished samples at the last line of progress."""
        self._fallen: set[tuple[int, int, int, str]] = set()

    def __call__(self, events: list[Event]) -> None:
        tracker = self._observer.tracker
        due = self._due(tracker)
        if events or due or any(rank.state in FALLEN for rank in tracker.ranks):
            snapshot = self._observer.look()
            for line in self._news(snapshot, events):
                self._say(line)
            if due:
                self._progress(snapshot)

    def end(self) -> None:
        """Say the last line, unless nothing has changed since the one before."""
        if self._last is None or self._last[1] != self._observer.tracker.finished:
            self._progress(self._observer.look())

    def _due(self, tracker: Tracker) -> bool:
        if self._last is None:
            return True
        seconds, finished = self._last
        return tracker.finished - finished >= max(1, SHARE * tracker.total) or tracker.seconds - seconds >= SECONDS

    def _progress(self, snapshot: Snapshot) -> None:
        self._say(_begin(snapshot) if self._last is None else _progress(snapshot))
        self._last = (snapshot.tracker.seconds, snapshot.tracker.finished)

    def _news(self, snapshot: Snapshot, events: list[Event]) -> Iterator[str]:
        if snapshot.run.stage == SCORE:
            yield from _scores(events)
        logs = {(event.key, event.number): snapshot.log(rank) for rank, event in snapshot.tracker.failures}
        for event in events:
            if event.status != OK and snapshot.has_log(event):
                log = logs.get((event.key, event.number))
                yield f"failed  {clean(event.key)}  {why(event)}" + (f"  (log: {log})" if log else "")
            elif event.status == OK and event.note and snapshot.run.stage == EDIT:
                yield f"flagged  {clean(event.key)}  {clean(event.note)}"
        for rank in snapshot.tracker.ranks:
            name = (rank.rank, rank.restart, rank.incarnation, rank.state)
            # A fatal one ends the run, with its message.
            if rank.state in FALLEN and rank.state != status.FATAL and name not in self._fallen:
                self._fallen.add(name)
                if rank.endpoint:
                    yield f"endpoint {clean(rank.device)}: {clean(rank.message) or rank.state}"
                else:
                    yield f"rank {rank.rank}: {clean(rank.message) or rank.state}  (log: {snapshot.log(rank)})"


def _begin(snapshot: Snapshot) -> str:
    run = snapshot.run
    done = f"{snapshot.tracker.done} of {run.total} done" if snapshot.tracker.done else counted(run.total, "sample")
    logs = snapshot.paths.attempt(snapshot.attempt).root if snapshot.attempt else snapshot.paths.logs
    return f"{clean(run.title)}: {done}, {counted(max(run.ranks, len(snapshot.ranks)), run.unit)}; logs in {logs}"


def _progress(snapshot: Snapshot) -> str:
    """`edit M: 412 of 1000 done (41 %), 2 failed (error 2), 2.13 s/sample, 14:32 so far, 20:41 left; 7 editing, 1 dead`."""
    run, failed, reasons = snapshot.run, snapshot.tracker.failed, snapshot.reasons
    facts = [f"{clean(run.title)}: {snapshot.tracker.done} of {run.total} done ({percent(snapshot.tracker.done, run.total)})"]
    if failed or reasons:
        facts.append(f"{failed} failed" + (f" ({counts(reasons)})" if reasons else ""))
    if restarted := restarts([rank.status for rank in snapshot.ranks]):
        facts.append(counted(restarted, "restart"))
    if snapshot.pace:
        facts.append(samples_per_second(snapshot.pace))
    ended = f"{clean(run.outcome) or 'ended'} after {duration(snapshot.seconds)}"
    facts.append(f"{duration(snapshot.seconds)} so far" if run.ended is None else ended)
    if snapshot.left:
        facts.append(f"{duration(snapshot.left)} left")
    states = ", ".join(f"{count} {state}" for state, count in snapshot.states() if state != status.FINISHED)
    return ", ".join(facts) + (f"; {states}" if states else "")


def _scores(events: list[Event]) -> Iterator[str]:
    """A line a sample, and one a batch where there are batches."""
    for name, group in groupby(events, key=lambda event: event.batch):
        batch = list(group)
        for event in batch:
            score = "     -" if event.score is None else f"{event.score:6.2f}"
            note = clean(event.note) if event.status == OK else clean(f"{event.status} {event.note}")
            yield f"{score}  {fit(clean(event.category), 13)}  {clean(event.key)}  {note}"[:_LONGEST]
        if not name:
            continue
        scores = [event.score for event in batch if event.score is not None]
        spread = f"mean {sum(scores) / len(scores):.2f}, min {min(scores):.2f}, max {max(scores):.2f}" if scores else "no score"
        statuses = sorted(Counter(event.status for event in batch).items())
        yield f"{clean(name)}: {spread}; " + ", ".join(f"{count} {state}" for state, count in statuses)
