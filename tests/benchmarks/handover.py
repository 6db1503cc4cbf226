"""The way from one stage to the next: how long no model is loaded or at work between the last edit and the judge.

A stage gives its memory back by its processes' end, so the judge can't load before the editor's ranks are gone; this is the
price. Real commands with tiny checkpoints, one after the other, as in `editbench edit ... && editbench score ...`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from figures import Figure

from editbench.fleet.status import RankStatus, RunStatus
from editbench.paths import RunPaths

SAMPLES = 2
_FAST = ["--nproc", "1", "--progress", "off"]


def handover(work: Path, *, benchmark: Path, editor: Path, judge: Path, repeats: int) -> list[Figure]:
    """Raises CalledProcessError when a command fails."""
    runs = [_handed_over(work / f"handover-{repeat}", benchmark, editor, judge) for repeat in range(repeats)]
    names = ("last edit on disk to the judge's model load", "  of it until edit has ended", "  of it until score starts ranks")
    return [Figure(name, "s", seconds) for name, seconds in zip(names, zip(*runs, strict=True), strict=True)]


def _handed_over(work: Path, benchmark: Path, editor: Path, judge: Path) -> Sequence[float]:
    """Seconds: in all, until `edit` has ended, from there until `score` starts its ranks."""
    edits, scores = RunPaths(work / "edits"), RunPaths(work / "scores")
    options = ["--limit", str(SAMPLES), "--steps", "1", "--size", "65536"]
    _run("edit", str(benchmark), "--model", str(editor), "--out", str(edits.root), *options)
    ended = time.time()
    _run("score", str(edits.root), "--model", str(judge), "--readout", "expected", "--out", str(scores.root))
    last = max(row["ended"] for row in _timings(edits))
    return _load_began(scores) - last, ended - last, RunStatus.read(scores).began - ended


def _load_began(paths: RunPaths) -> float:
    """Unix time: a rank takes up its first item as soon as its model is loaded."""
    first = min(row["began"] for row in _timings(paths))
    return first - RankStatus.read(paths.rank_status(0)).seconds["loading"]


def _timings(paths: RunPaths) -> list[dict[str, Any]]:
    return [orjson.loads(row) for row in paths.timings.read_bytes().splitlines()]


def _run(*command: str) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run(
        [sys.executable, "-m", "editbench", *command, *_FAST], env=environment, stdout=subprocess.DEVNULL, check=True
    )
