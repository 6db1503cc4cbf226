"""Start the ranks under torchrun, watch them, and end them.

torchrun (the module `agent`, c10d rendezvous) starts a keeper a rank; its store hands out the work. It runs in a
session of its own, so that Ctrl-C reaches the launcher alone, which then ends the ranks in order; and it dies with the
launcher.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from editbench import fencing
from editbench.errors import Interrupted, StageError
from editbench.fleet import loading, process, status
from editbench.fleet.devices import Devices
from editbench.fleet.nodes import Nodes
from editbench.fleet.status import Event
from editbench.fleet.tracker import Tracker
from editbench.fleet.work import STORE_VARIABLE
from editbench.paths import AttemptPaths, RunPaths
from editbench.wording import counted

POLL = 0.05
STATUS_INTERVAL = 0.25
"""Seconds between two readings of the status files, which change no more often; to read those of 64 ranks takes 15 ms."""
SILENCE = float(os.environ.get("EDITBENCH_SILENCE", "30"))
"""Seconds without a sign of life after which a rank of another node counts as lost, once our own have ended. Tests shorten
it."""

_ALLOCATOR = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF")
"""Names of torch's allocator's settings. Which wins where several are set depends on who asks."""
_KEEPING, _KEPT = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), 1 << 32
"""glibc gives large tensors back to the system at once, and touching new memory page by page took four tenths of a CPU rank's
time: a sample of the small world's editor takes 3.1 to 4.0 s with these, and 5.3 to 7.1 s without. Bytes."""

Watch = Callable[[list[Event]], None]
"""Called four times a second, after the tracker was updated, with the events that are new."""


class RanksDied(StageError):
    """torchrun ended without the ranks having ended by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """One attempt on this node: `job` is the file the keepers read, `token` what tells the attempt from others ("" where only
    the head knows it)."""

    paths: RunPaths
    logs: AttemptPaths
    job: Path
    token: str
    devices: Devices
    nodes: Nodes

    def run(self, tracker: Tracker, watch: Watch, attempt: Callable[[], int | None]) -> None:
        """Run the ranks to their end. `attempt()`: the attempt's number, None until it is known here.

        Raises:
            Interrupted: SIGINT or SIGTERM; everything finished is on disk.
            RanksDied: torchrun was killed or failed.
            StageError: a rank can't go on, or the ranks keep dying. Names the log.
        """
        # torchrun makes a tree of empty folders for logs that it is not asked for, and leaves it in the temporary folder.
        with (
            _signals() as received,
            open(self.logs.torchrun_log, "ab") as log,
            tempfile.TemporaryDirectory(prefix="editbench-", ignore_cleanup_errors=True) as scratch,
        ):
            torchrun = process.start(
                self._command(scratch),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self._environment(), loading.FOLDER_VARIABLE: scratch},
                start_new_session=True,
            )
            updated = time.monotonic()
            try:
                while torchrun.poll() is None and not received and not self._all_ended(tracker):
                    time.sleep(POLL)
                    if time.monotonic() - updated < STATUS_INTERVAL:
                        continue
                    self._update(tracker, watch, attempt())
                    updated = time.monotonic()
            finally:
                # An agent whose ranks have ended may be waiting for another node's, and deaf to SIGTERM meanwhile.
                _end(torchrun, received, 0.0 if self._all_ended(tracker) else process.GRACE)
            self._update(tracker, watch, attempt())
        self._check_end(0 if self._all_ended(tracker) else torchrun.returncode, received, tracker)

    def _all_ended(self, tracker: Tracker) -> bool:
        """With several nodes, whether all ranks have ended or are lost, whatever torchrun still waits for."""
        return self.nodes.count > 1 and tracker.all_ended(self.nodes.rank, SILENCE)

    def _update(self, tracker: Tracker, watch: Watch, attempt: int | None) -> None:
        if attempt is None:
            return
        watch(tracker.update(status.read_all(self.paths, attempt)))
        if (rank := tracker.fatal()) is not None:
            remedy = f"Its log: {self.paths.attempt(attempt).rank_log(rank.rank)}"
            raise StageError(f"rank {rank.rank} can't go on: {rank.message}", remedy, rank.exit_status)

    def _command(self, log_dir: str) -> list[str]:
        torchrun = [sys.executable, "-m", "editbench.fleet.agent", *self.nodes.torchrun()]
        # torchrun restarts all ranks when a keeper dies, which is rare; a rank that dies is its keeper's affair. With several
        # nodes each agent counts restarts for itself, and ranks would walk the plan under different counters: there the node is
        # given up.
        restarts = 5 if self.nodes.count == 1 else 0
        options = [f"--nproc-per-node={self.devices.count}", f"--max-restarts={restarts}", "--monitor-interval=0.1"]
        options.append(f"--log-dir={log_dir}")
        return [*torchrun, *options, "-m", "editbench.fleet.keeper", str(self.job)]

    def _environment(self) -> dict[str, str]:
        modules = [str(Path.cwd()), os.environ.get("PYTHONPATH", "")]
        return {
            **_speed(self.devices.kind),
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, modules)),  # for --model package.module:Class beside the user
            "PYTHONUNBUFFERED": "1",
            "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": str(int(0.9 * process.GRACE)),
            "TOKENIZERS_PARALLELISM": "false",
            fencing.TOKEN_VARIABLE: self.token,
            STORE_VARIABLE: self.nodes.endpoint if self.nodes.count > 1 else "",
            **self.devices.environment,
        }

    def _check_end(self, code: int, received: list[int], tracker: Tracker) -> None:
        if received:
            message = f"interrupted after {tracker.done:,} of {counted(tracker.total, 'sample')}"
            raise Interrupted(message, "The same command goes on from here.", 128 + received[0])
        if code:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
            raise RanksDied(f"torchrun {how}", f"The same command goes on from here. Logs: {self.logs.root}")


def _speed(device: str) -> dict[str, str]:
    """What makes ranks faster, or lets them fit, and changes no result; the user's own settings go before it."""
    variables = {"HF_ENABLE_PARALLEL_LOADING": "1"}  # diffusers reads a model's files eight at a time
    if device == "cpu":
        variables |= dict.fromkeys(_KEEPING, str(_KEPT))
    if not any(name in os.environ for name in _ALLOCATOR):
        # Pictures differ in size: without it memory fills up with blocks that fit no other size.
        variables[_ALLOCATOR[0]] = "expandable_segments:True"
    return variables


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


def _end(torchrun: subprocess.Popen[bytes], received: list[int], grace: float) -> None:
    """SIGTERM, then SIGKILL after the grace or at the user's second signal. The ranks die with torchrun."""
    if torchrun.poll() is not None:
        return
    torchrun.terminate()
    deadline, already = time.monotonic() + grace, len(received)
    while torchrun.poll() is None and time.monotonic() < deadline and len(received) <= max(already, 1):
        time.sleep(POLL / 2)
    torchrun.kill()
    torchrun.wait()
