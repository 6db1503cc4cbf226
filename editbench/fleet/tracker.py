"""What the ranks' status files add up to, across restarts."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from editbench.fleet import status
from editbench.fleet.status import Event, RankStatus


@dataclass(slots=True)
class Tracker:
    """`total` samples, of which `before` were done when this attempt began."""

    total: int
    before: int = 0
    ranks: list[RankStatus] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    _counts: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    _seen: dict[tuple[int, int], int] = field(default_factory=dict)
    _working: int = 0
    _moved: tuple[int, int] = (0, 0)
    """(samples through, restart) when a sample was last finished."""

    def update(self, ranks: list[RankStatus]) -> list[Event]:
        """Take in the newest status files; returns the events that are new, oldest first within a rank."""
        self.ranks = ranks
        new: list[Event] = []
        for rank in ranks:
            life = (rank.rank, rank.restart)
            self._counts[life] = (rank.done, rank.failed)
            new += [event for event in rank.events if event.number > self._seen.get(life, 0)]
            self._seen[life] = max((event.number for event in rank.events), default=self._seen.get(life, 0))
            self.notes += [note for note in rank.notes if note not in self.notes]
            if rank.state in (status.WAITING, status.WORKING, status.FINISHED):
                self._working = max(self._working, rank.restart)
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
        """Whether restarting leads nowhere: three restarts in which no rank got as far as a sample, or as many as it takes to
        set one bad
        sample a rank aside (two deaths each) in which no sample was finished."""
        return self.restart - self._working >= 3 or self.restart - self._moved[1] > 2 * len(self.ranks) + 1
