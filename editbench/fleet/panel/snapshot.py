"""The state of a run at one moment: the ranks' status files, and what only reading them again and again tells (steps a second,
how long a rank has been silent, the pace of all)."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from editbench.fleet import status
from editbench.fleet.status import Event, RankStatus, RunStatus
from editbench.fleet.tracker import Tracker, added, added_scores
from editbench.paths import RunPaths
from editbench.printable import clean
from editbench.records import EDIT_FAILED, ERROR

SILENT = 60.0
"""Seconds without a sign of life after which a rank is shown as stalled; it gives one every few seconds."""
RATE_SECONDS, PACE_SECONDS = 10.0, 300.0
"""Seconds over which the steps a second and the samples a second are measured."""
EDIT, SCORE = "edit", "score"
_DOING = {EDIT: "editing", SCORE: "judging"}


@dataclass(frozen=True, slots=True)
class RankView:
    """A rank. `rate`: denoising steps a second, None while unknown. `silent`: seconds since it last updated its status."""

    status: RankStatus
    rate: float | None = None
    silent: float = 0.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run at one moment. `seconds` since the attempt began; `pace`: samples a second, None while unknown."""

    run: RunStatus
    paths: RunPaths
    tracker: Tracker
    ranks: list[RankView]
    seconds: float
    pace: float | None

    @property
    def attempt(self) -> int:
        """As the ranks know it: another node than the head learns it from them, and 0 stands for not yet."""
        return max([self.run.attempt, *(rank.status.attempt for rank in self.ranks)])

    @property
    def finished(self) -> int:
        """Samples that are done or failed, those from before this attempt included."""
        return self.tracker.done + self.tracker.failed

    @property
    def reasons(self) -> dict[str, int]:
        """Samples without a result, by reason."""
        return added(*(rank.status.reasons for rank in self.ranks))

    @property
    def scores(self) -> dict[str, list[float]]:
        """[n, sum] of the scores by category, those from before this attempt included."""
        return added_scores(self.run.scores, *(rank.status.scores for rank in self.ranks))

    @property
    def left(self) -> float | None:
        """Seconds left, None while unknown."""
        missing = max(0, self.run.total - self.finished)
        if self.run.ended is not None:
            return None
        if not missing:
            return 0.0
        return missing / self.pace if self.pace else None

    def state(self, rank: RankView) -> str:
        """The rank's state in the words of the stage."""
        state = clean(rank.status.state)
        if state not in (*status.ENDED, status.DEAD, status.STALLED):
            if self.run.ended is not None:
                return "lost"
            if rank.silent > SILENT:
                return "stalled?"
        return _DOING.get(self.run.stage, state) if state == status.WORKING else state

    def states(self) -> list[tuple[str, int]]:
        """How many ranks are in each state, the most frequent first."""
        return Counter(self.state(rank) for rank in self.ranks).most_common()

    def log(self, rank: RankStatus) -> Path:
        """The rank's log, relative to the run's folder."""
        return self.paths.attempt(rank.attempt).rank_log(rank.rank).relative_to(self.paths.root)

    def has_log(self, event: Event) -> bool:
        """Whether a log says more: nothing crashed for a reply without a score, or a sample that came without an edit."""
        return event.status == ERROR or (event.status == EDIT_FAILED and self.run.stage == EDIT)


@dataclass(slots=True)
class Observer:
    """Makes snapshots of one run. `clock` never jumps; `wall` is the time that status files are stamped with."""

    run: RunStatus
    paths: RunPaths
    tracker: Tracker
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    _updated: dict[int, tuple[float, float]] = field(default_factory=dict)
    """By rank: the time in its newest status, and the time on our clock when that was first read."""
    _steps: dict[int, deque[tuple[float, int]]] = field(default_factory=dict)
    """By rank: (time, step) of the sample under way, on the rank's own clock."""
    _samples: dict[int, tuple[int, int, str]] = field(default_factory=dict)
    _rates: dict[int, float] = field(default_factory=dict)
    _finished: deque[tuple[float, int]] = field(default_factory=deque)
    """(time on our clock, samples finished by then)"""

    def look(self) -> Snapshot:
        """The state of the run by the newest status files, which the tracker has."""
        tracker = self.tracker
        ranks = [RankView(rank, self._rate(rank), self._silence(rank)) for rank in tracker.totals()]
        seconds = max(0.0, (self.run.ended or self.wall()) - self.run.began)
        return Snapshot(self.run, self.paths, tracker, ranks, seconds, self._pace(tracker.finished, ranks))

    def _silence(self, rank: RankStatus) -> float:
        """Measured on our own clock, so that one that jumps, or another node's, does not raise an alarm."""
        now = self.clock()
        updated, since = self._updated.get(rank.rank, (None, now - max(0.0, self.wall() - rank.updated)))
        if updated not in (None, rank.updated):
            since = now
        self._updated[rank.rank] = (rank.updated, since)
        return now - since

    def _rate(self, rank: RankStatus) -> float | None:
        sample = (rank.restart, rank.incarnation, rank.item)
        steps = self._steps.setdefault(rank.rank, deque())
        if self._samples.get(rank.rank) != sample or (steps and rank.step < steps[-1][1]):
            self._samples[rank.rank] = sample
            steps.clear()
        if rank.steps and (not steps or rank.step > steps[-1][1]):
            steps.append((rank.updated, rank.step))
        while len(steps) > 2 and steps[-1][0] - steps[1][0] > RATE_SECONDS:
            steps.popleft()
        if len(steps) > 1 and steps[-1][0] > steps[0][0]:
            rate = (steps[-1][1] - steps[0][1]) / (steps[-1][0] - steps[0][0])
            late = rank.updated - steps[-1][0]
            self._rates[rank.rank] = rate if late * rate < 2 else 1 / late  # no step for long: slower than it was
        return self._rates.get(rank.rank) if rank.state == status.WORKING and rank.steps else None

    def _pace(self, finished: int, ranks: list[RankView]) -> float | None:
        """Measured over the last minutes once that is many samples; before, estimated from the ranks' seconds a sample."""
        if self.run.ended is not None:
            return finished / max(self.run.ended - self.run.began, 1e-9) if finished else None
        now = self.clock()
        if finished and (not self._finished or now - self._finished[-1][0] >= 1):
            self._finished.append((now, finished))
        while len(self._finished) > 1 and now - self._finished[0][0] > PACE_SECONDS:
            self._finished.popleft()
        since, before = self._finished[0] if self._finished else (now, finished)
        if finished - before >= 8 * max(1, len(ranks)) and now > since:
            return (finished - before) / (now - since)
        known = [rank.status for rank in ranks if rank.status.done + rank.status.failed]
        spent = sum(rank.seconds.get("computing", 0.0) + rank.seconds.get("waiting", 0.0) for rank in known)
        alive = sum(rank.status.state not in (*status.ENDED, status.DEAD) for rank in ranks)
        return alive * sum(rank.done + rank.failed for rank in known) / spent if spent and alive else None


def restarts(ranks: list[RankStatus]) -> int:
    """Restarts of single ranks by their keepers, and of all at once by torchrun."""
    return sum(rank.incarnation for rank in ranks) + max((rank.restart for rank in ranks), default=0)


def seconds_a_sample(rank: RankStatus) -> float | None:
    """Mean seconds on the device, None before the first sample."""
    finished = rank.done + rank.failed
    return rank.seconds.get("computing", 0.0) / finished if finished else None
