"""Every command and option. Imports nothing heavy: each command imports its stage when it runs.

Exit status: 0 complete; 1 a bug or crash of ours; 2 wrong usage, bad input, or a folder made with other settings; 3 finished
but incomplete; 130 and 143 interrupted, resumable.
"""

from __future__ import annotations

import signal
import sys
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn, cast

import typer

from editbench import __version__, options, rubric_cli, world_cli
from editbench.edit.settings import EditSettings
from editbench.errors import EditbenchError, Interrupted, UserError, status_of
from editbench.fleet.run_options import Progress, RunOptions, Style, check_progress
from editbench.options import Config, FolderArgument, FolderOption, PathArgument, PathOption
from editbench.report.options import ReportOptions
from editbench.score.served.options import ServedOptions
from editbench.score.settings import ScoreSettings
from editbench.wording import counted

app = typer.Typer(
    help="Run, judge and compare image-editing models: import -> edit -> score -> report, each stage rerun alone.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(rubric_cli.app, name="rubric")
app.add_typer(world_cli.app, name="world")
_debug = False


def main() -> NoReturn:
    """Run the command line; the one place where an exception becomes a message and an exit status."""
    # As stderr always does: a locale that lacks a letter stops nothing.
    cast(TextIOWrapper, sys.stdout).reconfigure(errors="backslashreplace")
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _interrupt)
    try:
        app()
    except Exception as error:  # the boundary of a command
        if _debug:
            raise
        from editbench import console

        console.fail(_told(error))
        sys.exit(status_of(error))
    sys.exit(0)


def _told(error: Exception) -> EditbenchError:
    """What the user is told of whatever a command ended with."""
    if isinstance(error, EditbenchError):
        return error
    if isinstance(error, OSError):  # no permission, a full disk, a folder that is gone, a name that is too long: no bug of ours
        where = f"{error.filename}: " if error.filename is not None else ""
        remedy = "Mend it and run the same command again; what was finished is kept."
        return EditbenchError(f"{where}{error.strerror or error}", remedy)
    remedy = "This is a bug of editbench. `editbench --debug ...` shows where."
    return EditbenchError(f"{type(error).__name__}: {error}", remedy)


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
    if debug:
        from editbench import console

        sys.excepthook = console.crashed


@app.command("import")
def import_(
    source: Annotated[Path, PathArgument(help="A public benchmark, a table of your own, or a folder of pictures.")],
    out: Annotated[Path, FolderOption(help="Folder for the benchmark's shards.")],
    format: Annotated[  # noqa: A002
        str | None,
        typer.Option(
            metavar="gedit|imgedit|kris|rise|table|folder",
            help="What SOURCE is; default: recognised. table: JSON Lines, JSON, CSV, TSV or Parquet. folder: "
            "pictures and one text or CSV file.",
        ),
    ] = None,
    images: Annotated[Path | None, PathOption(help="Where relative picture paths start; default: beside SOURCE.")] = None,
    map: Annotated[  # noqa: A002
        list[str] | None, typer.Option(metavar="NAME=COLUMN", help="Take NAME from another column; repeatable.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="The benchmark's name; default: SOURCE's.")] = None,
) -> None:
    """Turn a public benchmark, a table of your own or a folder of pictures into benchmark shards.

    Writes nothing if anything is wrong.
    """
    from editbench import console, remote
    from editbench.benchmarks.stage import import_benchmark

    with remote.pushing(out):
        manifest = import_benchmark(
            source, format=format, out=out, images=images, mapping=options.pairs("--map", map), name=name
        )
    counts = ", ".join(f"{count} {category}" for category, count in manifest.categories.items())
    console.say(f"{counted(manifest.samples, 'sample')} ({counts}): {out}")
    if manifest.rubric:
        console.say(f"Edits of it are scored by its own protocol, --rubric {manifest.rubric}, unless another is asked for.")


@app.command("import-edits")
def import_edits(
    benchmark: Annotated[Path, FolderArgument(help="Folder of benchmark shards.")],
    pictures: Annotated[Path, PathArgument(help="Folder of one model's edited pictures, or a table of their paths.")],
    layout: Annotated[str, typer.Option(metavar="files|table|gedit|imgedit|kris|rise", help="How PICTURES are named.")],
    name: Annotated[str, typer.Option(help="What made the pictures: the name in the report.")],
    out: Annotated[Path, FolderOption(help="Folder for the edits.")],
    map: Annotated[  # noqa: A002
        list[str] | None, typer.Option(metavar="NAME=COLUMN", help="Columns of a table: id, image_path; repeatable.")
    ] = None,
    max_failures: Annotated[
        str, typer.Option(metavar="N|P%", help="Samples without an edit up to which the import counts as complete.")
    ] = "0",
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over; what is there is moved aside, never deleted.")] = False,
) -> None:
    """Take pictures that another tool made as edits, to be scored like any others. Writes nothing if anything is wrong."""
    from editbench import remote
    from editbench.layouts.importing import import_edits as run_import

    columns = options.pairs("--map", map)
    with remote.pushing(out, fresh=fresh):
        run_import(
            benchmark, pictures, layout=layout, name=name, out=out, mapping=columns, max_failures=max_failures, fresh=fresh
        )


@app.command()
def export(
    folder: Annotated[Path, FolderArgument(help="Edits, or scores.")],
    layout: Annotated[str, typer.Option(metavar="files|gedit|imgedit|kris|rise", help="Whose scripts shall read them.")],
    out: Annotated[Path, PathOption(help="New folder; some scripts take its name for the model's.")],
) -> None:
    """Write edits, or scores, as a public benchmark's own scripts expect them, or as plain files with a CSV."""
    from editbench import console
    from editbench.layouts.exporting import export as run_export

    console.say(f"{run_export(folder, layout=layout, out=out)}: {out}")


@app.command()
@options.expanded
def edit(
    benchmark: Annotated[Path, FolderArgument(help="Folder of benchmark shards.")],
    model: Annotated[str, typer.Option(help="Hub id, local folder, copy, or package.module:Class.")],
    out: Annotated[Path, FolderOption(help="Folder for the edits.")],
    settings: EditSettings,
    run: RunOptions,
    config: Config = None,
) -> None:
    """Edit every sample of a benchmark, one process a GPU. Killed and run again, it goes on where it stopped."""
    from editbench.edit import stage

    stage.edit(benchmark, model, out, settings, run)


@app.command()
@options.expanded
def score(
    edits: Annotated[Path, FolderArgument(help="Folder of edits.")],
    *,
    model: Annotated[
        str | None, typer.Option(help="The judge: hub id, local folder, package.module:Class, or an endpoint's name of it.")
    ] = None,
    replies: Annotated[
        Path | None, PathOption(metavar="FILE.jsonl", help="In its place: recorded replies (key, question, reply, judge).")
    ] = None,
    reread: Annotated[
        Path | None, FolderOption(metavar="SCORES", help="In its place: the replies that an earlier run kept.")
    ] = None,
    adapter: Annotated[
        Path | None, PathOption(metavar="DIR", help="A PEFT adapter (LoRA ...) of the judge's checkpoint.")
    ] = None,
    out: Annotated[Path, FolderOption(help="Folder for the scores.")],
    rubric: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE.toml", help="What the judge is asked; default: the public benchmark's own, else five."),
    ] = None,
    settings: ScoreSettings,
    served: ServedOptions,
    anchors: Annotated[Path | None, FolderOption(metavar="EDITS", help="Other edits, judged along as anchors.")] = None,
    retry: Annotated[
        list[str] | None,
        typer.Option(metavar="STATUS", help="Ask again for unparsed, out_of_range or refused; repeatable. Errors always are."),
    ] = None,
    run: RunOptions,
    config: Config = None,
) -> None:
    """Judge every edit, data-parallel, in batches. Killed and run again, it goes on where it stopped."""
    if sum(each is not None for each in (model, replies, reread)) != 1:
        raise UserError("one of --model, --replies and --reread says who judges", "Give one of them.")
    if adapter is not None and (model is None or served.endpoint):
        raise UserError("--adapter goes with --model", "Name the checkpoint that it is an adapter of.")
    if served != ServedOptions() and not (model and served.endpoint):
        raise UserError("options of a served judge go with --model and --endpoint", "Give both, or leave those options out.")
    if model is not None and served.endpoint:
        from editbench.score.served import stage as served_stage

        served_stage.score(edits, model, rubric, out, settings, run, served, retry or (), anchors)
    elif model is not None:
        from editbench.score import stage

        stage.score(edits, model, rubric, out, settings, run, retry or (), anchors, adapter)
    elif replies is not None:
        from editbench.score import recorded

        recorded.score_replies(edits, replies, rubric, out, settings, run)
    elif reread is not None:
        from editbench.score import reread as rereading

        rereading.reread(edits, reread, rubric, out, run, anchors)


@app.command()
def import_scores(
    table: Annotated[Path, PathArgument(help="A table: a row a sample, a column a criterion.")],
    out: Annotated[Path, FolderOption(help="Folder for the scores.")],
    rubric: Annotated[str, typer.Option(metavar="NAME|FILE.toml", help="What makes a score of the criteria.")],
    model: Annotated[str, typer.Option(help="Name of the editor.")] = "unknown",
    judge: Annotated[str, typer.Option(help="Name of the judge.")] = "unknown",
    benchmark: Annotated[str, typer.Option(help="Name of the benchmark, where no edits are given.")] = "imported",
    edits: Annotated[Path | None, FolderOption(help="Folder of the edits that were judged, if it is here.")] = None,
    map: Annotated[  # noqa: A002 - the option's name
        list[str] | None, typer.Option(metavar="NAME=COLUMN", help="Take key, category or a criterion from another column.")
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=VALUE", help="Only rows that have this value; repeatable.")
    ] = None,
    max_failures: Annotated[str, typer.Option(metavar="N|P%", help="Samples that may lack a row.")] = "0",
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over; what is there is moved aside, never deleted.")] = False,
) -> None:
    """Take criteria that another tool has scored for a folder of scores, which `report` compares like any other."""
    from editbench.score.imported import Provenance
    from editbench.score.imported import import_scores as run_import

    about = Provenance(model=model, judge=judge, benchmark=benchmark)
    run = RunOptions(max_failures=max_failures, fresh=fresh)
    pairs = {"mapping": options.pairs("--map", map), "where": options.pairs("--where", where)}
    run_import(table, rubric, out, run, about, edits=edits, **pairs)


@app.command()
@options.expanded
def report(
    scores: Annotated[list[Path], FolderArgument(help="Folders of scores; several are compared.")],
    out: Annotated[Path, PathOption(help="Folder for the report.")],
    settings: ReportOptions,
) -> None:
    """Aggregate and compare scores: report.html, .md and .json, leaderboard.csv, charts, and tables here."""
    from editbench import console
    from editbench.report.render import terminal
    from editbench.report.stage import report as run_report

    document = run_report(scores, out, settings)
    console.show(terminal.render(document))
    for sentence in document.missing:
        console.warn(sentence)
    console.say(f"report: {', '.join(str(path) for path in document.files)}")


@app.command()
def verify(
    folders: Annotated[list[Path], FolderArgument(help="Benchmarks, edits or scores.")],
    quick: Annotated[
        bool, typer.Option("--quick", help="Checksums and records; decode pictures only where those are off.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Set broken files aside, so that the same command makes them again.")
    ] = False,
) -> None:
    """Check that what lies on disk is whole: every shard, picture, record and row, against the manifests and each other."""
    from editbench.verify import stage

    stage.verify(folders, quick=quick, repair=repair)


@app.command()
def watch(
    folder: Annotated[Path, PathArgument(help="Folder of edits or scores.")],
    progress: Progress = "auto",
    once: Annotated[bool, typer.Option("--once", help="Show how it stands, and end.")] = False,
) -> None:
    """Show the panel of a run, from any terminal or node that sees its folder. Reads only."""
    from editbench.fleet.panel.watch import watch as run_watch

    check_progress(progress)
    run_watch(folder, style=Style(progress), once=once)


@app.command()
def doctor(
    stage: Annotated[
        list[str] | None, typer.Option(metavar="STAGE", help="import, edit, score or report, which is to run here; repeatable.")
    ] = None,
    benchmark: Annotated[Path | None, PathOption(help="Is there room for the edits of this benchmark?")] = None,
    model: Annotated[str | None, typer.Option(help="Does this model fit: hub id or local folder.")] = None,
) -> None:
    """Tell what this machine can run, and how to mend what is missing. Ends with 2 where a named stage can't run."""
    from editbench.doctor import stage as stage_of_doctor

    stage_of_doctor.doctor(stage or (), benchmark, model)


@app.command()
def tiny(folder: Annotated[Path, PathArgument(help="Folder for the checkpoints.")]) -> None:
    """Write tiny checkpoints for trying things out without a GPU: with random weights, whose results mean nothing, and an
    editor and a judge that were trained on the small world (see shards/README.md)."""
    from editbench import console
    from editbench.tiny import write

    paths = write(folder)
    console.say(f"editor: {paths.editor}")
    console.say(f"judge: {paths.judge}")
    console.say("Random weights: edits and scores made with them mean nothing.")
    console.say(f"editor of shards/world, trained: {paths.editor_world}")
    console.say(f"judge of shards/world, trained: {paths.judge_world}")
