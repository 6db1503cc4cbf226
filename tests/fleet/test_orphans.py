"""Nobody outlives who started them, however early that one is killed, and nobody works in a folder that is no longer theirs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from processes import alive, edit, ranks, wait_for
from warm import EXECUTED

from editbench import fencing
from editbench.fleet import process
from editbench.paths import EditPaths

TIMES = 10
KEEPER = "editbench.fleet.keeper"
MIDDLE = """
import sys, time
from editbench.fleet import process
print(process.start(["sleep", "1000"]).pid, flush=True)
time.sleep(1000)
"""


def at_work(out: Path) -> list[list[str]]:
    """Command lines of the keepers and ranks of the folder's first attempt, whoever their parent is."""
    job = str(EditPaths(out).attempt(1).job)
    return [entry.info["cmdline"] for entry in psutil.process_iter(["cmdline"]) if job in (entry.info["cmdline"] or ())]


@pytest.mark.parametrize("victim", ["launcher", "torchrun"])
def test_keepers_whose_parents_are_killed_while_they_start_are_gone(victim: str, bench: Path, tmp_path: Path) -> None:
    for turn in range(TIMES):
        out = tmp_path / f"edits-{turn}"
        launcher = edit(bench, out, "--nproc", "2", **{EXECUTED: KEEPER}).start()
        wait_for(lambda out=out: sum(KEEPER in command for command in at_work(out)) == 2)
        time.sleep(0.01 * turn)  # a keeper imports for a tenth of a second
        (torchrun,) = psutil.Process(launcher.pid).children()
        (launcher if victim == "launcher" else torchrun).kill()
        wait_for(lambda out=out: not at_work(out))
        launcher.kill()
        launcher.communicate()
        wait_for(lambda torchrun=torchrun: not alive(torchrun.pid))


def test_a_child_is_killed_with_its_parent() -> None:
    with subprocess.Popen([sys.executable, "-c", MIDDLE], stdout=subprocess.PIPE) as middle:
        child = int(middle.stdout.readline())
        assert alive(child)
        middle.kill()
    wait_for(lambda: not alive(child))


def test_who_asks_too_late_is_killed_at_once() -> None:
    other = f"from editbench.fleet import process; process.die_with({os.getppid()})"
    assert subprocess.run([sys.executable, "-c", other], check=False).returncode == -signal.SIGKILL


def test_a_keeper_of_an_earlier_attempt_touches_nothing(bench: Path, out: Path) -> None:
    assert edit(bench, out).run()[0] == 0
    fencing.renew(EditPaths(out))
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    environment = {
        **os.environ,
        process.PARENT_VARIABLE: str(os.getpid()),
        fencing.TOKEN_VARIABLE: "0123456789abcdef",
        "RANK": "0",
    }
    late = [sys.executable, "-m", KEEPER, str(EditPaths(out).attempt(1).job)]
    assert subprocess.run(late, env=environment, check=False).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_a_rank_holds_its_attempt_as_long_as_it_lives(bench: Path, out: Path) -> None:
    launcher = edit(bench, out, STAND_IN_SLEEP="1000").start()
    wait_for(lambda: ranks(EditPaths(out)))
    (rank,) = ranks(EditPaths(out))
    assert str(EditPaths(out).ranks) in {file.path for file in psutil.Process(rank).open_files()}
    launcher.kill()
    launcher.communicate()
    fencing.renew(EditPaths(out))  # waits
    assert not alive(rank)
