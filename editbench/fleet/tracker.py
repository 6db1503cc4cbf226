"""What the ranks' status files add up to, across the lives of each rank."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field, replace

from editbench.fleet import status
from editbench.fleet.status import Event, RankStatus
from editbench.records import OK

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
    """The last samples that are through, newest last."""
    failures: deque[tuple[RankStatus, Event]] = field(default_factory=lambda: deque(maxlen=FAILURES))
    """The last samples without a result, newest last, each with the rank it had."""
    _last: dict[int, RankStatus] = field(default_factory=dict)
    _past: dict[int, RankStatus] = field(default_factory=dict)
    """By rank: the sum of its earlier lives."""
    _seen: dict[int, int] = field(default_factory=dict)
    _signs: dict[int, tuple[float, float]] = field(default_factory=dict)
    """By rank: the last time it gave of itself, and when that was seen here."""

    def update(self, ranks: list[RankStatus]) -> list[Event]:
        """Take in the newest status files; returns the events that are new, oldest first within a rank."""
        self.ranks = ranks
        new: list[Event] = []
        for rank in ranks:
            self._notice_new_life(rank)
            events = [event for event in rank.events if event.number > self._seen.get(rank.rank, 0)]
            self._seen[rank.rank] = max([self._seen.get(rank.rank, 0), *(event.number for event in events)])
            self.failures += [(rank, event) for event in events if event.status != OK]
            new += events
            self.notes += [note for note in rank.notes if note not in self.notes]
            if self._signs.get(rank.rank, (0.0, 0.0))[0] != rank.updated:
                self._signs[rank.rank] = (rank.updated, time.monotonic())
        self.latest += new
        return new

    def _notice_new_life(self, rank: RankStatus) -> None:
        """A new life that counts from nothing is added to the earlier ones; one that counts on from them stands for all."""
        last = self._last.get(rank.rank)
        if last is not None and (last.restart, last.life) != (rank.restart, rank.life) and _less(rank, last):
            self._past[rank.rank] = _sum(self._past[rank.rank], last) if rank.rank in self._past else last
            self._seen[rank.rank] = 0
        self._last[rank.rank] = rank

    def whole(self) -> list[RankStatus]:
        """The ranks, their earlier lives included in what they count."""
        return [_sum(self._past[rank.rank], rank) if rank.rank in self._past else rank for rank in self.ranks]

    @property
    def done(self) -> int:
        """Samples that are done, those from before this attempt included."""
        lives = [*self._last.values(), *self._past.values()]
        return self.before + sum(life.done for life in lives)

    @property
    def failed(self) -> int:
        return sum(life.failed for life in [*self._last.values(), *self._past.values()])

    @property
    def through(self) -> int:
        return self.done + self.failed - self.before

    @property
    def restart(self) -> int:
        return max((rank.restart for rank in self.ranks), default=0)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def fatal(self) -> RankStatus | None:
        """A rank that can't go on, if there is one."""
        return next((rank for rank in self.ranks if rank.state == status.FATAL), None)

    def alone(self, node: int, silence: float) -> bool:
        """Whether our ranks have ended and no other node's is alive: one without a sign for `silence` seconds is not."""
        mine = [rank for rank in self.ranks if rank.node == node]
        others = [rank for rank in self.ranks if rank.node != node and rank.state not in status.ENDED]
        lost = [rank for rank in others if time.monotonic() - self._signs[rank.rank][1] > silence]
        return bool(mine) and all(rank.state in status.ENDED for rank in mine) and len(lost) == len(others)


def _less(rank: RankStatus, last: RankStatus) -> bool:
    through, spent = rank.done + rank.failed, sum(rank.seconds.values())
    return through < last.done + last.failed or spent < sum(last.seconds.values())


def _sum(past: RankStatus, now: RankStatus) -> RankStatus:
    """`now`, with what `past` counts added."""
    scores = {name: [0.0, 0.0] for name in [*past.scores, *now.scores]}
    for category, (count, total) in [*past.scores.items(), *now.scores.items()]:
        scores[category] = [scores[category][0] + count, scores[category][1] + total]
    return replace(
        now,
        done=past.done + now.done,
        failed=past.failed + now.failed,
        reasons={name: past.reasons.get(name, 0) + now.reasons.get(name, 0) for name in [*past.reasons, *now.reasons]},
        scores=scores,
        seconds={name: past.seconds.get(name, 0.0) + now.seconds.get(name, 0.0) for name in [*past.seconds, *now.seconds]},
        slowest=sorted([*past.slowest, *now.slowest], key=lambda entry: -entry[1])[:5],
    )
