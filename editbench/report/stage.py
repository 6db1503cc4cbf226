"""The stage `report`: the scores of runs become report.html, report.md, leaderboard.csv, charts; and report.json, the marker,
which comes last.

Equal input gives equal bytes: no dates, hosts or absolute paths. No torch is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from editbench import atomic, run_folder
from editbench.errors import UserError
from editbench.paths import ReportPaths
from editbench.report.document import Report, ReportOptions, Standing
from editbench.report.records import runs
from editbench.report.records.runs import Run
from editbench.report.render import figures, latex, leaderboard, markdown
from editbench.report.statistics import anchors, checks, comparison, ranks, raters
from editbench.report.statistics.aggregate import RunSummary, ranked, summarise

_USUAL = ReportOptions()


def report(scores: Sequence[Path], out: Path, options: ReportOptions = _USUAL) -> Report:
    """Report on score folders into the folder `out`, which is made when it is missing.

    Raises:
        UserError: no folders, a folder that is not of finished scores, a bad row, names that don't fit, runs that can't be
            compared, bad ratings or ratings for several sets of edits, or `out` is no folder.
        OSError: the disk is full.
    """
    if not scores:
        raise UserError("no score folders to report on", "Give at least one.")
    loaded = [runs.load(root) for root in scores]
    by_label = dict(zip(runs.labels(loaded, options.names), loaded, strict=True))
    warnings = ranks.check(by_label, options.force)
    boards = ranks.boards(by_label, options.force)
    baseline = _baseline(by_label, options.baseline)
    drawn = {"resamples": options.resamples, "seed": options.seed}
    agreement, reliability = raters.compare(by_label, options.ratings)
    shifts = anchors.shifts(by_label, options.reference and runs.load(options.reference), **drawn)
    summaries = [summarise(run, label, anchors=shifts.get(label), **drawn) for label, run in by_label.items()]
    made = Report(
        paths=ReportPaths(out),
        options=options,
        runs=summaries,
        boards=[_board(number, by_label, boards, summaries, options) for number in sorted(set(boards.values()))],
        comparisons=comparison.compare(by_label, baseline, boards=boards, **drawn),
        warnings=warnings,
        run_warnings={run.label: checks.diagnose(run) for run in summaries},
        agreement=agreement,
        reliability=reliability,
    )
    _write(made, {label: run.root for label, run in by_label.items()})
    return made


def _baseline(by_label: Mapping[str, Run], root: Path | None) -> str | None:
    """The label of the run in the folder `root`. Raises UserError when no run is from there."""
    if root is None:
        return None
    label = next((label for label, run in by_label.items() if run.root.resolve() == root.resolve()), None)
    if label is None:
        raise UserError(f"--baseline {root} is none of the folders of scores", "Give it among the folders too.")
    return label


def _board(
    number: int, by_label: Mapping[str, Run], boards: Mapping[str, int], summaries: Sequence[RunSummary], options: ReportOptions
) -> list[Standing]:
    members = {label: run for label, run in by_label.items() if boards[label] == number}
    could = ranks.rank_ranges(members, options.resamples, options.seed)
    on = [run for run in summaries if run.label in members]
    return [Standing(number, rank, could[run.label], run) for rank, run in ranked(on)]


def _write(made: Report, roots: Mapping[str, Path]) -> None:
    """`roots`: the score folders, by label."""
    paths, options = made.paths, made.options
    run_folder.refuse_links(paths)
    files = _files(made)  # all of them before any is written, and before those of an earlier report go
    try:
        for needed in {paths.root: None, **{path.parent: None for path in files}}:
            needed.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"can't make the folder {error.filename}: {error.strerror}", "Give another --out.") from None
    _clear(paths)
    for path, data in files.items():
        atomic.write(path, data)
    document = made.document()
    if options.html:
        # Templates and pictures take a while to import.
        from editbench.report.render.html import page
        from editbench.report.render.html.page import PageOptions
        from editbench.report.render.html.pictures import RunPictures

        pictures = [RunPictures(label, root, options.edits) for label, root in roots.items()]
        shown = PageOptions(pictures=options.pictures, full=options.full_pictures)
        made.missing.extend(page.write(document, pictures, paths.root, shown))
    atomic.write(paths.json, orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _files(made: Report) -> dict[Path, bytes]:
    """The contents of all files but the page and the marker."""
    paths, on_boards = made.paths, [[standing.run for standing in board] for board in made.boards]
    told = {label: [*own, *made.warnings] for label, own in made.run_warnings.items()}
    files = {
        paths.markdown: markdown.render(made).encode(),
        paths.leaderboard: leaderboard.render(made.standings, told).encode(),
    }
    if made.options.latex:
        files[paths.latex] = latex.render(on_boards).encode()
    if made.options.figures:
        drawn, missing = figures.render(on_boards, made.comparisons)
        files |= {paths.figures / name: data for name, data in drawn.items()}
        made.missing.extend(missing)
    return files


def _clear(paths: ReportPaths) -> None:
    """Remove what an earlier report left, which this one may not write: its numbers would stand beside other ones. And what
    one that was killed left half-written."""
    drawn = (path for name in figures.NAMES for path in paths.figures.glob(f"{name}*"))
    for path in (paths.json, paths.html, paths.latex, *drawn):
        path.unlink(missing_ok=True)
    for path in (paths.json, paths.html, paths.latex, paths.markdown, paths.leaderboard):
        atomic.sweep(path.parent, path.name)
    for path in filter(Path.is_dir, (paths.figures, paths.pictures)):
        atomic.sweep(path)
