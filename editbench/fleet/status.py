"""What each rank is doing now: one small JSON file a rank, replaced atomically, at most four times a second.

A thread of the rank writes it, so that the loop that feeds the GPU only sets attributes. The launcher, and `watch` from any
other terminal or node, read it; nothing decides a result by it, and so it is not fsynced, and a disk too full for it does not
stop a rank.

`run.json` beside the ranks' files says what the launcher knows: the stage, how many samples there are, how the run ended.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import msgspec
import orjson

from editbench import atomic, files
from editbench.errors import BUG, UserError
from editbench.paths import RunPaths
from editbench.records import ERROR, OK

INTERVAL = 0.25
SENSE_INTERVAL = 1.0
KEEPALIVE_INTERVAL = 2.0
"""Seconds after which the file is written again, changed or not: a sign of life for other nodes."""
RECENT = 128
"""Events kept in the file: more than a quarter of a second of the fastest judge."""

STARTING, LOADING, WORKING, WAITING, SYNCING = "starting", "loading", "working", "waiting", "syncing"
STALLED, DEAD = "stalled", "dead"
FINISHED, STOPPED, FATAL, GIVEN_UP = "finished", "stopped", "fatal", "given up"
ENDPOINT: Literal["endpoint"] = "endpoint"
ENDED = (FINISHED, STOPPED, FATAL, GIVEN_UP)


_Status = TypeVar("_Status")
Pair = Annotated[list[float], msgspec.Meta(min_length=2, max_length=2)]
"""Two numbers; a file that has another count of them is not read."""


@dataclass(slots=True)
class Event:
    """A finished sample: `status` as in records, `seconds` on the device, `score` and `note` for people to read."""

    key: str
    category: str
    status: str
    seconds: float = 0.0
    score: float | None = None
    note: str = ""
    batch: str = ""
    """Name of the item that the sample belongs to, where items hold several."""
    number: int = 0
    """Counts the events of one rank in one attempt, from 1."""


@dataclass(slots=True)
class Gpu:
    """What the driver says of a rank's device; percent, bytes, watts, degrees Celsius."""

    name: str
    utilisation: float | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    power: float | None = None
    temperature: float | None = None


@dataclass(slots=True)
class EndpointLoad:
    """What an endpoint of a served judge has to do, which has a status file as ranks have."""

    in_flight: int = 0
    """Requests that wait for their reply."""
    latency: float = 0.0
    """Seconds a reply, the newest counting most; 0 before the first."""
    tokens_per_second: float = 0.0
    """Written, of the time in which it had requests."""
    errors: int = 0
    """Requests without a reply, or refused."""


@dataclass(slots=True)
class RankStatus:
    """What one rank is doing, and what it has done since the attempt began. What an older version wrote is read, too: fields
    that are missing have their defaults, those that are unknown are left out."""

    rank: int
    attempt: int
    restart: int = 0
    """Restarts of all ranks by torchrun."""
    incarnation: int = 0
    """Restarts of this rank by its keeper."""
    node: int = 0
    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)
    device: str = ""
    gpu: Gpu | None = None
    state: str = STARTING
    item: str = ""
    """Name of the sample or chunk under way; when the rank dies, a crash is counted for it."""
    claimed: list[int] = field(default_factory=list)
    """Indices into the plan that this rank has claimed and not finished: its next incarnation begins with them."""
    step: int = 0
    steps: int = 0
    done: int = 0
    failed: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    """Samples without a result, by reason of failure or status of judgement."""
    scores: dict[str, Pair] = field(default_factory=dict)
    """[n, sum] of the scores by category."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Time spent: loading, computing, waiting (for a decoded input or the lockstep), writing (of which most overlaps)."""
    slowest: list[tuple[str, float]] = field(default_factory=list)
    """Up to five (key, seconds on the device), slowest first."""
    heartbeats: int = 0
    """Grows with all that the rank does; the keeper takes a rank for stalled whose count stands still too long."""
    endpoint: EndpointLoad | None = None
    """Of what is no rank but an endpoint; `device` is then its name."""
    message: str = ""
    exit_status: int = BUG
    """Exit status of a command that one of its ranks ended by its state `fatal`."""
    notes: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    """What may change bits: by name, this rank's card, its driver, the kernels of its model."""
    events: list[Event] = field(default_factory=list)
    began: float = field(default_factory=time.time)
    updated: float = 0.0

    @classmethod
    def read(cls, path: Path) -> RankStatus | None:
        """The status in `path`, None when there is none that can be read."""
        return _read(path, cls)


@dataclass(slots=True, kw_only=True)
class RunStatus:
    """What the launcher knows of the attempt. `before` of `total` samples were done when it began; times are Unix times."""

    stage: str
    title: str
    total: int
    before: int
    attempt: int
    ranks: int
    unit: Literal["rank", "endpoint"] = "rank"
    """What the ranks are: where a judge is served, they stand for its endpoints."""
    began: float
    scores: dict[str, Pair] = field(default_factory=dict)
    """[n, sum] of the scores by category from before this attempt."""
    scale: Pair | None = None
    """Lowest and highest score, for a stage that has scores."""
    ended: float | None = None
    outcome: str = ""
    """How it ended, for people; empty while it runs."""

    @classmethod
    def read(cls, paths: RunPaths) -> Self | None:
        """The status of the run in a folder, None when there is none that can be read."""
        return _read(paths.run_status, cls)

    def write(self, paths: RunPaths) -> None:
        with contextlib.suppress(OSError):
            atomic.write(paths.run_status, orjson.dumps(self), durable=False)


def _read(path: Path, kind: type[_Status]) -> _Status | None:
    try:
        return files.load(path, kind)
    except UserError:
        return None


class StatusFile:
    """Keeps `path` up to date with `status` from a thread of its own. `set` is cheap; `flush` writes now.

    `sense` is asked once a second what the driver says of the device.
    """

    def __init__(self, path: Path, status: RankStatus, sense: Callable[[], Gpu | None] = lambda: None) -> None:
        self.path, self.status = path, status
        self._sense, self._sensed = sense, 0.0
        self._last_event = max((event.number for event in status.events), default=0)
        self._changed, self._closed = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._keep, name="status", daemon=True)
        self._thread.start()

    def set(self, **changes: Any) -> None:
        """Change fields of the status; without any, just show a heartbeat."""
        for name, value in changes.items():
            setattr(self.status, name, value)
        self.status.heartbeats += 1
        self._changed.set()

    def spend(self, phase: str, seconds: float) -> None:
        """Add to the time spent in a phase."""
        with self._lock:
            self.status.seconds[phase] = self.status.seconds.get(phase, 0.0) + seconds

    def add(self, events: list[Event], reason: str | None = None) -> None:
        """Count finished samples: done, or failed, each for its own status or all of them for `reason`."""
        with self._lock:
            status = self.status
            status.heartbeats += 1
            for event in events:
                self._last_event += 1
                event.number = self._last_event
                if event.status != OK:
                    why = reason or event.status
                    status.reasons[why] = status.reasons.get(why, 0) + 1
                if event.score is not None:
                    count, total = status.scores.get(event.category, (0, 0.0))
                    status.scores[event.category] = [count + 1, total + event.score]
            status.events = (status.events + events)[-RECENT:]
            done = [event for event in events if reason is None and event.status != ERROR]
            status.done += len(done)
            status.failed += len(events) - len(done)
            slowest = [*status.slowest, *((event.key, event.seconds) for event in done)]
            status.slowest = sorted(slowest, key=lambda entry: -entry[1])[:5]
        self._changed.set()

    def flush(self) -> None:
        """Write the status now, in the thread of the caller."""
        self._changed.clear()
        with self._lock:
            write(self.path, self.status)

    def close(self) -> None:
        """Write the last status and end the thread."""
        self._closed.set()
        self._changed.set()
        self._thread.join()
        self.flush()

    def _keep(self) -> None:
        while not self._closed.is_set():
            changed = self._changed.wait(SENSE_INTERVAL)
            if time.monotonic() - self._sensed >= SENSE_INTERVAL:
                self.status.gpu, self._sensed = self._sense(), time.monotonic()
                changed = changed or self.status.gpu is not None
            if changed or time.time() - self.status.updated > KEEPALIVE_INTERVAL:
                self.flush()
                self._closed.wait(INTERVAL)


def write(path: Path, status: RankStatus) -> None:
    """Replace the status in `path`. On a full disk the old file is written over, without the events: the launcher must still
    learn why a rank can't go on, and a file's own blocks can be had when no new ones can."""
    status.updated = time.time()
    try:
        atomic.write(path, orjson.dumps(status), durable=False)  # 1.2 ms with 128 events; 2.0 through asdict
    except OSError:
        with contextlib.suppress(OSError), open(path, "r+b") as file:
            file.write(orjson.dumps({**asdict(status), "events": []}))
            file.truncate()


def read_all(paths: RunPaths, attempt: int) -> list[RankStatus]:
    """The status of every rank of this attempt, in the order of the ranks."""
    statuses = (RankStatus.read(path) for path in paths.rank_statuses())
    return [status for status in statuses if status is not None and status.attempt == attempt]
