"""One rank: `python -m editbench.fleet.rank JOB.json`, started by torchrun, one a GPU.

Its output goes to its log. It ends with 0 when nothing is left to claim, and with 1 when it can't go on (a model that does not
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
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Self

import orjson

from editbench.fleet import process, status
from editbench.fleet.failure import summary
from editbench.fleet.loop import Loop
from editbench.fleet.work import Claims, connect
from editbench.fleet.worker import Worker
from editbench.paths import AttemptPaths, RunPaths


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What the launcher tells the ranks. `worker` is `module:Class`, called with `settings`; `device` a torch device type."""

    folder: str
    attempt: int
    worker: str
    device: str
    settings: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Self:
        return cls(**orjson.loads(path.read_bytes()))

    def make_worker(self) -> Worker:
        module, _, name = self.worker.partition(":")
        return getattr(importlib.import_module(module), name)(**self.settings)


class _Stopped(BaseException):
    """SIGTERM. Not an Exception, so that nothing between the handler and `main` takes it for a failed sample."""


def main(job_path: Path) -> int:
    process.die_with_parent()
    job = Job.read(job_path)
    rank, restart = int(os.environ["RANK"]), int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0))
    paths, logs = RunPaths(Path(job.folder)), AttemptPaths(job_path.parent)
    _redirect(logs.rank_log(rank))
    before = status.RankStatus.read(paths.rank_status(rank))
    board = status.StatusFile(paths.rank_status(rank), status.RankStatus(rank, job.attempt, restart))
    signal.signal(signal.SIGTERM, _stop)
    try:
        worker = job.make_worker()
        claims = Claims(connect(), items=len(worker), world=int(os.environ["WORLD_SIZE"]), restart=restart)
        if restart:
            _count_strike(claims, before, job.attempt)
        _run(worker, claims, board, job, logs.rank_timings(rank))
    except _Stopped:
        board.set(state=status.STOPPED)
        return 128 + signal.SIGTERM
    except Exception as error:  # noqa: BLE001 - the boundary of a rank: the launcher shows one message, the log has the rest
        traceback.print_exc()
        board.set(state=status.FATAL, message=summary(error))
        return 1
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        board.close()
    return 0


def _run(worker: Worker, claims: Claims, board: status.StatusFile, job: Job, timings: Path) -> None:
    device = _take_device(job.device)
    board.set(device=device)
    common = {"rank": board.status.rank, "host": socket.gethostname(), "device": device, "attempt": job.attempt}
    with open(timings, "ab", buffering=0) as file:

        def record(row: dict[str, Any]) -> None:
            file.write(orjson.dumps(row | common) + b"\n")

        Loop(worker, claims, board, record).run(device)
    board.set(state=status.FINISHED, held="", step=0, steps=0)


def _take_device(kind: str) -> str:
    """Make this rank's accelerator the current one. A CPU rank uses one thread: another count would change the pixels."""
    import torch

    if kind == "cpu":
        torch.set_num_threads(1)
        return kind
    local = int(os.environ["LOCAL_RANK"])
    torch.accelerator.set_device_index(local)
    return f"{kind}:{local}"


def _count_strike(claims: Claims, before: status.RankStatus | None, attempt: int) -> None:
    """After a restart: if this rank died (rather than being stopped), the item it held gets a strike."""
    if before is not None and before.attempt == attempt and before.held and before.state not in status.ENDED:
        claims.strike(before.held)
    claims.gather()


def _stop(_signal: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Stopped


def _redirect(log: Path) -> None:
    """Everything this process and its libraries write goes to the log; stacks are dumped there on a crash."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    faulthandler.enable()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
