"""What both stages do around a run of the fleet: choose devices, run attempts until nothing is left, gather the timings."""

from __future__ import annotations

import errno
import re
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import orjson

from editbench import atomic, console, fencing, run_folder
from editbench.errors import EditbenchError, StageError, UserError
from editbench.fleet import status
from editbench.fleet.devices import Devices
from editbench.fleet.job import Job
from editbench.fleet.launch import Launch, RanksDied
from editbench.fleet.nodes import Nodes
from editbench.fleet.panel import live
from editbench.fleet.panel.summary import summary
from editbench.fleet.status import RunStatus
from editbench.fleet.tracker import Tracker
from editbench.paths import AttemptPaths, RunPaths


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How to run, none of which changes a result."""

    nproc: int | None = None
    devices: list[int] | None = None
    nodes: Nodes = field(default_factory=Nodes)
    progress: live.Style = live.Style.AUTO
    fresh: bool = False
    dry_run: bool = False
    max_failures: str = "0"
    retries: int = 1
    """Tries more for a failure that may be transient: out of memory, input or output."""
    stall_timeout: float = 1800.0
    """Seconds without progress after which a rank is stopped and started again."""
    load_parallel: int = 0
    sync_every: int = 0

    def check(self) -> None:
        """Raises UserError for options that don't fit together."""
        self.nodes.check()
        if self.fresh and self.nodes.count > 1:
            raise UserError("--fresh is for one machine", "Move the folder aside yourself, then start all nodes.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What there is to do. Ranks make `worker` (`module:Class`) with `settings` and a plan, a list of items.

    `pending()`: the items that are neither done nor failed, in the order they are to be handed out; `samples(items)`: how many
    samples those are, of `total`.
    """

    stage: str
    title: str
    worker: str
    settings: dict[str, Any]
    identity: str
    pending: Callable[[], list[int]]
    samples: Callable[[list[int]], int]
    total: int
    scores: dict[str, list[float]] = field(default_factory=dict)
    """[n, sum] of the scores by category from before."""
    scale: list[float] | None = None
    """Lowest and highest score."""
    environment: dict[str, Any] = field(default_factory=dict)
    """What environment.json says besides versions, devices and command."""


FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors of a full disk, which a rank has told of already when the timings don't fit either."""
Allowed = Callable[[int], int]
"""Samples in all -> samples that may fail."""


def parse_max_failures(text: str) -> Allowed:
    """`--max-failures N` or `P%`. Raises UserError for anything else."""
    if match := re.fullmatch(r"(\d+)", text):
        return lambda _total: int(match[1])
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)%", text):
        return lambda total: int(total * float(match[1]) / 100)
    raise UserError(f"--max-failures {text} is neither a number nor a percentage", "Use for example 3 or 1%.")


def drive(paths: RunPaths, devices: Devices, work: Work, run: Run) -> None:
    """Run attempts until nothing is pending. When ranks are lost for good, the next attempt takes up what they held.

    Raises:
        Interrupted, StageError: as `Launch.run` does, and when an attempt leads nowhere.
    """
    _note_environment(paths, devices, work)
    left, nodes, died = None, run.nodes, None
    try:
        while pending := work.pending():
            if left is not None and len(pending) >= left:
                raise died or StageError("every rank has died again and again", f"Their logs: {paths.logs}")
            left, died = len(pending), None
            try:
                _attempt(paths, devices, work, replace(run, nodes=nodes), pending)
            except RanksDied as error:
                died = error
            nodes = Nodes()  # A node that was lost would be waited for; what it held is little.
    finally:
        try:
            merge_timings(paths)
        except OSError as error:
            if error.errno not in FULL:
                raise
            console.warn(f"can't write {paths.timings}: {error.strerror}; its rows stay in {paths.logs}")


def join(paths: RunPaths, devices: Devices, work: Work, run: Run) -> None:
    """Run this node's ranks of an attempt that the head node has planned and will finish. Raises as `drive` does."""
    logs = paths.node(run.nodes.rank)
    logs.root.mkdir(parents=True, exist_ok=True)
    began = time.time()

    def attempt() -> int | None:
        """Our ranks know it from the head."""
        host = socket.gethostname()
        found = (status.RankStatus.read(path) for path in paths.rank_statuses())
        mine = [rank for rank in found if rank and (rank.node, rank.host) == (run.nodes.rank, host) and rank.began >= began]
        return max((rank.attempt for rank in mine), default=None)

    job = _job(paths, devices, work, run, None)
    _launch(paths, logs, job, devices, work, run, attempt)


def _attempt(paths: RunPaths, devices: Devices, work: Work, run: Run, pending: list[int]) -> None:
    token, number = fencing.renew(paths), paths.last_attempt() + 1
    logs = paths.attempt(number)
    logs.root.mkdir(parents=True)
    paths.status.mkdir(exist_ok=True)
    for stale in paths.rank_statuses():
        stale.unlink()
    if run.nodes.count == 1:
        devices = replace(devices, count=min(devices.count, len(pending)))
    shared = {"attempt": number, "identity": work.identity, "plan": pending}
    job = _job(paths, devices, work, run, shared)
    _launch(paths, logs, job, devices, work, run, lambda: number, token)


def _job(paths: RunPaths, devices: Devices, work: Work, run: Run, shared: dict[str, Any] | None) -> Job:
    return Job(
        folder=str(paths.root.resolve()),
        worker=work.worker,
        device=devices.kind,
        identity=work.identity,
        node=run.nodes.rank,
        settings=work.settings,
        shared=shared,
        retries=run.retries,
        stall_timeout=run.stall_timeout,
        load_parallel=run.load_parallel,
        sync_every=run.sync_every,
    )


def _launch(
    paths: RunPaths,
    logs: AttemptPaths,
    job: Job,
    devices: Devices,
    work: Work,
    run: Run,
    attempt: Callable[[], int | None],
    token: str = "",
) -> None:
    atomic.write(logs.job, orjson.dumps(asdict(job), option=orjson.OPT_INDENT_2))
    pending = work.pending() if job.shared is None else job.shared["plan"]
    before = work.total - work.samples(pending)
    about = RunStatus(
        stage=work.stage,
        title=work.title,
        total=work.total,
        before=before,
        attempt=job.shared["attempt"] if job.shared else 0,
        ranks=devices.count,
        began=time.time(),
        scores=work.scores,
        scale=work.scale,
    )
    if job.shared:
        about.write(paths)
    tracker = Tracker(work.total, before)
    launch = Launch(paths=paths, logs=logs, job=logs.job, token=token, devices=devices, nodes=run.nodes)
    try:
        with live.watching(run.progress, about, paths) as watch:
            try:
                launch.run(tracker, watch, attempt)
                about.outcome = status.FINISHED
            except EditbenchError as error:
                about.outcome = str(error)
                raise
            finally:
                about.ended, about.outcome = time.time(), about.outcome or "failed"
                if job.shared:
                    about.write(paths)
    finally:
        if run.progress != live.Style.OFF and tracker.through:
            console.show(summary(about, tracker.whole()))
        for note in tracker.notes:
            console.say(f"note: {note}", "yellow")


def _note_environment(paths: RunPaths, devices: Devices, work: Work) -> None:
    """Record the environment; say so when it is not the one that earlier results were made with."""
    if changed := run_folder.record_environment(paths, [f"{devices.count} x {devices.kind}"], work.environment):
        console.warn(
            f"{paths.root} was begun with other versions ({', '.join(changed)}): results may differ in their last bits"
        )


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
