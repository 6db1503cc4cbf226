"""Options that several commands take, and what they stand for. Imports nothing heavy."""

from __future__ import annotations

import tomllib
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from editbench.errors import UserError


def path(text: str) -> Path:
    """A path of the command line. Raises typer.BadParameter for an empty one, which Path takes for the current folder."""
    if not text:
        raise typer.BadParameter("it is empty; for the current folder give .")
    return Path(text)


PathArgument, PathOption = partial(typer.Argument, parser=path), partial(typer.Option, parser=path)
"""What every path of a command is declared with."""


def read_config(context: typer.Context, file: Path | None) -> Path | None:
    """Make the file's values the defaults of this command's options; the command line wins."""
    if file is None:
        return None
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"--config {file}: {error}", "Give a TOML file with options as names, such as steps = 40.") from None
    options = {
        option.lstrip("-").replace("-", "_"): parameter for parameter in context.command.params for option in parameter.opts
    }
    given = {name.replace("-", "_"): value for name, value in values.items()}
    if unknown := sorted(given.keys() - options.keys()):
        raise UserError(f"--config {file}: no option {', '.join(unknown)}", f"Options: {', '.join(sorted(options))}.")
    context.default_map = {options[name].name: _as_text(value, options[name]) for name, value in given.items()}
    return file


def _as_text(value: Any, parameter: Any) -> Any:
    """Options are parsed from text; lists stay lists of it, and one value of a repeatable option is a list of one."""
    if isinstance(value, list):
        return [str(entry) for entry in value]
    text = value if isinstance(value, bool) else str(value)
    return [text] if getattr(parameter, "multiple", False) else text


Config = Annotated[
    Path | None,
    PathOption("--config", callback=read_config, is_eager=True, metavar="FILE.toml", help="Options from a file."),
]
Nproc = Annotated[str, typer.Option(metavar="auto|N", help="Ranks; auto: one an accelerator, else 1.")]
Devices = Annotated[str | None, typer.Option(metavar="0,2,5", help="Which accelerators.")]
Progress = Annotated[str, typer.Option(metavar="auto|live|plain|off", help="How progress is shown.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything, count, load nothing.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Start over; what is there is moved aside, never deleted.")]
MaxFailures = Annotated[str, typer.Option(metavar="N|P%", help="Failed samples up to which the run counts as complete.")]
Retries = Annotated[int, typer.Option(min=0, help="Tries more for what may be transient: out of memory, I/O.")]
StallTimeout = Annotated[
    float, typer.Option(min=1, metavar="SECONDS", help="Restart a rank that makes no progress for so long.")
]
LoadParallel = Annotated[int, typer.Option(min=0, help="Ranks that load at once, the first alone; 0: all.")]
SyncEvery = Annotated[int, typer.Option(min=0, help="Lockstep: ranks wait for each other after every N items; 0: never.")]
Nnodes = Annotated[int, typer.Option(min=1, help="Machines; run the same command on each.")]
NodeRank = Annotated[int, typer.Option(min=0, help="This machine; 0 is the head.")]
RdzvEndpoint = Annotated[str, typer.Option(metavar="HOST:PORT", help="A free port on the head.")]
RdzvId = Annotated[str, typer.Option(help="Name of the job, the same on all machines.")]
Dtype = Annotated[str, typer.Option(metavar="DTYPE", help="auto, bfloat16, float16 or float32.")]
Forced = Annotated[
    bool, typer.Option("--forced/--no-forced", help="After a reply that can't be read, ask once more for the score alone.")
]
MaxText = Annotated[int, typer.Option(min=1, help="Characters of an instruction or reference text the judge is shown.")]
Audit = Annotated[str, typer.Option(metavar="P%", help="Test the judge with controls on this share of the samples.")]
Anchors = Annotated[Path | None, PathOption(metavar="EDITS", help="Other edits, judged along as anchors.")]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Samples judged together; default: 8.")]
BatchTokens = Annotated[
    int | None, typer.Option(min=1, help="In its place: as many together as stay within N tokens, by an estimate.")
]
Retry = Annotated[
    list[str] | None,
    typer.Option(metavar="STATUS", help="Ask again for unparsed, out_of_range or refused; repeatable. Errors always are."),
]


def style(name: str) -> Any:
    from editbench.fleet.panel.live import Style

    if name not in list(Style):
        raise UserError(f"--progress {name} is unknown", f"Choose {', '.join(Style)}.")
    return Style(name)


def run_of(options: dict[str, Any]) -> Any:
    """The `Run` in a command's options: those that change no result."""
    from editbench.fleet.drive import Run
    from editbench.fleet.nodes import Nodes

    nproc, devices = options["nproc"], options["devices"]
    if nproc != "auto" and (not nproc.isdecimal() or int(nproc) < 1):
        raise UserError(f"--nproc {nproc} is no number of ranks", "Give auto, or 1 or more.")
    try:
        indices = [int(index) for index in devices.split(",")] if devices else None
    except ValueError:
        raise UserError(f"--devices {devices} is no list of numbers", "Give for example 0,2,5.") from None
    same = ("fresh", "dry_run", "max_failures", "retries", "stall_timeout", "load_parallel", "sync_every")
    return Run(
        nproc=None if nproc == "auto" else int(nproc),
        devices=indices,
        nodes=Nodes(
            count=options["nnodes"], rank=options["node_rank"], endpoint=options["rdzv_endpoint"], run_id=options["rdzv_id"]
        ),
        progress=style(options["progress"]),
        **{name: options[name] for name in same},
    )
