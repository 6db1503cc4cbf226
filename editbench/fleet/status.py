"""What each rank is doing now: one small JSON file a rank, replaced atomically, at most four times a second.

A thread of the rank writes it, so that the loop that feeds the GPU only sets attributes. The launcher (and anyone else) reads
it; nothing decides a result by it, and so it is not fsynced.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import orjson

from editbench import atomic
from editbench.paths import RunPaths

INTERVAL = 0.25
RECENT = 128
"""Events kept in the file: more than a quarter of a second of the fastest judge."""

STARTING, LOADING, WORKING, WAITING = "starting", "loading", "working", "waiting"
FINISHED, STOPPED, FATAL = "finished", "stopped", "fatal"
ENDED = (FINISHED, STOPPED, FATAL)


@dataclass(slots=True)
class Event:
    """A sample that is through: `status` as in records, `seconds` on the device, `score` and `note` for people to read."""

    key: str
    category: str
    status: str
    seconds: float = 0.0
    score: float | None = None
    note: str = ""
    batch: str = ""
    """The item it was part of, where items hold several samples."""
    number: int = 0
    """Counts the events of one rank in one attempt, from 1."""


@dataclass(slots=True)
class RankStatus:
    rank: int
    attempt: int
    restart: int = 0
    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)
    device: str = ""
    state: str = STARTING
    held: str = ""
    """The sample or chunk under way; what a restart counts against when the rank dies with it."""
    step: int = 0
    steps: int = 0
    done: int = 0
    failed: int = 0
    message: str = ""
    notes: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    updated: float = 0.0

    @classmethod
    def read(cls, path: Path) -> RankStatus | None:
        """The status in `path`, None when there is none that can be read."""
        try:
            values = orjson.loads(path.read_bytes())
            values["events"] = [Event(**event) for event in values["events"]]
            return cls(**{entry.name: values[entry.name] for entry in fields(cls)})
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
            return None


class StatusFile:
    """Keeps `path` up to date with `status` from a thread of its own. `set` is cheap; `flush` writes now."""

    def __init__(self, path: Path, status: RankStatus) -> None:
        self.path, self.status = path, status
        self._numbered = 0
        self._changed, self._closed = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._keep, name="status", daemon=True)
        self._thread.start()

    def set(self, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(self.status, name, value)
        self._changed.set()

    def add(self, events: list[Event], *, failed: bool) -> None:
        with self._lock:
            for event in events:
                self._numbered += 1
                event.number = self._numbered
            self.status.events = (self.status.events + events)[-RECENT:]
            if failed:
                self.status.failed += len(events)
            else:
                self.status.done += len(events)
        self._changed.set()

    def flush(self) -> None:
        self._changed.clear()
        with self._lock:
            self.status.updated = time.time()
            data = orjson.dumps(asdict(self.status))
            atomic.write(self.path, data, durable=False)

    def close(self) -> None:
        self._closed.set()
        self._changed.set()
        self._thread.join()
        self.flush()

    def _keep(self) -> None:
        while self._changed.wait() and not self._closed.is_set():
            self.flush()
            self._closed.wait(INTERVAL)


def read_all(paths: RunPaths, attempt: int) -> list[RankStatus]:
    """The status of every rank of this attempt, by rank."""
    found = (RankStatus.read(path) for path in sorted(paths.status.glob("rank-*.json")))
    return [status for status in found if status is not None and status.attempt == attempt]
