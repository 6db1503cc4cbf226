"""What ranks cost: two of them over one, and the time from the command to the first sample.

Speed-up: the editor sleeps for the same time on every sample (`fixed_editor`), so that two ranks do not share processors, and
what is lost of a factor of two was lost by the fleet. From the first sample's begin to the last one's end on disk.

First sample: a real editor (a tiny checkpoint, one CPU thread), from the command until the first sample is taken up, and of
it the launcher's checks, torchrun and imports, and loading the model, which grows with the model and has no aim.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import synthetic
from figures import Figure
from fixed_editor import SECONDS, FixedEditor

from editbench.fleet.status import RankStatus, RunStatus
from editbench.paths import RunPaths

SPEEDUP_AIM = 1.96
START_AIM = 5.0
"""Seconds, without loading the model."""
_FIXED = f"{FixedEditor.__module__}:{FixedEditor.__name__}"


def ranks(work: Path, *, source: Path, model: Path, samples: int, repeats: int) -> Iterator[Figure]:
    """Raises CalledProcessError when a command fails."""
    bench = work / "fixed"
    synthetic.benchmark(bench, samples)
    runs = [[_edited(bench, work / f"fixed-{repeat}-{count}", count) for count in (1, 2)] for repeat in range(repeats)]
    name = f"two ranks over one, {samples} samples of {SECONDS} s"
    yield Figure(name, "x", [one / two for one, two in runs], SPEEDUP_AIM, more=True)
    starts = [_first_sample(source, model, work / f"first-{repeat}") for repeat in range(repeats)]
    aims = {
        "command to first sample, without loading": START_AIM,
        "  of it checks": None,
        "  of it torchrun and imports": None,
        "  and loading the model": None,
    }
    for (name, aim), seconds in zip(aims.items(), zip(*starts, strict=True), strict=True):
        yield Figure(name, "s", seconds, aim)


def _edited(bench: Path, out: Path, count: int) -> float:
    """Seconds from the first sample's begin to the last one's end."""
    _run(bench, _FIXED, out, "--nproc", str(count))
    rows = _timings(RunPaths(out))
    return max(row["ended"] for row in rows) - min(row["began"] for row in rows)


def _first_sample(bench: Path, model: Path, out: Path) -> tuple[float, float, float, float]:
    """Seconds: all but loading; the launcher's checks; torchrun and imports; loading."""
    began = time.time()
    _run(bench, str(model), out, "--limit", "1", "--steps", "1", "--size", "65536", "--nproc", "1")
    paths = RunPaths(out)
    launched, loading = RunStatus.read(paths).began, RankStatus.read(paths.rank_status(0)).seconds["loading"]
    first = _timings(paths)[0]["began"]
    return first - began - loading, launched - began, first - launched - loading, loading


def _timings(paths: RunPaths) -> list[dict[str, Any]]:
    return [orjson.loads(row) for row in paths.timings.read_bytes().splitlines()]


def _run(bench: Path, model: str, out: Path, *options: str) -> None:
    here = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": here}
    words = [sys.executable, "-m", "editbench", "edit", str(bench), "--model", model, "--out", str(out), "--progress", "off"]
    subprocess.run([*words, *options], env=environment, stdout=subprocess.DEVNULL, check=True)
