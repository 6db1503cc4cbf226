"""Every command and option. Imports nothing heavy: each command imports its stage when it runs.

Exit status: 0 complete; 1 a bug or crash of ours; 2 wrong usage, bad input, or a folder made with other settings; 3 finished
but incomplete; 130 and 143 interrupted, resumable.
"""

from __future__ import annotations

import signal
import sys
import tomllib
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

from editbench import __version__, rubric_cli
from editbench.errors import BUG, EditbenchError, Interrupted, UserError

app = typer.Typer(
    help="Run, judge and compare image-editing models: import -> edit -> score -> report, each stage rerun alone.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(rubric_cli.app, name="rubric")
_debug = False


def main() -> NoReturn:
    """Run the command line; the one place where an exception becomes a message and an exit status."""
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _interrupt)
    try:
        app()
    except EditbenchError as error:
        if _debug:
            raise
        from editbench import console

        console.fail(error)
        sys.exit(error.status)
    except Exception as error:
        if _debug:
            raise
        from editbench import console

        remedy = "This is a bug of editbench. `editbench --debug ...` shows where."
        console.fail(EditbenchError(f"{type(error).__name__}: {error}", remedy))
        sys.exit(BUG)
    sys.exit(0)


def _interrupt(signum: int, _frame: FrameType | None) -> None:
    raise Interrupted("interrupted", "Nothing was lost; the same command starts again.", 128 + signum)


def _version(wanted: bool) -> None:
    if wanted:
        from editbench import console

        console.say(f"editbench {__version__}")
        raise typer.Exit


@app.callback()
def _globals(
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    global _debug
    _debug = debug


def _read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Make the file's values the defaults of this command's options; the command line wins."""
    if path is None:
        return None
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"--config {path}: {error}", "Give a TOML file with options as names, such as steps = 40.") from None
    options = {
        option.lstrip("-").replace("-", "_"): parameter for parameter in context.command.params for option in parameter.opts
    }
    given = {name.replace("-", "_"): value for name, value in values.items()}
    if unknown := sorted(given.keys() - options.keys()):
        raise UserError(f"--config {path}: no option {', '.join(unknown)}", f"Options: {', '.join(sorted(options))}.")
    context.default_map = {options[name].name: _as_text(value, options[name]) for name, value in given.items()}
    return path


def _as_text(value: Any, parameter: Any) -> Any:
    """Options are parsed from text; lists stay lists of it, and one value of a repeatable option is a list of one."""
    if isinstance(value, list):
        return [str(entry) for entry in value]
    text = value if isinstance(value, bool) else str(value)
    return [text] if getattr(parameter, "multiple", False) else text


Config = Annotated[
    Path | None,
    typer.Option("--config", callback=_read_config, is_eager=True, metavar="FILE.toml", help="Options from a file."),
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
Anchors = Annotated[Path | None, typer.Option(metavar="EDITS", help="Other edits, judged along as anchors.")]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Samples judged together; default: 8.")]
BatchTokens = Annotated[
    int | None, typer.Option(min=1, help="In its place: as many together as stay within N tokens, by an estimate.")
]
Retry = Annotated[
    list[str] | None,
    typer.Option(metavar="STATUS", help="Ask again for unparsed, out_of_range or refused; repeatable. Errors always are."),
]


def _style(name: str) -> Any:
    from editbench.fleet.panel.live import Style

    if name not in list(Style):
        raise UserError(f"--progress {name} is unknown", f"Choose {', '.join(Style)}.")
    return Style(name)


def _run(options: dict[str, Any]) -> Any:
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
        progress=_style(options["progress"]),
        **{name: options[name] for name in same},
    )


@app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="The benchmark's table: .jsonl, .json or .csv.")],
    out: Annotated[Path, typer.Option(help="Folder for the benchmark's shards.")],
    format: Annotated[str, typer.Option(help="Format of SOURCE: jsonl (also .json and .csv).")] = "jsonl",  # noqa: A002
    images: Annotated[Path | None, typer.Option(help="Where relative picture paths start; default: beside SOURCE.")] = None,
    map: Annotated[  # noqa: A002
        list[str] | None, typer.Option(metavar="NAME=COLUMN", help="Take NAME from another column; repeatable.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The benchmark's name; default: SOURCE's.")] = None,
) -> None:
    """Turn a public benchmark or a table of your own into benchmark shards. Writes nothing if anything is wrong."""
    from editbench import console
    from editbench.benchmarks.stage import import_benchmark

    pairs = [entry.partition("=") for entry in map or []]
    if wrong := [left for left, equals, right in pairs if not (left and equals and right)]:
        raise UserError(f"--map {wrong[0]} is not NAME=COLUMN", "Write for example --map instruction=en")
    mapping = {left: right for left, _, right in pairs}
    manifest = import_benchmark(source, format=format, out=out, images=images, mapping=mapping, name=name)
    counts = ", ".join(f"{count} {category}" for category, count in manifest["categories"].items())
    console.say(f"{manifest['samples']} samples ({counts}): {out}")


@app.command()
def edit(
    context: typer.Context,
    benchmark: Annotated[Path, typer.Argument(help="Folder of benchmark shards.")],
    model: Annotated[str, typer.Option(help="Hub id, local folder, copy, or package.module:Class.")],
    out: Annotated[Path, typer.Option(help="Folder for the edits.")],
    steps: Annotated[int | None, typer.Option(min=1, help="Denoising steps; default: the model's published number.")] = None,
    cfg: Annotated[float | None, typer.Option(help="Guidance scale; default: the model's published one.")] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="Default: what keeps true CFG on.")] = None,
    seed: Annotated[int, typer.Option(help="Each sample's seed is a hash of this and its key.")] = 0,
    size: Annotated[
        str, typer.Option(metavar="source|PIXELS|WxH", help="Size of the edits; PIXELS keeps the aspect ratio.")
    ] = "1048576",
    dtype: Dtype = "auto",
    category: Annotated[list[str] | None, typer.Option(help="Only this category; repeatable.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N samples.")] = None,
    shard_size: Annotated[int, typer.Option(min=1, help="Samples a shard.")] = 32,
    max_failures: MaxFailures = "0",
    retries: Retries = 1,
    nproc: Nproc = "auto",
    devices: Devices = None,
    stall_timeout: StallTimeout = 1800.0,
    load_parallel: LoadParallel = 0,
    sync_every: SyncEvery = 0,
    nnodes: Nnodes = 1,
    node_rank: NodeRank = 0,
    rdzv_endpoint: RdzvEndpoint = "",
    rdzv_id: RdzvId = "editbench",
    progress: Progress = "auto",
    dry_run: DryRun = False,
    fresh: Fresh = False,
    config: Config = None,
) -> None:
    """Edit every sample of a benchmark, one process a GPU. Killed and run again, it goes on where it stopped."""
    from editbench.edit.settings import EditSettings
    from editbench.edit.stage import edit as run_edit

    settings = EditSettings(
        seed=seed,
        steps=steps,
        cfg=cfg,
        negative_prompt=negative_prompt,
        size=size,
        dtype=dtype,
        categories=tuple(category or ()),
        limit=limit,
        shard_size=shard_size,
    )
    run = _run(context.params)
    run_edit(benchmark, model, out, settings, run)


@app.command()
def score(
    context: typer.Context,
    edits: Annotated[Path, typer.Argument(help="Folder of edits.")],
    model: Annotated[str, typer.Option(help="The judge: hub id, local folder, or package.module:Class.")],
    out: Annotated[Path, typer.Option(help="Folder for the scores.")],
    rubric: Annotated[str, typer.Option(metavar="NAME|FILE.toml", help="What the judge is asked.")] = "five",
    readout: Annotated[
        str, typer.Option(metavar="generate|expected", help="Read a written score, or its distribution.")
    ] = "generate",
    forced: Forced = True,
    votes: Annotated[int, typer.Option(min=1, help="Replies a sample, drawn with seeds; their mean counts.")] = 1,
    temperature: Annotated[float, typer.Option(min=0, help="0: always the most likely token.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Each vote's seed is a hash of this, the sample's key and the vote.")] = 0,
    batch_size: BatchSize = None,
    batch_tokens: BatchTokens = None,
    language: Annotated[str | None, typer.Option(metavar="en|zh", help="Of the prompts; default: each sample's own.")] = None,
    max_pixels: Annotated[int, typer.Option(help="Largest area of a picture the judge sees.")] = 1_048_576,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest reply, in tokens.")] = 256,
    max_text: MaxText = 4_000,
    dtype: Dtype = "auto",
    audit: Audit = "0%",
    anchors: Anchors = None,
    retry: Retry = None,
    max_failures: MaxFailures = "0",
    retries: Retries = 1,
    nproc: Nproc = "auto",
    devices: Devices = None,
    stall_timeout: StallTimeout = 1800.0,
    load_parallel: LoadParallel = 0,
    sync_every: SyncEvery = 0,
    nnodes: Nnodes = 1,
    node_rank: NodeRank = 0,
    rdzv_endpoint: RdzvEndpoint = "",
    rdzv_id: RdzvId = "editbench",
    progress: Progress = "auto",
    dry_run: DryRun = False,
    fresh: Fresh = False,
    config: Config = None,
) -> None:
    """Judge every edit, data-parallel, in batches. Killed and run again, it goes on where it stopped."""
    from editbench.score.settings import ScoreSettings, percentage
    from editbench.score.stage import score as run_score

    settings = ScoreSettings(
        readout=readout,
        forced=forced,
        votes=votes,
        temperature=temperature,
        seed=seed,
        batch_size=batch_size or (None if batch_tokens else 8),
        batch_tokens=batch_tokens,
        audit=percentage(audit),
        language=language,
        max_pixels=max_pixels,
        max_new_tokens=max_new_tokens,
        max_text=max_text,
        dtype=dtype,
    )
    run = _run(context.params)
    run_score(edits, model, rubric, out, settings, run, retry or (), anchors)


@app.command()
def report(
    scores: Annotated[list[Path], typer.Argument(help="Folders of scores; several are compared.")],
    out: Annotated[Path, typer.Option(help="Folder for the report.")],
    name: Annotated[
        list[str] | None, typer.Option(help="A name for each folder of scores, in their order; repeatable.")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(help="Which of the folders the others are compared with; default: each with each.")
    ] = None,
    ratings: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME[:LOW-HIGH]=]FILE.csv",
            help="Ratings of these edits by people, for the agreement: columns key,score; repeatable.",
        ),
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(help="Folder of scores that the anchors are measured against; default: the first given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Compare what can't be compared, with a warning.")] = False,
    resamples: Annotated[int, typer.Option(min=100, help="Of the bootstrap.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    figures: Annotated[bool, typer.Option("--figures/--no-figures", help="Charts as SVG and PNG.")] = True,
    latex: Annotated[bool, typer.Option("--latex", help="The leaderboard as a LaTeX table too.")] = False,
    html: Annotated[bool, typer.Option("--html/--no-html", help="The page to look at.")] = True,
    pictures: Annotated[bool, typer.Option("--pictures/--no-pictures", help="Show the edits in it.")] = True,
    full_pictures: Annotated[bool, typer.Option("--full-pictures", help="Show them large too, from files beside it.")] = False,
    edits: Annotated[
        list[Path] | None, typer.Option(help="Where the edits lie now, if they were moved since they were scored; repeatable.")
    ] = None,
) -> None:
    """Aggregate and compare scores: report.html, .md and .json, leaderboard.csv, charts, and tables here."""
    from editbench import console
    from editbench.report.stage import Options
    from editbench.report.stage import report as run_report

    options = Options(
        names=name or (),
        baseline=baseline,
        ratings=ratings or (),
        reference=reference,
        force=force,
        resamples=resamples,
        seed=seed,
        figures=figures,
        latex=latex,
        html=html,
        pictures=pictures,
        full_pictures=full_pictures,
        edits=edits or (),
    )
    made = run_report(scores, out, options)
    console.show(made.tables())
    for sentence in made.missing:
        console.warn(sentence)
    console.say(f"report: {', '.join(str(path) for path in made.files)}")


@app.command()
def verify(folders: Annotated[list[Path], typer.Argument(help="Benchmarks, edits or scores.")]) -> None:
    """Check that what lies on disk is whole: every shard and file against its manifest."""
    from editbench import console
    from editbench.verify import verify as run_verify

    for folder in folders:
        console.say(run_verify(folder))


@app.command()
def watch(
    folder: Annotated[Path, typer.Argument(help="Folder of edits or scores.")],
    progress: Progress = "auto",
    once: Annotated[bool, typer.Option("--once", help="Show how it stands, and end.")] = False,
) -> None:
    """Show the panel of a run, from any terminal or node that sees its folder. Reads only."""
    from editbench.fleet.panel.watch import watch as run_watch

    run_watch(folder, style=_style(progress), once=once)


@app.command()
def tiny(folder: Annotated[Path, typer.Argument(help="Folder for the checkpoints.")]) -> None:
    """Write a tiny editor and judge with random weights, for trying things out without a GPU. Their results mean nothing."""
    from editbench import console
    from editbench.tiny import write

    paths = write(folder)
    console.say(f"editor: {paths.editor}\njudge: {paths.judge}\nRandom weights: edits and scores made with them mean nothing.")
