"""What both stages do around a run of the fleet: choose devices, start an attempt, draw it, gather its timings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import orjson

from editbench import atomic, console, folder
from editbench.errors import UserError
from editbench.fleet import launch, panel
from editbench.fleet.devices import Devices
from editbench.fleet.rank import Job
from editbench.fleet.tracker import Tracker
from editbench.paths import RunPaths


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How to run, none of which changes a result."""

    nproc: int | None = None
    devices: list[int] | None = None
    progress: panel.Style = panel.Style.AUTO
    fresh: bool = False
    dry_run: bool = False
    max_failures: str = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What there is to do: `items` for ranks that run `worker` (`module:Class`, called with `settings`); `total` samples, of
    which
    `before` are done."""

    worker: str
    settings: dict[str, Any]
    items: int
    total: int
    before: int
    title: str
    describe: panel.Describe


Allowed = Callable[[int], int]
"""Samples in all -> samples that may fail."""


def parse_max_failures(text: str) -> Allowed:
    """`--max-failures N` or `P%`. Raises UserError for anything else."""
    if match := re.fullmatch(r"(\d+)", text):
        return lambda _total: int(match[1])
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)%", text):
        return lambda total: int(total * float(match[1]) / 100)
    raise UserError(f"--max-failures {text} is neither a number nor a percentage", "Use for example 3 or 1%.")


def drive(paths: RunPaths, devices: Devices, work: Work, style: panel.Style) -> None:
    """Run an attempt to its end. Raises Interrupted and StageError as `launch.run` does."""
    devices = replace(devices, count=min(devices.count, work.items))
    if changed := folder.record_environment(paths, [f"{devices.count} x {devices.kind}"]):
        console.warn(
            f"{paths.root} was begun with other versions ({', '.join(changed)}): results may differ in their last bits"
        )
    attempt = paths.last_attempt() + 1
    for made in (paths.attempt(attempt).root, paths.status):
        made.mkdir(parents=True, exist_ok=True)
    job = Job(
        folder=str(paths.root.resolve()), attempt=attempt, worker=work.worker, device=devices.kind, settings=work.settings
    )
    tracker = Tracker(work.total, work.before)
    try:
        with panel.watching(style, work.title, work.describe) as watch:
            launch.run(paths, job, devices, tracker, watch)
    finally:
        for note in tracker.notes:
            console.warn(note)
        merge_timings(paths)


def merge_timings(paths: RunPaths) -> None:
    """timings.jsonl: the rows of all ranks of all attempts. A row that a killed rank left torn is skipped."""
    atomic.write(paths.timings, (row + b"\n" for row in _rows(paths)))


def pace(paths: RunPaths) -> Iterator[float]:
    """Mean seconds a sample on the device, if some are known."""
    found = [orjson.loads(row) for row in _rows(paths)]
    if found:
        yield sum(row["seconds"]["compute"] for row in found) / sum(len(row["keys"]) for row in found)


def _rows(paths: RunPaths) -> Iterator[bytes]:
    for attempt in range(1, paths.last_attempt() + 1):
        for path in paths.attempt(attempt).all_timings():
            for line in path.read_bytes().splitlines():
                if line.endswith(b"}"):
                    yield line
