"""`make bench`: how fast editbench is, and what it costs.

    python tests/benchmarks/run.py [--out FILE] [--quick] [--repeats N]

Five parts: `edit` and `score` against bare loops over the same model calls (tiny checkpoints, one CPU thread), the commands
that need no model, the way from `edit` to `score`, and up to 1,024 simulated ranks on the real claims. Prints each figure as it
comes and all of them at the end; the JSON file has every single measurement, with versions and settings. Both sides of a ratio
run in turn, but other work on the machine moves it all the same: by 2 % on two idle cores, by 20 % when a third process wants
them. The share of the time without the model at work stays put.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import commands
import handover
import orjson
import overhead
import scale
import synthetic
import typer
from figures import Figure

from editbench import atomic, console, folder, tiny
from editbench.identity import SCHEMA

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "shards" / "sample"

BUSY = 0.25
"""Load a core, from other work, at which a warning is due."""

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    edit_samples: int = 12
    edit_repeats: int = 2
    area: int = 65_536
    """Pixels of an edit. Saving one takes half a percent of the loop; larger ones would favour the fleet."""
    steps: int = 1
    cfg: float = 4.0
    score_samples: int = 40
    score_repeats: int = 1
    readouts: tuple[str, ...] = ("expected", "generate")
    batch_size: int = 8
    max_pixels: int = 65_536
    max_new_tokens: int = 16
    rows: int = 100_000
    samples: int = 10_000
    command_repeats: int = 2
    handover_repeats: int = 2
    fleets: tuple[tuple[int, int], ...] = ((8, 5), (64, 3), (1024, 1))
    """(simulated ranks, how often durations are drawn for them)"""
    samples_a_rank: int = 20
    claim_seconds: float = 1.0


QUICK = Parameters(
    edit_samples=2,
    edit_repeats=1,
    score_samples=8,
    score_repeats=1,
    readouts=("expected",),
    rows=10_000,
    samples=1_000,
    command_repeats=1,
    handover_repeats=1,
    fleets=((8, 1), (64, 1)),
    claim_seconds=0.2,
)


@app.command()
def main(
    out: Annotated[Path, typer.Option(help="The JSON file.")] = ROOT / "shards" / "bench.json",
    quick: Annotated[bool, typer.Option("--quick", help="Small and once: shows that it runs; too short to judge by.")] = False,
    repeats: Annotated[int | None, typer.Option(min=1, help="Of edit and of score; default: what fits into 3 minutes.")] = None,
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
        parts = _measure(Path(work), parameters)
    figures = [figure for part in parts.values() for figure in part]
    console.show(console.escaped_table(("", "median", "min", "max", "aim", "met"), [figure.row() for figure in figures]))
    document = {
        "schema": SCHEMA,
        "environment": {**folder.environment([]), "cpus": cpus, "load_before": load, "load_after": os.getloadavg()[0]},
        "parameters": asdict(parameters),
        "seconds": time.perf_counter() - began,
        "figures": {name: [figure.to_dict() for figure in part] for name, part in parts.items()},
    }
    atomic.write(out, orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    console.say(f"{time.perf_counter() - began:.0f} s: {out}")


def _measure(work: Path, parameters: Parameters) -> dict[str, list[Figure]]:
    say, models = console.say, tiny.write(work / "tiny")
    edited = {name: getattr(parameters, name) for name in ("area", "steps", "cfg")}
    scored = {name: getattr(parameters, name) for name in ("batch_size", "max_pixels", "max_new_tokens")}
    parts = {
        "commands": commands.commands(
            work, say, rows=parameters.rows, samples=parameters.samples, repeats=parameters.command_repeats
        ),
        "edit": overhead.edit(
            work,
            say,
            benchmark=SAMPLE,
            model=models.editor,
            samples=parameters.edit_samples,
            repeats=parameters.edit_repeats,
            **edited,
        ),
    }
    synthetic.repeated(SAMPLE, work / "repeated", parameters.score_samples)
    synthetic.copied(work / "repeated", work / "copies")
    for readout in parameters.readouts:
        parts[f"score {readout}"] = overhead.score(
            work,
            say,
            edits=work / "copies",
            model=models.judge,
            readout=readout,
            repeats=parameters.score_repeats,
            **scored,
        )
    repeats, stages = parameters.handover_repeats, {"editor": models.editor, "judge": models.judge}
    parts["handover"] = handover.handover(work, say, benchmark=SAMPLE, repeats=repeats, **stages)
    fleets = {name: getattr(parameters, name) for name in ("fleets", "samples_a_rank")}
    parts["scale"] = scale.scale(say, seconds=parameters.claim_seconds, **fleets)
    return parts


if __name__ == "__main__":
    app()
