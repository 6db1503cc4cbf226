"""Attempts at a stage's work: ranks are launched again until nothing is left to do."""

from __future__ import annotations

import contextlib
import errno
import socket
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import orjson

from editbench import atomic, console, environment, fencing
from editbench.errors import EditbenchError, StageError
from editbench.fleet import status, timings
from editbench.fleet.devices import Devices
from editbench.fleet.job import Job
from editbench.fleet.launch import Launch, RanksDied, Watch
from editbench.fleet.panel import live
from editbench.fleet.panel.summary import summary
from editbench.fleet.run_options import RunOptions, Style
from editbench.fleet.stage import Manifest, Stage
from editbench.fleet.status import Event, RunStatus
from editbench.fleet.tracker import Tracker
from editbench.paths import AttemptPaths, RunPaths

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Errors of a full disk, which a rank has told of already when the timings don't fit either."""


@dataclass(frozen=True, kw_only=True)
class FleetStage(Stage[Manifest]):
    """A stage whose items the ranks do."""

    worker: ClassVar[str]
    """`module:Class`; each rank makes one with `worker_settings` and a plan, a list of items."""

    @abstractmethod
    def worker_settings(self) -> dict[str, Any]:
        """The worker's keyword arguments besides the plan, as JSON can hold them."""

    def work(self) -> None:
        drive(self)

    def join(self) -> None:
        join(self)

    @property
    @abstractmethod
    def fast(self) -> bool:
        """Whether torch may choose kernels that do not give the same bits in every run."""


def drive(stage: FleetStage[Any]) -> None:
    """Run attempts until nothing is pending. When ranks are lost for good, the next attempt takes up what they held.

    Raises:
        Interrupted, StageError: as `Launch.run` does, and when an attempt leads nowhere.
    """
    note_environment(stage)
    before, options, died = None, stage.options, None
    try:
        while pending := stage.pending():
            if before is not None and len(pending) >= before:
                raise died or StageError("every rank has died again and again", f"Their logs: {stage.paths.logs}")
            before, died = len(pending), None
            try:
                _attempt(stage, options, pending)
            except RanksDied as error:
                died = error
            options = replace(options, nnodes=1)  # A node that was lost would be waited for; what it held is little.
    finally:
        merge_timings(stage.paths)


def merge_timings(paths: RunPaths) -> None:
    """Gather the timings of all attempts; where the disk is full, say so. Raises OSError for what else is wrong with it."""
    try:
        timings.merge(paths)
    except OSError as error:
        if error.errno not in FULL:
            raise
        console.warn(f"can't write {paths.timings}: {error.strerror}; its rows stay in {paths.logs}")


def join(stage: FleetStage[Any]) -> None:
    """Run this node's ranks of an attempt that the head node has planned and will finish. Raises as `drive` does."""
    paths, node = stage.paths, stage.options.node_rank
    logs = paths.node(node)
    logs.root.mkdir(parents=True, exist_ok=True)
    began = time.time()

    def attempt() -> int | None:
        """Our ranks know it from the head."""
        host = socket.gethostname()
        ranks = (status.RankStatus.read(path) for path in paths.rank_statuses())
        ours = [rank for rank in ranks if rank and (rank.node, rank.host) == (node, host) and rank.began >= began]
        return max((rank.attempt for rank in ours), default=None)

    job = _job(stage, stage.options, None)
    _launch(stage, job, stage.devices, logs, stage.pending(), attempt)


def _attempt(stage: FleetStage[Any], options: RunOptions, pending: list[int]) -> None:
    paths, devices = stage.paths, stage.devices
    token, number = fencing.renew(paths), paths.last_attempt() + 1
    logs = paths.attempt(number)
    logs.root.mkdir(parents=True)
    paths.status.mkdir(exist_ok=True)
    for stale in paths.rank_statuses():
        stale.unlink()
    if options.nnodes == 1:
        devices = replace(devices, count=min(devices.count, len(pending)))
    job = _job(stage, options, {"attempt": number, "identity": stage.identity["digest"], "plan": pending})
    _launch(stage, job, devices, logs, pending, lambda: number, token)


def _job(stage: FleetStage[Any], options: RunOptions, shared: dict[str, Any] | None) -> Job:
    return Job(
        folder=str(stage.paths.root.resolve()),
        worker=stage.worker,
        device=stage.devices.kind,
        identity=stage.identity["digest"],
        fast=stage.fast,
        settings=stage.worker_settings(),
        shared=shared,
        options=options,
    )


def _launch(
    stage: FleetStage[Any],
    job: Job,
    devices: Devices,
    logs: AttemptPaths,
    pending: list[int],
    attempt: Callable[[], int | None],
    token: str = "",
) -> None:
    atomic.write(logs.job, orjson.dumps(asdict(job), option=orjson.OPT_INDENT_2))
    total = stage.total
    before = total - stage.sample_count(pending)
    about = RunStatus(
        stage=stage.name,
        title=stage.title,
        total=total,
        before=before,
        attempt=job.shared["attempt"] if job.shared else 0,
        ranks=devices.count,
        began=time.time(),
        scores=stage.scores(),
        scale=stage.scale,
    )
    tracker = Tracker(total, before)
    launch = Launch(paths=stage.paths, logs=logs, job=logs.job, token=token, devices=devices, nodes=job.options.nodes)
    style = Style(job.options.progress)
    with (
        told(about, tracker, style),
        live.watching(style, about, stage.paths, tracker) as watch,
        recorded(stage, about, head=job.shared is not None),
    ):
        launch.run(tracker, _noting(stage, tracker, watch) if job.shared else watch, attempt)


@contextmanager
def recorded(stage: FleetStage[Any], about: RunStatus, *, head: bool) -> Iterator[None]:
    """Keep run.json, for `watch`: as the run begins, and how it ended. Only the head node writes it."""
    if head:
        about.write(stage.paths)
    try:
        yield
        about.outcome = status.FINISHED
    except EditbenchError as error:
        about.outcome = str(error)
        raise
    finally:
        about.ended, about.outcome = time.time(), about.outcome or "failed"
        if head:
            about.write(stage.paths)


@contextmanager
def told(about: RunStatus, tracker: Tracker, style: Style) -> Iterator[None]:
    """At the end, show how the ranks did and what was noticed, however the run ended."""
    try:
        yield
    finally:
        if style != Style.OFF and tracker.finished:
            console.show(summary(about, tracker.totals()))
        for note in tracker.notes:
            console.say(f"note: {note}", "yellow")


def note_environment(stage: FleetStage[Any]) -> None:
    """Record the environment; say so when it is not the one that earlier results were made with."""
    devices = [f"{stage.devices.count} x {stage.devices.kind}"]
    if changed := environment.begin(stage.paths, devices, fast=stage.fast, more=stage.environment()):
        _warn(stage, "versions", changed)


def _noting(stage: FleetStage[Any], tracker: Tracker, watch: Watch) -> Watch:
    """`watch`, which also records what the ranks tell of their machines, and says so when earlier results were made with
    others."""
    known: dict[str, list[str]] = {}
    told: set[str] = set()

    def noting(events: list[Event]) -> None:
        watch(events)
        now = environment.gathered(rank.environment for rank in tracker.ranks)
        if now == known:
            return
        known.clear()
        known.update(now)
        with contextlib.suppress(OSError):  # a full disk stops the ranks, which say so
            if changed := [line for line in environment.note_ranks(stage.paths, now) if line not in told]:
                told.update(changed)
                _warn(stage, "hardware or kernels", changed)

    return noting


def _warn(stage: FleetStage[Any], what: str, changed: Sequence[str]) -> None:
    console.warn(
        f"{stage.paths.root} was begun with other {what} ({'; '.join(changed)}): results may differ in their last bits"
    )
