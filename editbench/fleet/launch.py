"""Start the ranks under torchrun, watch them, and end them.

torchrun (`python -m torch.distributed.run`, c10d rendezvous) restarts ranks that die; its store hands out the work. It runs in
a session of its own, so that Ctrl-C reaches the launcher alone, which then ends the ranks in order; and it dies with the
launcher.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType

import orjson

from editbench import atomic
from editbench.errors import Interrupted, StageError
from editbench.fleet import process, status
from editbench.fleet.devices import Devices
from editbench.fleet.rank import Job
from editbench.fleet.status import Event
from editbench.fleet.tracker import Tracker
from editbench.paths import AttemptPaths, RunPaths

POLL = 0.1
GRACE = 8.0
"""Seconds the ranks get to end after SIGTERM, before SIGKILL."""

Watch = Callable[[Tracker, list[Event]], None]
"""Called ten times a second with what is new."""


def run(paths: RunPaths, job: Job, devices: Devices, tracker: Tracker, watch: Watch) -> None:
    """Run the ranks to their end.

    Raises:
        Interrupted: SIGINT or SIGTERM; everything finished is on disk.
        StageError: a rank can't go on, the ranks keep dying, or torchrun was killed. Names the log.
    """
    logs = paths.attempt(job.attempt)
    for stale in paths.status.glob("*"):
        stale.unlink()
    atomic.write(logs.job, orjson.dumps(asdict(job), option=orjson.OPT_INDENT_2))
    with _signals() as received, open(logs.torchrun_log, "ab") as log:
        torchrun = subprocess.Popen(
            _command(devices, logs.job),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=_environment(devices),
            start_new_session=True,
            preexec_fn=process.die_with_parent,
        )
        try:
            while torchrun.poll() is None and not received:
                _look(paths, job, tracker, watch)
                time.sleep(POLL)
        finally:
            _end(torchrun, received)
        _look(paths, job, tracker, watch)
    _judge_end(torchrun.returncode, received, tracker, logs)


def _look(paths: RunPaths, job: Job, tracker: Tracker, watch: Watch) -> None:
    watch(tracker, tracker.update(status.read_all(paths, job.attempt)))
    logs = paths.attempt(job.attempt)
    if (rank := tracker.fatal()) is not None:
        raise StageError(f"rank {rank.rank} can't go on: {rank.message}", f"Its log: {logs.rank_log(rank.rank)}")
    if tracker.hopeless():
        raise StageError(f"the ranks died {tracker.restart} times and got nowhere", f"Their logs: {logs.root}")


def _command(devices: Devices, job: Path) -> list[str]:
    torchrun = [sys.executable, "-m", "torch.distributed.run"]
    where = ["--nnodes=1", "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", f"--nproc-per-node={devices.count}"]
    # Restarts are bounded by Tracker.hopeless, which knows whether they lead anywhere; torchrun's own count does not.
    return [*torchrun, *where, "--max-restarts=1000", "--monitor-interval=0.1", "-m", "editbench.fleet.rank", str(job)]


def _environment(devices: Devices) -> dict[str, str]:
    here = [str(Path.cwd()), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, here)),  # for --model package.module:Class beside the user
        "PYTHONUNBUFFERED": "1",
        "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": str(int(GRACE) - 2),
        "TOKENIZERS_PARALLELISM": "false",
        **devices.environment,
    }


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collects SIGINT and SIGTERM instead of acting on them."""
    received: list[int] = []

    def note(signum: int, _frame: FrameType | None) -> None:
        received.append(signum)

    before = {signum: signal.signal(signum, note) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)


def _end(torchrun: subprocess.Popen[bytes], received: list[int]) -> None:
    """SIGTERM, then SIGKILL after the grace or at the user's second signal. The ranks die with torchrun."""
    if torchrun.poll() is not None:
        return
    torchrun.terminate()
    deadline, already = time.monotonic() + GRACE, len(received)
    while torchrun.poll() is None and time.monotonic() < deadline and len(received) <= max(already, 1):
        time.sleep(POLL / 2)
    torchrun.kill()
    torchrun.wait()


def _judge_end(code: int, received: list[int], tracker: Tracker, logs: AttemptPaths) -> None:
    if received:
        message = f"interrupted after {tracker.done} of {tracker.total} samples"
        raise Interrupted(message, "The same command goes on from here.", 128 + received[0])
    if code:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        raise StageError(f"torchrun {how}", f"The same command goes on from here. Logs: {logs.root}")
