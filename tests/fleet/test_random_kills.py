"""SIGKILL at random moments, of anything. `make soak` does it for twenty minutes."""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from processes import Command, alive, digests, edit, parent, ranks
from warm import EXECUTED, Running

from editbench.paths import EditPaths

VICTIMS = ("rank", "keeper", "torchrun", "launcher", "all")


def kill(process: Running, out: Path, victim: str, chance: random.Random) -> bool:
    """Whether there was somebody to kill."""
    live = [pid for pid in ranks(EditPaths(out)) if alive(pid)]
    if victim != "launcher" and not live:
        return False
    try:
        rank = chance.choice(live) if live else 0
        keeper = parent(rank) if rank else 0
        pids = {"rank": [rank], "keeper": [keeper], "launcher": [process.pid]}
        pids["torchrun"] = [parent(keeper)] if keeper else []
        pids["all"] = [process.pid, *pids["torchrun"], keeper, *live]
        for pid in pids[victim]:
            if pid > 1:
                os.kill(pid, signal.SIGKILL)
    except (FileNotFoundError, ProcessLookupError):
        return False  # it was gone before we got to it
    return True


def torment(command: Command, out: Path, chance: random.Random, kills: int) -> Counter[str]:
    """Run the command until it is complete, with up to `kills` kills on the way; returns what was killed."""
    done: Counter[str] = Counter()
    while True:
        process = command.start()
        while process.poll() is None:
            time.sleep(chance.uniform(0.05, 0.4))
            victim = chance.choice(VICTIMS)
            if done.total() < kills and process.poll() is None and kill(process, out, victim, chance):
                done[victim] += 1
        _, err = process.communicate()
        assert "This is a bug" not in err, err
        if process.returncode == 0:
            return done


def test_twenty_kills_at_random_moments_change_no_byte(bench: Path, undisturbed: Path, tmp_path: Path) -> None:
    out, calls = tmp_path / "edits", tmp_path / "calls"
    command = edit(bench, out, "--nproc", "2", STAND_IN_SLEEP="0.5", STAND_IN_CALLS=str(calls))
    kills = torment(command, out, random.Random(7), kills=20)
    assert digests(out) == digests(undisturbed), kills
    assert kills.total() >= 10  # the run may be through before all twenty


def soak(seconds: float) -> None:
    """Runs under random kills until the time is over; prints what was killed."""
    import conftest

    root = Path(tempfile.mkdtemp())
    bench = conftest.eight(root / "eight")
    assert edit(bench, root / "undisturbed").run()[0] == 0
    kills: Counter[str] = Counter()
    began, runs = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        out = root / f"run-{runs}"
        executed = {EXECUTED: "editbench.fleet.keeper"} if runs % 2 else {}  # and with them ranks, which start for seconds then
        command = edit(bench, out, "--nproc", "2", STAND_IN_SLEEP="2" if executed else "0.5", **executed)
        kills += torment(command, out, random.Random(runs), kills=30)
        assert digests(out) == digests(root / "undisturbed"), out
        runs += 1
    sys.stdout.write(
        f"{runs} runs, {kills.total()} kills ({dict(kills)}) in {time.monotonic() - began:.0f} s: the same bytes\n"
    )


if __name__ == "__main__":
    soak(float(sys.argv[1]))
