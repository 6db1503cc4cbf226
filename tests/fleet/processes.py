"""Commands as processes, and what tests ask about them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from warm import PATIENCE, Running

from editbench.paths import EditPaths, RunPaths, ScorePaths

HERE = Path(__file__).parent
EDITOR, JUDGE = "stand_ins:Painter", "stand_ins:Scorer"

started: list[Running | subprocess.Popen[str]] = []
"""For the fixture that ends what a failed test leaves running."""


@dataclass
class Command:
    """`editbench ...` as a process, in a folder where the stand-ins can be imported."""

    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)

    def start(self, prefix: Sequence[str] = (), **options: Any) -> Running | subprocess.Popen[str]:
        """Forked (see the module `warm`, also for `options`), unless it is to be executed by the command `prefix`."""
        path = os.pathsep.join(filter(None, (str(HERE), os.environ.get("PYTHONPATH"))))
        environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "200", **self.environment}
        arguments, pipes = ["editbench", *self.arguments], {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        if prefix:
            process = subprocess.Popen([*prefix, sys.executable, "-m", *arguments], env=environment, text=True, **pipes)
        else:
            process = Running(arguments, environment, **options)
        started.append(process)
        return process

    def run(self, **options: Any) -> tuple[int, str]:
        """(exit status, everything it printed)."""
        process = self.start(**options)
        out, err = process.communicate()
        return process.returncode, out + err


def edit(benchmark: Path, out: Path, *options: str, **environment: str) -> Command:
    options = ("--shard-size", "3", *options)
    return Command(["edit", str(benchmark), "--model", EDITOR, "--out", str(out), *options], environment)


def score(edits: Path, out: Path, *options: str, **environment: str) -> Command:
    options = ("--batch-size", "2", *options)
    return Command(["score", str(edits), "--model", JUDGE, "--out", str(out), *options], environment)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "what the test waited for did not happen"
        time.sleep(0.02)


def ranks(paths: RunPaths) -> list[int]:
    """Process ids of the ranks, as their status files say."""
    return [orjson.loads(path.read_bytes())["pid"] for path in sorted(paths.status.glob("rank-*.json"))]


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def digests(root: Path) -> dict[str, str]:
    """sha256 of everything that must be the same bytes in every run."""
    names = [*root.glob("edits-*.tar"), EditPaths(root).failures, EditPaths(root).manifest, ScorePaths(root).scores]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in names if path.exists()}
