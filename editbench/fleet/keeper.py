"""The keeper of one rank: `python -m editbench.fleet.keeper JOB.json`, started by torchrun, one a GPU.

torchrun restarts *all* ranks when one dies, and every one would load its model again. The keeper is what torchrun sees instead:
it starts its rank, starts it again when it dies or stalls (the rank's next incarnation), and leaves the others alone. It
imports nothing heavy. It gives its rank up after three incarnations that finished nothing; the items which that rank had
claimed are left for the next attempt.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from editbench import fencing
from editbench.fleet import process, status
from editbench.fleet.job import Job
from editbench.fleet.rank import DUMP_SIGNAL, FATAL_EXIT, INCARNATION_VARIABLE
from editbench.paths import RunPaths

POLL = 0.1
MAX_FRUITLESS = 3
"""Incarnations in a row that may finish no item."""
TERM_GRACE = 0.6 * process.GRACE
"""Seconds between SIGTERM and SIGKILL."""
DUMP_GRACE = 3.0
"""Seconds a stalled rank gets to write its stacks."""


class Keeper:
    """Starts `command` over and over; `path` is the rank's status file, `lock` the descriptor that keeper and rank hold open
    (see `fencing`)."""

    def __init__(self, job: Job, command: list[str], path: Path, lock: int) -> None:
        self._job, self._command, self._path, self._lock = job, command, path, lock
        self._stopping = False

    def keep(self) -> int:
        """Start the rank again and again until it ends by itself; returns the exit status for torchrun."""
        signal.signal(signal.SIGTERM, self._stop)
        fruitless = 0
        for incarnation in itertools.count():
            before = _finished(status.RankStatus.read(self._path))
            code = self._run(incarnation)
            last = status.RankStatus.read(self._path)
            if self._stopping:
                break
            if code in (0, FATAL_EXIT) and last is not None and last.state in status.ENDED:
                return code  # an editor that calls exit() ends with such a code too, in the middle of a sample
            fruitless = 0 if _finished(last) > before else fruitless + 1
            how = f"killed by signal {-code}" if code < 0 else f"exit status {code}"
            if fruitless == MAX_FRUITLESS:
                self._mark(last, status.GIVEN_UP, f"died {fruitless} times in a row, the last time {how}")
                return 0
            if last is None or last.state != status.STALLED:
                self._mark(last, status.DEAD, f"died: {how}")
        return 128 + signal.SIGTERM

    def _run(self, incarnation: int) -> int:
        """Run one process of the rank to its end, and end it when it stalls; returns its exit code."""
        environment = {**os.environ, INCARNATION_VARIABLE: str(incarnation)}
        rank = process.start(self._command, env=environment, pass_fds=[self._lock])
        stalled = Stall(self._path, self._job.options.stall_timeout)
        while rank.poll() is None and not self._stopping:
            time.sleep(POLL)
            if stalled():
                self._end_stalled(rank)
        if rank.poll() is None:
            rank.terminate()
            _wait(rank, TERM_GRACE)
        return rank.wait()

    def _end_stalled(self, rank: subprocess.Popen[bytes]) -> None:
        last = status.RankStatus.read(self._path)
        rank.send_signal(DUMP_SIGNAL)
        _wait(rank, DUMP_GRACE)
        message = f"no progress for {self._job.options.stall_timeout:.0f} s; its stacks are in its log"
        self._mark(last, status.STALLED, message)

    def _mark(self, last: status.RankStatus | None, state: str, message: str) -> None:
        if last is not None:
            last.state, last.message = state, message
            status.write(self._path, last)

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True


class Stall:
    """Called, whether a rank's status has shown no heartbeat for `seconds`, on this process's own clock: wall clocks jump."""

    def __init__(self, path: Path, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._seconds, self._clock = path, seconds, clock
        self._heartbeat: tuple[int, int] | None = None
        self._since = self._checked = clock()

    def __call__(self) -> bool:
        now = self._clock()
        if now - self._checked >= min(1.0, self._seconds / 4):
            self._checked = now
            rank = status.RankStatus.read(self._path)
            heartbeat = (rank.incarnation, rank.heartbeats) if rank is not None else None
            if heartbeat != self._heartbeat:
                self._heartbeat, self._since = heartbeat, now
        return now - self._since > self._seconds


def _wait(rank: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        rank.wait(seconds)
    except subprocess.TimeoutExpired:
        rank.kill()


def _finished(rank: status.RankStatus | None) -> int:
    return rank.done + rank.failed if rank is not None else 0


def main(job_path: Path) -> int:
    process.die_with(int(os.environ[process.PARENT_VARIABLE]))
    job = Job.read(job_path)
    paths = RunPaths(Path(job.folder))
    path = paths.rank_status(int(os.environ["RANK"]))
    lock = fencing.join(paths, os.environ[fencing.TOKEN_VARIABLE])
    if lock is None:
        return 0  # the folder belongs to a later attempt by now
    last = status.RankStatus.read(path)
    if last is not None and last.state == status.FATAL and int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)):
        return FATAL_EXIT  # torchrun restarted us before the launcher saw that this rank can't go on
    return Keeper(job, [sys.executable, "-m", "editbench.fleet.rank", str(job_path)], path, lock).keep()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
