"""Progress as lines, for logs and pipes: at the start, every 30 s or 5 %, for every failure and every score, and at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby

from editbench.fleet import status
from editbench.fleet.panel.columns import FALLEN
from editbench.fleet.panel.snapshot import EDIT, SCORE, Observer, Seen, Snapshot, has_log
from editbench.fleet.panel.words import counted, counts, duration, fit, percent, samples_per_second, why
from editbench.fleet.status import Event
from editbench.fleet.tracker import Tracker
from editbench.printable import clean
from editbench.records import OK

SECONDS, SHARE = 30.0, 0.05
_LONGEST = 200


class Plain:
    """A `Watch`. `say` takes the lines."""

    def __init__(self, observer: Observer, say: Callable[[str], None]) -> None:
        self._observer, self._say = observer, say
        self._said: tuple[float, int] | None = None
        self._fallen: set[tuple[int, int, int, str]] = set()

    def __call__(self, tracker: Tracker, events: list[Event]) -> None:
        if not (events or self._due(tracker) or any(rank.state in FALLEN for rank in tracker.ranks)):
            return
        snapshot = self._observer.look(tracker)
        for line in self._news(snapshot, events):
            self._say(line)
        if self._due(tracker):
            self._tell(tracker, snapshot)

    def end(self, tracker: Tracker) -> None:
        """The last line, unless nothing has changed since the one before."""
        if self._said is None or self._said[1] != tracker.through:
            self._tell(tracker, self._observer.look(tracker))

    def _due(self, tracker: Tracker) -> bool:
        if self._said is None:
            return True
        then, said = self._said
        return tracker.through - said >= max(1, SHARE * tracker.total) or tracker.seconds - then >= SECONDS

    def _tell(self, tracker: Tracker, snapshot: Snapshot) -> None:
        self._say(begin(snapshot) if self._said is None else counted_line(snapshot))
        self._said = (tracker.seconds, tracker.through)

    def _news(self, snapshot: Snapshot, events: list[Event]) -> Iterator[str]:
        if snapshot.run.stage == SCORE:
            yield from scores(events)
        logs = {(event.key, event.number): snapshot.log(rank) for rank, event in snapshot.failures}
        for event in events:
            if event.status != OK and has_log(snapshot.run.stage, event):
                log = logs.get((event.key, event.number))
                yield f"failed  {clean(event.key)}  {why(event)}" + (f"  (log: {log})" if log else "")
            elif event.status == OK and event.note and snapshot.run.stage == EDIT:
                yield f"flagged  {clean(event.key)}  {clean(event.note)}"
        for rank in snapshot.ranks:
            yield from self._fall(snapshot, rank)

    def _fall(self, snapshot: Snapshot, rank: Seen) -> Iterator[str]:
        now = rank.status
        name = (now.rank, now.restart, now.life, now.state)
        # A fatal one ends the run, with its message.
        if now.state in FALLEN and now.state != status.FATAL and name not in self._fallen:
            self._fallen.add(name)
            yield f"rank {now.rank}: {clean(now.message) or now.state}  (log: {snapshot.log(now)})"


def begin(snapshot: Snapshot) -> str:
    run = snapshot.run
    done = f"{snapshot.done} of {run.total} done" if snapshot.done else counted(run.total, "sample")
    logs = snapshot.paths.attempt(snapshot.attempt).root if snapshot.attempt else snapshot.paths.logs
    return f"{clean(run.title)}: {done}, {counted(max(run.ranks, len(snapshot.ranks)), 'rank')}; logs in {logs}"


def counted_line(snapshot: Snapshot) -> str:
    """`edit M: 412 of 1000 done (41 %), 2 failed (error 2), 2.13 s/sample, 14:32 so far, 20:41 left; 7 editing, 1 dead`."""
    run = snapshot.run
    parts = [f"{clean(run.title)}: {snapshot.done} of {run.total} done ({percent(snapshot.done, run.total)})"]
    if snapshot.failed or snapshot.reasons:
        parts.append(f"{snapshot.failed} failed" + (f" ({counts(snapshot.reasons)})" if snapshot.reasons else ""))
    if snapshot.restarts:
        parts.append(counted(snapshot.restarts, "restart"))
    if snapshot.pace:
        parts.append(samples_per_second(snapshot.pace))
    ended = f"{clean(run.outcome) or 'ended'} after {duration(snapshot.seconds)}"
    parts.append(f"{duration(snapshot.seconds)} so far" if run.ended is None else ended)
    if snapshot.left:
        parts.append(f"{duration(snapshot.left)} left")
    states = ", ".join(f"{count} {state}" for state, count in snapshot.states().most_common() if state != status.FINISHED)
    return ", ".join(parts) + (f"; {states}" if states else "")


def scores(events: list[Event]) -> Iterator[str]:
    """A line a sample, and one a batch."""
    for batch, group in groupby(events, key=lambda event: event.batch):
        members = list(group)
        for event in members:
            value = "     -" if event.score is None else f"{event.score:6.2f}"
            note = clean(event.note) if event.status == OK else f"{event.status} {clean(event.note)}"
            yield f"{value}  {fit(clean(event.category), 13)}  {clean(event.key)}  {note}"[:_LONGEST]
        statuses = Counter(event.status for event in members)
        yield f"{clean(batch)}: {_spread([event.score for event in members], statuses)}"


def _spread(values: list[float | None], statuses: Counter[str]) -> str:
    there = [value for value in values if value is not None]
    spread = f"mean {sum(there) / len(there):.2f}, min {min(there):.2f}, max {max(there):.2f}; " if there else "no score; "
    return spread + ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
