"""`make bench`: how fast editbench is, and what it costs.

    python tests/benchmarks/run.py [--out FILE] [--quick] [--repeats N] [--part NAME ...]

Nine parts: `edit` and `score` against bare loops over the same model calls (tiny checkpoints, one CPU thread), the commands
that need no model, two ranks over one and the way to the first sample (ranks), the way from `edit` to `score` (handover), up to
1,024 simulated ranks on the real claims (scale), what the judge saves by reading pictures once and by writing nothing (judge),
the report on up to a million rows (report), and looking through a folder of edits (verify). Prints each figure with its spread
as it comes and all of them at the end; the JSON file has every single measurement, with versions and settings.
Both sides of a ratio run in turn, but other work on the machine moves it all the same: by 2 % on two idle cores, by 20 % when a
third process wants them. The share of the time without the model at work stays put.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import commands
import handover
import orjson
import overhead
import ranks
import readouts
import report_scale
import scale
import synthetic
import typer
from figures import Figure, said

from editbench import atomic, console, environment, tiny
from editbench.files import SCHEMA
from editbench.paths import TinyPaths

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "shards" / "sample"

BUSY = 0.25
"""Load a core, from other work, at which a warning is due."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Part(StrEnum):
    COMMANDS = "commands"
    EDIT = "edit"
    SCORE = "score"
    RANKS = "ranks"
    HANDOVER = "handover"
    SCALE = "scale"
    JUDGE = "judge"
    REPORT = "report"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    edit_samples: int = 12
    edit_repeats: int = 5
    area: int = 65_536
    """Pixels of an edit. Saving one takes half a percent of the loop; larger ones would favour the fleet."""
    steps: int = 1
    cfg: float = 4.0
    score_samples: int = 32
    score_repeats: int = 1
    scored: tuple[tuple[str, int], ...] = (("expected", 1), ("expected", 4), ("expected", 16), ("generate", 4))
    """(readout, batch size)"""
    side: int = 512
    """Pixels of the pictures in `judge`."""
    max_pixels: int = 65_536
    max_new_tokens: int = 16
    rows: int = 100_000
    samples: int = 10_000
    command_repeats: int = 2
    ranks_samples: int = 80
    ranks_repeats: int = 3
    handover_repeats: int = 2
    fleets: tuple[tuple[int, int], ...] = ((8, 5), (64, 3), (1024, 1))
    """(simulated ranks, how often durations are drawn for them)"""
    samples_a_rank: int = 20
    claim_seconds: float = 1.0
    report_rows: tuple[int, ...] = (900, 1_000_000)


QUICK = Parameters(
    edit_samples=2,
    edit_repeats=1,
    score_samples=8,
    score_repeats=1,
    scored=(("expected", 4),),
    side=256,
    rows=10_000,
    samples=1_000,
    command_repeats=1,
    ranks_samples=8,
    ranks_repeats=1,
    handover_repeats=1,
    fleets=((8, 1), (64, 1)),
    claim_seconds=0.2,
    report_rows=(900, 10_000),
)


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="The JSON file.")] = ROOT / "shards" / "bench.json",
    quick: Annotated[bool, typer.Option("--quick", help="Small and once: shows that it runs; too short to judge by.")] = False,
    repeats: Annotated[int | None, typer.Option(min=1, help="Of edit (default: 5) and of score (default: 1).")] = None,
    part: Annotated[list[Part] | None, typer.Option(help="Only this; may be given again.")] = None,
) -> None:
    """Measure, print and save."""
    parameters, began = QUICK if quick else Parameters(), time.perf_counter()
    if repeats:
        parameters = replace(parameters, edit_repeats=repeats, score_repeats=repeats)
    out.parent.mkdir(parents=True, exist_ok=True)
    load, cpus = os.getloadavg()[0], os.cpu_count() or 1
    if load > BUSY * cpus:
        console.warn(
            f"{load:.1f} processes are at work on {cpus} cores: the ratios will be off; measure again with --repeats 5"
        )
    # Beside the results, so that the folders lie on the disk that runs use; /tmp is often memory.
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=out.parent) as work:
        parts = _measure(Path(work), parameters, part or [*Part])
    figures = [figure for part in parts.values() for figure in part]
    console.show(console.escaped_table(("", "median", "min", "max", "aim", "met"), [figure.row() for figure in figures]))
    document = {
        "schema": SCHEMA,
        "environment": {**environment.of_process([]), "cpus": cpus, "load_before": load, "load_after": os.getloadavg()[0]},
        "parameters": asdict(parameters),
        "seconds": time.perf_counter() - began,
        "figures": {name: [figure.to_dict() for figure in part] for name, part in parts.items()},
    }
    atomic.write(out, orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    console.say(f"{time.perf_counter() - began:.0f} s: {out}")


def _measure(work: Path, parameters: Parameters, chosen: Sequence[Part]) -> dict[str, list[Figure]]:
    models = tiny.write(work / "tiny")
    measures = {
        Part.COMMANDS: _commands,
        Part.EDIT: _edit,
        Part.SCORE: _score,
        Part.RANKS: _ranks,
        Part.HANDOVER: _handover,
        Part.SCALE: _scale,
        Part.JUDGE: _judge,
        Part.REPORT: _report,
        Part.VERIFY: _verify,
    }
    parts: Parts = {}
    for part in Part:
        if part in chosen:
            parts |= measures[part](work, parameters, models)
    return parts


Parts = dict[str, list[Figure]]


def _commands(work: Path, parameters: Parameters, _: TinyPaths) -> Parts:
    sizes = {"rows": parameters.rows, "samples": parameters.samples, "repeats": parameters.command_repeats}
    return {"commands": said(commands.commands(work, **sizes))}


def _edit(work: Path, parameters: Parameters, models: TinyPaths) -> Parts:
    settings = {name: getattr(parameters, name) for name in ("area", "steps", "cfg")}
    counts = {"samples": parameters.edit_samples, "repeats": parameters.edit_repeats}
    return {"edit": overhead.edit(work, benchmark=SAMPLE, model=models.editor, **counts, **settings)}


def _score(work: Path, parameters: Parameters, models: TinyPaths) -> Parts:
    synthetic.repeated(SAMPLE, work / "repeated", parameters.score_samples)
    synthetic.copied(work / "repeated", work / "copies")
    common = {"edits": work / "copies", "model": models.judge, "repeats": parameters.score_repeats}
    settings = {name: getattr(parameters, name) for name in ("max_pixels", "max_new_tokens")}
    parts: Parts = {}
    for readout, size in parameters.scored:
        name = f"score {readout} {size}"
        parts[name] = overhead.score(work, readout=readout, batch_size=size, **common, **settings)
    return parts


def _ranks(work: Path, parameters: Parameters, models: TinyPaths) -> Parts:
    counts = {"samples": parameters.ranks_samples, "repeats": parameters.ranks_repeats}
    return {"ranks": said(ranks.ranks(work, source=SAMPLE, model=models.editor, **counts))}


def _handover(work: Path, parameters: Parameters, models: TinyPaths) -> Parts:
    stages = {"editor": models.editor, "judge": models.judge}
    return {"handover": said(handover.handover(work, benchmark=SAMPLE, repeats=parameters.handover_repeats, **stages))}


def _scale(_: Path, parameters: Parameters, __: TinyPaths) -> Parts:
    fleets = {name: getattr(parameters, name) for name in ("fleets", "samples_a_rank")}
    return {"scale": said(scale.scale(seconds=parameters.claim_seconds, **fleets))}


def _judge(work: Path, parameters: Parameters, _: TinyPaths) -> Parts:
    return {"judge": said(readouts.judge(work, side=parameters.side))}


def _report(work: Path, parameters: Parameters, _: TinyPaths) -> Parts:
    """How the report takes to a usual benchmark, and to a million rows."""
    sizes = {"rows": parameters.report_rows, "repeats": parameters.command_repeats}
    return {"report": said(report_scale.report_scale(work, **sizes))}


def _verify(work: Path, parameters: Parameters, _: TinyPaths) -> Parts:
    sizes = {"samples": parameters.samples, "repeats": parameters.command_repeats}
    return {"verify": said(commands.verify(work, source=SAMPLE, **sizes))}


if __name__ == "__main__":
    app()
