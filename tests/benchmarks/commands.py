"""How long commands take without any model, and how much memory: `--help`, `report`, and finding out what is left to do."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
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

Say = Callable[[str], None]


def commands(work: Path, say: Say, *, rows: int, samples: int, repeats: int) -> list[Figure]:
    """Raises RuntimeError when a command fails."""
    found: list[Figure] = []

    def note(*figures: Figure) -> None:
        found.extend(figures)
        for figure in figures:
            say(figure.line())

    note(*_command("--help", [*_EDITBENCH, "--help"], repeats, HELP_AIM))
    synthetic.scores(work / "scores", rows)
    report = [*_EDITBENCH, "report", str(work / "scores"), "--out", str(work / "report")]
    note(*_command(f"report, {rows:,} rows", report, repeats))
    benchmark, edits = work / "benchmark", work / "edits"
    synthetic.benchmark(benchmark, samples)
    spool = synthetic.copied(benchmark, edits, missing=1)
    resume = [*_EDITBENCH, "edit", str(benchmark), "--model", "copy", "--out", str(edits)]
    title = f"resume, {samples:,} samples"
    note(*_command(f"{title}: edit --dry-run", [*resume, "--dry-run"], repeats, RESUME_AIM))
    launched = [_until_launched(resume, RunPaths(edits)) for _ in range(repeats)]
    note(Figure(f"{title}: edit, until the ranks are started", "s", launched, RESUME_AIM))
    note(*_parts(benchmark, spool, repeats))
    return found


def verify(work: Path, say: Say, *, source: Path, samples: int, repeats: int) -> list[Figure]:
    """Edits as large as those of `source`, a benchmark of photographs; of a tenth of them all pictures are decoded.

    Raises RuntimeError when a command fails.
    """
    figures: list[Figure] = []
    for count, options, aim in ((samples, ["--quick"], VERIFY_AIM), (samples // 10, [], None)):
        benchmark, edits = work / f"photographs-{count}", work / f"copies-{count}"
        synthetic.repeated(source, benchmark, count)
        synthetic.copied(benchmark, edits)
        size = sum(path.stat().st_size for path in edits.glob("*.tar")) / 1e9
        title = " ".join(["verify", *options, f"of {count:,} edits, {size:.1f} GB"])
        figures += _command(title, [*_EDITBENCH, "verify", str(edits), *options], repeats, aim)
    figures.append(Figure("bytes a pixel of an edit", "", [_bytes_a_pixel(edits)]))
    for figure in figures:
        say(figure.line())
    return figures


def _bytes_a_pixel(edits: Path) -> float:
    pixels = size = 0
    for entry in Edits.open(edits, verify=False).entries[:100]:
        data = entry.stored.read(EDITED)
        width, height = images.size(data, EDITED)
        pixels, size = pixels + width * height, size + len(data)
    return size / pixels


def _command(name: str, command: list[str], repeats: int, aim: float | None = None) -> list[Figure]:
    runs = [_measured(command) for _ in range(repeats)]
    seconds = Figure(name, "s", [run["seconds"] for run in runs], aim)
    return [seconds, Figure("  peak memory", "MB", [run["peak_mb"] for run in runs])]


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
