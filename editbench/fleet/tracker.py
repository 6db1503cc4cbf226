"""What the ranks' status files add up to, across restarts."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from editbench.fleet import status
from editbench.fleet.status import Event, RankStatus

HOPELESS_RESTARTS = 5


@dataclass(slots=True)
class Tracker:
    """`total` samples, of which `before` were done when this attempt began."""

    total: int
    before: int = 0
    ranks: list[RankStatus] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    _counts: dict[tuple[int, int, int], tuple[int, int]] = field(default_factory=dict)
    _seen: dict[tuple[int, int, int], int] = field(default_factory=dict)
    _signs: dict[int, tuple[float, float]] = field(default_factory=dict)
    """By rank: the last time it gave of itself, and when that was seen here."""
    _moved: tuple[int, int] = (0, 0)
    """(samples through, restart) when a sample was last finished."""

    def update(self, ranks: list[RankStatus]) -> list[Event]:
        """Take in the newest status files; returns the events that are new, oldest first within a rank."""
        self.ranks = ranks
        new: list[Event] = []
        for rank in ranks:
            life = (rank.rank, rank.restart, rank.life)
            self._counts[life] = (rank.done, rank.failed)
            new += [event for event in rank.events if event.number > self._seen.get(life, 0)]
            self._seen[life] = max((event.number for event in rank.events), default=self._seen.get(life, 0))
            self.notes += [note for note in rank.notes if note not in self.notes]
            if self._signs.get(rank.rank, (0.0, 0.0))[0] != rank.updated:
                self._signs[rank.rank] = (rank.updated, time.monotonic())
        if self.through > self._moved[0]:
            self._moved = (self.through, self.restart)
        return new

    @property
    def done(self) -> int:
        """Samples that are done, those from before this attempt included."""
        return self.before + sum(done for done, _ in self._counts.values())

    @property
    def failed(self) -> int:
        return sum(failed for _, failed in self._counts.values())

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

    def hopeless(self) -> bool:
        """Whether torchrun has restarted the ranks again and again without a sample being finished in between."""
        return self.restart - self._moved[1] > HOPELESS_RESTARTS

    def alone(self, node: int, silence: float) -> bool:
        """Whether our ranks have ended and no other node's is alive: one without a sign for `silence` seconds is not."""
        mine = [rank for rank in self.ranks if rank.node == node]
        others = [rank for rank in self.ranks if rank.node != node and rank.state not in status.ENDED]
        lost = [rank for rank in others if time.monotonic() - self._signs[rank.rank][1] > silence]
        return bool(mine) and all(rank.state in status.ENDED for rank in mine) and len(lost) == len(others)
