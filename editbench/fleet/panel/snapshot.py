"""What a panel shows at one moment: the ranks' status files, and what only looking at them again and again tells (steps a
second, how long a rank has been silent, the pace of all)."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from editbench.fleet import status
from editbench.fleet.status import Event, RankStatus, RunStatus
from editbench.fleet.tracker import Tracker
from editbench.paths import RunPaths
from editbench.records import EDIT_FAILED, ERROR

SILENT = 60.0
"""Seconds without a sign of life after which a rank is shown as stalled; it gives one every few seconds."""
RATE_SECONDS, PACE_SECONDS = 10.0, 300.0
"""How far back the steps a second and the samples a second look."""
EDIT, SCORE = "edit", "score"
_DOING = {EDIT: "editing", SCORE: "judging"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A rank. `rate`: denoising steps a second, None while unknown. `silent`: seconds since it last gave of itself."""

    status: RankStatus
    rate: float | None = None
    silent: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """`done` includes the samples from before this attempt. `pace`: samples a second. Newest events come last."""

    run: RunStatus
    paths: RunPaths
    ranks: list[Seen]
    done: int
    failed: int
    reasons: dict[str, int] = field(default_factory=dict)
    scores: dict[str, list[float]] = field(default_factory=dict)
    """[n, sum] of the scores by category, those from before included."""
    latest: list[Event] = field(default_factory=list)
    failures: list[tuple[RankStatus, Event]] = field(default_factory=list)
    seconds: float = 0.0
    pace: float | None = None

    @property
    def attempt(self) -> int:
        """As the ranks know it: another node than the head learns it from them, and 0 stands for not yet."""
        return max([self.run.attempt, *(rank.status.attempt for rank in self.ranks)])

    @property
    def through(self) -> int:
        return self.done + self.failed

    @property
    def left(self) -> float | None:
        """Seconds left, None while unknown."""
        missing = max(0, self.run.total - self.through)
        if self.run.ended is not None or (missing and not self.pace):
            return None
        return missing / self.pace if missing else 0.0

    @property
    def restarts(self) -> int:
        """Of single ranks, and of all at once."""
        lives = sum(rank.status.life for rank in self.ranks)
        return lives + max((rank.status.restart for rank in self.ranks), default=0)

    @property
    def scale(self) -> tuple[float, float] | None:
        """Lowest and highest score the rubric allows, where the run tells."""
        scale = self.run.scale
        return tuple(scale) if scale else None

    def state(self, rank: Seen) -> str:
        """The rank's state in the words of the stage."""
        said = rank.status.state
        if self.run.ended is not None and said not in (*status.ENDED, status.DEAD, status.STALLED):
            return "lost"
        if rank.silent > SILENT and said not in (*status.ENDED, status.DEAD, status.STALLED):
            return "stalled?"
        return _DOING.get(self.run.stage, said) if said == status.WORKING else said

    def states(self) -> Counter[str]:
        return Counter(self.state(rank) for rank in self.ranks)

    def log(self, rank: RankStatus) -> Path:
        """The rank's log, relative to the run's folder."""
        return self.paths.attempt(rank.attempt).rank_log(rank.rank).relative_to(self.paths.root)


def has_log(stage: str, event: Event) -> bool:
    """Whether the rank's log says more: a reply without a score, or a sample that never had an edit, is no one's crash."""
    return event.status == ERROR or (event.status == EDIT_FAILED and stage == EDIT)


class Observer:
    """Makes snapshots of one run. `clock` never jumps; `wall` is what the status files are stamped with."""

    def __init__(
        self,
        run: RunStatus,
        paths: RunPaths,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.run, self._paths, self._clock, self._wall = run, paths, clock, wall
        self._signs: dict[int, tuple[float, float]] = {}
        """By rank: the newest `updated`, and when on our clock that was."""
        self._steps: dict[int, deque[tuple[float, int]]] = {}
        """By rank: (time, step) of the sample under way, on the rank's own clock."""
        self._sample: dict[int, tuple[int, int, str]] = {}
        self._rates: dict[int, float] = {}
        self._through: deque[tuple[float, int]] = deque()

    def look(self, tracker: Tracker) -> Snapshot:
        ranks = [Seen(rank, self._rate(rank), self._silence(rank)) for rank in tracker.whole()]
        reasons: Counter[str] = Counter()
        scores = {category: list(found) for category, found in self.run.scores.items()}
        for rank in ranks:
            reasons.update(rank.status.reasons)
            for category, (count, total) in rank.status.scores.items():
                before = scores.get(category, (0, 0.0))
                scores[category] = [before[0] + count, before[1] + total]
        return Snapshot(
            run=self.run,
            paths=self._paths,
            ranks=ranks,
            done=tracker.done,
            failed=tracker.failed,
            reasons=dict(reasons),
            scores=scores,
            latest=list(tracker.latest),
            failures=list(tracker.failures),
            seconds=max(0.0, (self.run.ended or self._wall()) - self.run.began),
            pace=self._pace(tracker.through, ranks),
        )

    def _silence(self, rank: RankStatus) -> float:
        """Measured on our own clock, so that one that jumps, or another node's, does not raise an alarm."""
        now = self._clock()
        updated, then = self._signs.get(rank.rank, (None, now))
        if updated is None:
            then = now - max(0.0, self._wall() - rank.updated)
        elif updated != rank.updated:
            then = now
        self._signs[rank.rank] = (rank.updated, then)
        return now - then

    def _rate(self, rank: RankStatus) -> float | None:
        sample = (rank.restart, rank.life, rank.held)
        steps = self._steps.setdefault(rank.rank, deque())
        if self._sample.get(rank.rank) != sample or (steps and rank.step < steps[-1][1]):
            self._sample[rank.rank] = sample
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

    def _pace(self, through: int, ranks: list[Seen]) -> float | None:
        """Measured over the last minutes once that is many samples; before, what the ranks' seconds a sample promise."""
        if self.run.ended is not None:
            return through / max(self.run.ended - self.run.began, 1e-9) if through else None
        now, many = self._clock(), 8 * max(1, len(ranks))
        if through and (not self._through or now - self._through[-1][0] >= 1):
            self._through.append((now, through))
        while len(self._through) > 1 and now - self._through[0][0] > PACE_SECONDS:
            self._through.popleft()
        then, before = self._through[0] if self._through else (now, through)
        if through - before >= many and now > then:
            return (through - before) / (now - then)
        return _promised(ranks)


def _promised(ranks: list[Seen]) -> float | None:
    known = [rank.status for rank in ranks if rank.status.done + rank.status.failed]
    spent = sum(rank.seconds.get("computing", 0.0) + rank.seconds.get("waiting", 0.0) for rank in known)
    alive = sum(rank.status.state not in (*status.ENDED, status.DEAD) for rank in ranks)
    return alive * sum(rank.done + rank.failed for rank in known) / spent if spent and alive else None


def seconds_a_sample(rank: RankStatus) -> float | None:
    """Mean seconds on the device, None before the first sample."""
    through = rank.done + rank.failed
    return rank.seconds.get("computing", 0.0) / through if through else None
