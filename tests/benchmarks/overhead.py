"""What the fleet costs: `edit` and `score` on one CPU rank against bare loops over the same model calls.

Both sides run in fresh processes of one thread, in turn (A B A B ...), and are timed alike: from the moment the first sample
(or batch) is taken up, the model being loaded, until the last result is on disk. That the results are equal is checked, so
both did the same work. The bare process loads its model while the fleet starts, and then waits until the fleet is through.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
from figures import Figure, ratio

from editbench import console, images
from editbench.edits import Edits
from editbench.paths import EDITED, EditPaths, RunPaths, ScorePaths

EDIT_AIM, SCORE_AIM = 1.02, 1.05
WAITING_AIM = 0.02
# One thread a side, as a CPU rank has, and no accelerator.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "TOKENIZERS_PARALLELISM": "false"}


@dataclass(frozen=True, slots=True)
class Timed:
    """A loop. `items`: seconds from item to item, the last one's until its result was on disk."""

    items: Sequence[float]
    idle: float = 0.0
    """Share of the time without the model at work."""
    waiting: float = 0.0
    """Share of the time in which the model waits for its input to be decoded and laid out."""

    @property
    def whole(self) -> float:
        return sum(self.items)


def edit(work: Path, *, benchmark: Path, model: Path, samples: int, repeats: int, **settings: Any) -> list[Figure]:
    """`settings`: area, steps, cfg. Raises RuntimeError when a run fails or the pictures differ."""
    job = {"benchmark": str(benchmark), "model": str(model), "samples": samples, **settings}
    flags = {"limit": samples, "steps": settings["steps"], "cfg": settings["cfg"], "size": settings["area"]}
    fleet, bare = [], []
    for repeat in range(repeats):
        out, pictures = work / f"edits-{repeat}", work / f"pictures-{repeat}"
        pictures.mkdir()
        with _bare("bare_edit.py", {**job, "out": str(pictures)}, work) as run_bare:
            fleet.append(_fleet(["edit", str(benchmark)], RunPaths(out), model, flags))
            bare.append(run_bare())
        _same_pictures(EditPaths(out), pictures)
        console.say(f"edit, repeat {repeat + 1}: editbench {fleet[-1].whole:.2f} s, bare loop {_timed(bare[-1]).whole:.2f} s")
    fast = [_timed(times).whole - times["saving"] + times["saving_fast"] for times in bare]
    figures = _compare(f"edit, {samples} samples", fleet, [_timed(times) for times in bare], EDIT_AIM)
    share = Figure("  share of the bare loop spent on saving", "", [times["saving"] / _timed(times).whole for times in bare])
    return [*figures, share, ratio("  ratio to a bare loop saving at compress_level=1", figures[0], Figure("", "s", fast))]


def score(work: Path, *, edits: Path, model: Path, readout: str, repeats: int, **settings: Any) -> list[Figure]:
    """`settings`: batch_size, max_pixels, max_new_tokens. Raises RuntimeError when a run fails or the replies differ."""
    job = {"edits": str(edits), "model": str(model), "readout": readout, **settings}
    flags = {name.replace("_", "-"): value for name, value in settings.items()}
    fleet, bare = [], []
    for repeat in range(repeats):
        out = work / f"scores-{readout}-{settings['batch_size']}-{repeat}"
        with _bare("bare_score.py", job, work) as run_bare:
            fleet.append(
                _fleet(
                    ["score", str(edits), "--no-forced"],  # the bare loop forces nothing
                    RunPaths(out),
                    model,
                    {"readout": readout, **flags},
                )
            )
            times = run_bare()
        bare.append(_timed(times))
        _same_answers(ScorePaths(out), readout, times["answers"])
        console.say(
            f"score {readout}, repeat {repeat + 1}: editbench {fleet[-1].whole:.2f} s, bare loop {bare[-1].whole:.2f} s"
        )
    samples = len(times["answers"])
    figures = _compare(f"score {readout}, {samples} samples, batch {settings['batch_size']}", fleet, bare, SCORE_AIM)
    pairs = [Figure(f"  pairs a second: {side.name.rpartition(': ')[2]}", "", _rates(samples, side)) for side in figures[:2]]
    return [*figures, *pairs]


def _rates(samples: int, seconds: Figure) -> list[float]:
    return [samples / value for value in seconds.values]


def _compare(title: str, fleet: Sequence[Timed], bare: Sequence[Timed], aim: float) -> list[Figure]:
    ours = Figure(f"{title}: editbench", "s", [timed.whole for timed in fleet])
    yardstick = Figure(f"{title}: bare loop", "s", [timed.whole for timed in bare])
    fastest = Figure("  ratio, fastest repeat of each item", "", [_fastest(fleet) / _fastest(bare)])
    idle = Figure("  share of editbench's time without the model at work", "", [timed.idle for timed in fleet])
    waiting = Figure("  share of it waiting for input", "", [timed.waiting for timed in fleet], WAITING_AIM)
    return [ours, yardstick, ratio("  ratio", ours, yardstick, aim), fastest, idle, waiting]


def _fastest(loops: Sequence[Timed]) -> float:
    """The loop with each item as in its fastest repeat: bursts of other work on the machine drop out."""
    return sum(min(durations) for durations in zip(*(timed.items for timed in loops), strict=True))


def _fleet(command: list[str], paths: RunPaths, model: Path, flags: dict[str, Any]) -> Timed:
    options = [text for name, value in flags.items() for text in (f"--{name}", str(value))]
    fixed = ["--model", str(model), "--out", str(paths.root), "--nproc", "1", "--progress", "off"]
    whole = [sys.executable, "-m", "editbench", *command, *fixed, *options]
    done = subprocess.run(whole, env={**os.environ, **_ONE_THREAD}, capture_output=True, text=True, check=False)
    _check(whole, done.returncode, done.stdout + done.stderr)
    rows = [orjson.loads(line) for line in paths.timings.read_bytes().splitlines()]
    timed = _timed({"items": sorted(row["began"] for row in rows), "ended": max(row["ended"] for row in rows)})
    computing, waiting = (sum(row["seconds"][name] for row in rows) / timed.whole for name in ("compute", "wait"))
    return replace(timed, idle=1 - computing, waiting=waiting)


@contextmanager
def _bare(script: str, job: dict[str, Any], work: Path) -> Iterator[Callable[[], dict[str, Any]]]:
    """A bare loop's process, loading its model; the function runs the loop and returns its times."""
    described, result = work / "job.json", work / "result.json"
    described.write_bytes(orjson.dumps({**job, "result": str(result)}))
    command = [sys.executable, str(Path(__file__).with_name(script)), str(described)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}

    def run() -> dict[str, Any]:
        output, _ = process.communicate("\n")
        _check(command, process.returncode, output)
        return orjson.loads(result.read_bytes())

    with subprocess.Popen(command, env={**os.environ, **_ONE_THREAD}, **pipes) as process:
        yield run


def _timed(times: dict[str, Any]) -> Timed:
    return Timed([after - before for before, after in pairwise([*times["items"], times["ended"]])])


def _check(command: list[str], status: int, output: str) -> None:
    if status:
        raise RuntimeError(f"{' '.join(command)} ended with status {status}:\n{output}")


def _same_pictures(paths: EditPaths, pictures: Path) -> None:
    for entry in Edits.open(paths.root).entries:
        key = entry.sample.key
        saved = (pictures / f"{key}.png").read_bytes()
        if images.decode(entry.stored.read(EDITED), key).tobytes() != images.decode(saved, key).tobytes():
            raise RuntimeError(f"the bare loop made another picture of {key}: it did other work")


def _same_answers(paths: ScorePaths, readout: str, answers: list[Any]) -> None:
    name, digits = ("response", 0) if readout == "generate" else ("expected", 6)
    rows = [orjson.loads(line) for line in paths.scores.read_bytes().splitlines()]
    wanted = answers if readout == "generate" else [round(answer, digits) for answer in answers]
    if [row[name] for row in rows] != wanted:
        raise RuntimeError(f"the bare loop got other answers than {paths.scores}: it did other work")
