"""How long commands take without any model, and how much memory: `--help`, `report`, and finding out what is left to do."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import synthetic
from figures import Figure

from editbench import images
from editbench.benchmarks.benchmark import Benchmark
from editbench.edit.spool import Spool
from editbench.edits import Edits
from editbench.paths import EDITED, RunPaths

HELP_AIM, RESUME_AIM, VERIFY_AIM = 0.2, 2.0, 30.0
_MEASURE = [sys.executable, "-I", "-S", str(Path(__file__).with_name("measure.py"))]
_EDITBENCH = [sys.executable, "-m", "editbench"]
_PATIENCE = 120.0
"""Seconds to wait for ranks to be started."""


def commands(work: Path, *, rows: int, samples: int, repeats: int) -> Iterator[Figure]:
    """Raises RuntimeError when a command fails."""
    yield from command("--help", ["--help"], repeats, HELP_AIM)
    synthetic.scores(work / "scores", rows)
    report = ["report", str(work / "scores"), "--out", str(work / "report")]
    yield from command(f"report, {rows:,} rows", report, repeats)
    benchmark, edits = work / "benchmark", work / "edits"
    synthetic.benchmark(benchmark, samples)
    spool = synthetic.copied(benchmark, edits, missing=1)
    resume = ["edit", str(benchmark), "--model", "copy", "--out", str(edits)]
    title = f"resume, {samples:,} samples"
    yield from command(f"{title}: edit --dry-run", [*resume, "--dry-run"], repeats, RESUME_AIM)
    launched = [_until_launched([*_EDITBENCH, *resume], RunPaths(edits)) for _ in range(repeats)]
    yield Figure(f"{title}: edit, until the ranks are started", "s", launched, RESUME_AIM)
    yield from _parts(benchmark, spool, repeats)


def verify(work: Path, *, source: Path, samples: int, repeats: int) -> Iterator[Figure]:
    """Edits as large as those of `source`, a benchmark of photographs; of a tenth of them all pictures are decoded.

    Raises RuntimeError when a command fails.
    """
    for count, options, aim in ((samples, ["--quick"], VERIFY_AIM), (samples // 10, [], None)):
        benchmark, edits = work / f"photographs-{count}", work / f"copies-{count}"
        synthetic.repeated(source, benchmark, count)
        synthetic.copied(benchmark, edits)
        size = sum(path.stat().st_size for path in edits.glob("*.tar")) / 1e9
        title = " ".join(["verify", *options, f"of {count:,} edits, {size:.1f} GB"])
        yield from command(title, ["verify", str(edits), *options], repeats, aim)
    yield Figure("bytes a pixel of an edit", "", [_bytes_a_pixel(edits)])


def _bytes_a_pixel(edits: Path) -> float:
    pixels = size = 0
    for entry in Edits.open(edits, verify=False).entries[:100]:
        data = entry.stored.read(EDITED)
        width, height = images.size(data, EDITED)
        pixels, size = pixels + width * height, size + len(data)
    return size / pixels


def command(
    name: str, arguments: list[str], repeats: int = 1, aim: float | None = None, memory_aim: float | None = None
) -> Iterator[Figure]:
    """Seconds and memory of `editbench` with these arguments. Raises RuntimeError when it fails."""
    runs = [_measured([*_EDITBENCH, *arguments]) for _ in range(repeats)]
    yield Figure(name, "s", [run["seconds"] for run in runs], aim)
    yield Figure("  peak memory", "MB", [run["peak_mb"] for run in runs], memory_aim)


def _measured(command: list[str]) -> dict[str, Any]:
    done = subprocess.run([*_MEASURE, *command], stdout=subprocess.PIPE, check=True)
    run = orjson.loads(done.stdout)
    if run["status"]:
        raise RuntimeError(f"{' '.join(command)} ended with status {run['status']}")
    return run


def _until_launched(command: list[str], paths: RunPaths) -> float:
    """Seconds until the launcher hands the ranks their job; then it is killed, so that the folder stays as it is."""
    job = paths.attempt(paths.last_attempt() + 1).job
    began = time.perf_counter()
    launcher = subprocess.Popen([*command, "--nproc", "1", "--progress", "off"], stdout=subprocess.DEVNULL)
    try:
        while not job.exists():
            if launcher.poll() is not None or time.perf_counter() - began > _PATIENCE:
                raise RuntimeError(f"{' '.join(command)} started no ranks")
            time.sleep(0.002)
        return time.perf_counter() - began
    finally:
        launcher.send_signal(signal.SIGKILL)
        launcher.wait()


def _parts(benchmark: Path, spool: Spool, repeats: int) -> list[Figure]:
    """Where the time of a resumed run goes, and what importing torch before all that would add."""
    opened = [_seconds(lambda: Benchmark.open(benchmark)) for _ in range(repeats)]
    missing = [_seconds(spool.missing) for _ in range(repeats)]
    torch = [_measured([sys.executable, "-c", "import torch"])["seconds"] for _ in range(repeats)]
    return [
        Figure("  of it Benchmark.open", "s", opened),
        Figure("  of it Spool.missing", "s", missing),
        Figure("  for comparison: python and import torch", "s", torch),
    ]


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
