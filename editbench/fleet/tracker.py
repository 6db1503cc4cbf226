"""What the ranks' status files add up to, over all incarnations of each rank."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TypeVar

from editbench.fleet import status
from editbench.fleet.status import Event, RankStatus
from editbench.records import OK

_Number = TypeVar("_Number", int, float)

LATEST, FAILURES = 200, 20
"""Events kept for people to see."""


@dataclass(slots=True)
class Tracker:
    """`total` samples, of which `before` were done when this attempt began."""

    total: int
    before: int = 0
    ranks: list[RankStatus] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    latest: deque[Event] = field(default_factory=lambda: deque(maxlen=LATEST))
    """The last finished samples, newest last."""
    failures: deque[tuple[RankStatus, Event]] = field(default_factory=lambda: deque(maxlen=FAILURES))
    """The last samples without a result, newest last, each with the rank that had it."""
    _current: dict[int, RankStatus] = field(default_factory=dict)
    _earlier: dict[int, RankStatus] = field(default_factory=dict)
    """By rank: the sum of its earlier incarnations, where the current one does not count on from them."""
    _last_event: dict[int, int] = field(default_factory=dict)
    _updated: dict[int, tuple[float, float]] = field(default_factory=dict)
    """By rank: the time in its newest status, and the time on our own clock when that was read."""

    def update(self, ranks: list[RankStatus]) -> list[Event]:
        """Take in the newest status files; returns the events that are new, oldest first within a rank."""
        self.ranks = ranks
        new: list[Event] = []
        for rank in ranks:
            self._add_up(rank)
            last = self._last_event.get(rank.rank, 0)
            events = [event for event in rank.events if event.number > last]
            self._last_event[rank.rank] = max([last, *(event.number for event in events)])
            self.failures += [(rank, event) for event in events if event.status != OK]
            new += events
            self.notes += [note for note in rank.notes if note not in self.notes]
            if self._updated.get(rank.rank, (0.0, 0.0))[0] != rank.updated:
                self._updated[rank.rank] = (rank.updated, time.monotonic())
        self.latest += new
        return new

    def _add_up(self, rank: RankStatus) -> None:
        """A new incarnation that counts from nothing adds to the earlier ones; one that counts on from them replaces them."""
        last = self._current.get(rank.rank)
        if (
            last is not None
            and (last.restart, last.incarnation) != (rank.restart, rank.incarnation)
            and _counts_less(rank, last)
        ):
            self._earlier[rank.rank] = self._total(last)
            self._last_event[rank.rank] = 0
        self._current[rank.rank] = rank

    def _total(self, rank: RankStatus) -> RankStatus:
        return _sum(self._earlier[rank.rank], rank) if rank.rank in self._earlier else rank

    def totals(self) -> list[RankStatus]:
        """The status of each rank, with the counts of its earlier incarnations added."""
        return [self._total(rank) for rank in self.ranks]

    @property
    def done(self) -> int:
        """Samples that are done, those from before this attempt included."""
        return self.before + sum(rank.done for rank in (*self._current.values(), *self._earlier.values()))

    @property
    def failed(self) -> int:
        """Samples that failed in this attempt."""
        return sum(rank.failed for rank in (*self._current.values(), *self._earlier.values()))

    @property
    def finished(self) -> int:
        """Samples that were done or failed in this attempt."""
        return self.done + self.failed - self.before

    @property
    def seconds(self) -> float:
        """Seconds since this tracker was made."""
        return time.monotonic() - self.started

    def fatal(self) -> RankStatus | None:
        """A rank that can't go on, if there is one."""
        return next((rank for rank in self.ranks if rank.state == status.FATAL), None)

    def all_ended(self, node: int, silence: float) -> bool:
        """Whether the ranks of `node` (there are some) have ended, and each of another node has, too, or has not updated its
        status for `silence` seconds: it is lost."""
        mine = [rank for rank in self.ranks if rank.node == node]
        others = [rank for rank in self.ranks if rank.node != node and rank.state not in status.ENDED]
        lost = [rank for rank in others if time.monotonic() - self._updated[rank.rank][1] > silence]
        return bool(mine) and all(rank.state in status.ENDED for rank in mine) and len(lost) == len(others)


def _counts_less(rank: RankStatus, last: RankStatus) -> bool:
    fewer = rank.done + rank.failed < last.done + last.failed
    return fewer or sum(rank.seconds.values()) < sum(last.seconds.values())


def _sum(earlier: RankStatus, current: RankStatus) -> RankStatus:
    """`current`, with the counts of `earlier` added."""
    return replace(
        current,
        done=earlier.done + current.done,
        failed=earlier.failed + current.failed,
        reasons=added(earlier.reasons, current.reasons),
        scores=added_scores(earlier.scores, current.scores),
        seconds=added(earlier.seconds, current.seconds),
        slowest=sorted([*earlier.slowest, *current.slowest], key=lambda entry: -entry[1])[:5],
    )


def added(*counts: dict[str, _Number]) -> dict[str, _Number]:
    """The sum of the counts under each name."""
    names = dict.fromkeys(name for count in counts for name in count)
    return {name: sum(count.get(name, 0) for count in counts) for name in names}


def added_scores(*scores: dict[str, list[float]]) -> dict[str, list[float]]:
    """[n, sum] of the scores by category, of several [n, sum] by category."""
    numbers = added(*({name: number for name, (number, _) in entry.items()} for entry in scores))
    sums = added(*({name: total for name, (_, total) in entry.items()} for entry in scores))
    return {name: [number, sums[name]] for name, number in numbers.items()}
