"""One rank: `python -m editbench.fleet.rank JOB.json`, started by its keeper, one a GPU.

Its output goes to its log. It ends with 0 when nothing is left to claim, and with 3 when it can't go on (a model that does not
load, a full disk): then its status says `fatal` and why, and the launcher stops the others. SIGTERM drops what is in flight.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import signal
import socket
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import orjson

from editbench.errors import StageError, status_of
from editbench.fleet import determinism, gpu, hardware, loading, status
from editbench.fleet.failure import DeviceLost, store_lost, summary
from editbench.fleet.job import Job
from editbench.fleet.lockstep import Lockstep
from editbench.fleet.loop import Loop
from editbench.fleet.work import Claims, Store, connect
from editbench.fleet.worker import Worker
from editbench.paths import RunPaths

INCARNATION_VARIABLE = "EDITBENCH_INCARNATION"
"""Environment variable by which the keeper tells a rank how often it was restarted before."""
FATAL_EXIT = 3
"""Exit status of a rank that can't go on."""
DUMP_SIGNAL = signal.SIGUSR1
"""Makes a rank write its stacks into its log."""


class _Stopped(BaseException):
    """SIGTERM. Not an Exception, so that nothing between the handler and `main` takes it for a failed sample."""


def main(job_path: Path) -> int:
    """Work until nothing is left to claim; returns the exit status."""
    job = Job.read(job_path)
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    restart, incarnation = (int(os.environ.get(name, 0)) for name in ("TORCHELASTIC_RESTART_COUNT", INCARNATION_VARIABLE))
    paths = RunPaths(Path(job.folder))
    previous = status.RankStatus.read(paths.rank_status(rank))
    store = connect()
    shared = _share(store, job)
    attempt = shared["attempt"]
    _redirect(paths.attempt(attempt).rank_log(rank))
    determinism.settle(fast=job.fast)
    device = _take_device(job.device)
    current = status.RankStatus(
        rank, attempt, restart, incarnation, job.options.node_rank, device=device, environment=hardware.describe(device)
    )
    if previous is not None and previous.attempt != attempt:
        previous = None
    if previous is not None:
        carried = ("done", "failed", "reasons", "scores", "seconds", "slowest", "events")
        current = replace(current, **{name: getattr(previous, name) for name in carried})
    status_file = status.StatusFile(paths.rank_status(rank), current, gpu.sensor(device))
    signal.signal(signal.SIGTERM, _stop)
    try:
        if shared["identity"] != job.identity:
            raise StageError("this node was asked for other settings than the head node", "Give all nodes the same command.")
        worker = _make_worker(job, shared["plan"])
        claims = _claims(store, worker, previous, current, world)
        _run(worker, claims, status_file, job, world, store)
    except _Stopped:
        status_file.set(state=status.STOPPED)
        return 128 + signal.SIGTERM
    except DeviceLost:
        traceback.print_exc()
        return 1  # the state stays what it was, with its item, for which the next incarnation counts a crash
    except Exception as error:  # noqa: BLE001 - the boundary of a rank: the launcher shows one message, the log has the rest
        traceback.print_exc()
        # Without torchrun the rank is about to be killed, and the launcher begins another attempt: no reason to stop the run.
        state = status.STOPPED if store_lost(error) else status.FATAL
        status_file.set(state=state, message=summary(error), exit_status=status_of(error))
        return FATAL_EXIT
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        status_file.close()
    return 0


def _share(store: Store, job: Job) -> dict[str, Any]:
    """The part of the job that all nodes share: the head's ranks put it into the store, the others' wait for it there."""
    if job.shared is None:
        return orjson.loads(store.get("shared"))
    store.set("shared", orjson.dumps(job.shared))
    return job.shared


def _make_worker(job: Job, plan: list[int]) -> Worker:
    module, _, name = job.worker.partition(":")
    return getattr(importlib.import_module(module), name)(**job.settings, plan=plan)


def _claims(store: Store, worker: Worker, previous: status.RankStatus | None, current: status.RankStatus, world: int) -> Claims:
    """Claims that begin with what this rank's `previous` incarnation in this attempt left unfinished; the item which it died
    with counts a crash."""
    unfinished = previous.claimed if previous is not None and previous.restart == current.restart else []
    scope = f"{current.attempt}/{current.restart}"
    claims = Claims(store, items=len(worker), world=world, scope=scope, unfinished=unfinished)
    if previous is not None and previous.item and previous.state not in status.ENDED:
        claims.count_crash(previous.item)
    if current.restart and not current.incarnation:
        claims.barrier()
    return claims


def _run(worker: Worker, claims: Claims, status_file: status.StatusFile, job: Job, world: int, store: Store) -> None:
    rank, paths = status_file.status, RunPaths(Path(job.folder))
    common = {"rank": rank.rank, "host": socket.gethostname(), "device": rank.device, "attempt": rank.attempt}
    with open(paths.attempt(rank.attempt).rank_timings(rank.rank), "ab", buffering=0) as file:

        def record(row: dict[str, Any]) -> None:
            file.write(orjson.dumps(row | common) + b"\n")

        def ended() -> int:
            return sum(other.state in status.ENDED for other in status.read_all(paths, rank.attempt))

        scope, heartbeat, options = f"sync/{rank.attempt}/{rank.restart}", status_file.set, job.options
        lockstep = None
        if every := options.sync_every:
            lockstep = Lockstep(store, every=every, world=world, scope=scope, ended=ended, heartbeat=heartbeat)
        slots = Path(os.environ[loading.FOLDER_VARIABLE])
        loop = Loop(worker, claims, status_file, record, retries=options.retries, lockstep=lockstep)
        loop.run(rank.device, loading.slot(slots, options.load_parallel, heartbeat))
    status_file.set(state=status.FINISHED, item="", step=0, steps=0)


def _take_device(kind: str) -> str:
    """Make this rank's accelerator the current one. A CPU rank uses one thread: another count would change the pixels."""
    import torch

    if kind == "cpu":
        torch.set_num_threads(1)
        return kind
    local = int(os.environ["LOCAL_RANK"])
    torch.accelerator.set_device_index(local)
    return f"{kind}:{local}"


def _stop(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Stopped


def _redirect(log: Path) -> None:
    """Everything this process and its libraries write goes to the log; so do its stacks when it crashes or stalls."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    faulthandler.enable()
    faulthandler.register(DUMP_SIGNAL, all_threads=True)


if __name__ == "__main__":
    code = main(Path(sys.argv[1]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # tearing the interpreter down takes 1.3 s with torch loaded; everything is on disk
