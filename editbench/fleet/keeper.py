"""The keeper of one rank: `python -m editbench.fleet.keeper JOB.json`, started by torchrun, one a GPU.

torchrun restarts *all* ranks when one dies, and every one would load its model again. The keeper is what torchrun sees instead:
it starts its rank, starts it again when it dies or stalls, and leaves the others alone. It imports nothing heavy. It gives its
rank up after three lives in which nothing was finished; what that rank held is left for the next attempt.
"""

from __future__ import annotations

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
from editbench.fleet.rank import DUMP_SIGNAL, FATAL_EXIT, LIFE_VARIABLE
from editbench.paths import RunPaths

POLL = 0.1
FRUITLESS_LIVES = 3
TERM_GRACE = 0.6 * process.GRACE
"""Seconds between SIGTERM and SIGKILL."""
DUMP_GRACE = 3.0
"""Seconds a stalled rank gets to write its stacks."""


class Keeper:
    """Starts `command` over and over; `path` is the rank's status, `lock` what keeper and rank hold open (see `fencing`)."""

    def __init__(self, job: Job, command: list[str], path: Path, lock: int) -> None:
        self._job, self._command, self._path, self._lock = job, command, path, lock
        self._stopping = False

    def keep(self) -> int:
        """Run lives of the rank until it ends by itself; returns the exit status for torchrun."""
        signal.signal(signal.SIGTERM, self._stop)
        fruitless = life = 0
        while True:
            before = _through(status.RankStatus.read(self._path))
            code = self._live(life)
            left = status.RankStatus.read(self._path)
            if self._stopping:
                return 128 + signal.SIGTERM
            if code in (0, FATAL_EXIT) and left is not None and left.state in status.ENDED:
                return code  # an editor that calls exit() ends with such a code too, in the middle of a sample
            fruitless = 0 if _through(left) > before else fruitless + 1
            if fruitless == FRUITLESS_LIVES:
                self._mark(left, status.GIVEN_UP, f"died {fruitless} times in a row, the last time {_how(code)}")
                return 0
            if left is None or left.state != status.STALLED:
                self._mark(left, status.DEAD, f"died: {_how(code)}")
            life += 1

    def _live(self, life: int) -> int:
        """One life of the rank; returns its exit code."""
        environment = {**os.environ, LIFE_VARIABLE: str(life)}
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
        left = status.RankStatus.read(self._path)
        rank.send_signal(DUMP_SIGNAL)
        _wait(rank, DUMP_GRACE)
        message = f"no progress for {self._job.options.stall_timeout:.0f} s; its stacks are in its log"
        self._mark(left, status.STALLED, message)

    def _mark(self, left: status.RankStatus | None, state: str, message: str) -> None:
        if left is not None:
            left.state, left.message = state, message
            status.write(self._path, left)

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True


class Stall:
    """Whether a rank's status has told of no progress for `seconds`, on this process's own clock: wall clocks jump."""

    def __init__(self, path: Path, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._path, self._seconds, self._clock = path, seconds, clock
        self._beat: tuple[int, int] | None = None
        self._since = self._looked = clock()

    def __call__(self) -> bool:
        now = self._clock()
        if now - self._looked >= min(1.0, self._seconds / 4):
            self._looked = now
            left = status.RankStatus.read(self._path)
            beat = (left.life, left.beats) if left is not None else None
            if beat != self._beat:
                self._beat, self._since = beat, now
        return now - self._since > self._seconds


def _wait(rank: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        rank.wait(seconds)
    except subprocess.TimeoutExpired:
        rank.kill()


def _through(left: status.RankStatus | None) -> int:
    return left.done + left.failed if left is not None else 0


def _how(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit status {code}"


def main(job_path: Path) -> int:
    process.die_with(int(os.environ[process.PARENT_VARIABLE]))
    job = Job.read(job_path)
    paths = RunPaths(Path(job.folder))
    path = paths.rank_status(int(os.environ["RANK"]))
    lock = fencing.join(paths, os.environ[fencing.TOKEN_VARIABLE])
    if lock is None:
        return 0  # the folder is a later attempt's by now
    before = status.RankStatus.read(path)
    if before is not None and before.state == status.FATAL and int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)):
        return FATAL_EXIT  # torchrun restarted us before the launcher saw that this rank can't go on
    return Keeper(job, [sys.executable, "-m", "editbench.fleet.rank", str(job_path)], path, lock).keep()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
