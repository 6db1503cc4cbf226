"""The stage `report`: the scores of runs become report.html, report.md, leaderboard.csv, charts; and report.json, the marker,
which comes last.

Equal input gives equal bytes: no dates, hosts or absolute paths. No torch is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson

from editbench import atomic, remote, run_folder
from editbench.errors import UserError
from editbench.paths import ReportPaths, RunPaths
from editbench.report.document import Report, Standing
from editbench.report.options import ReportOptions
from editbench.report.records import runs
from editbench.report.records.runs import ScoredRun
from editbench.report.render import figures, latex, leaderboard, markdown
from editbench.report.statistics import anchors, checks, comparison, raters, standings
from editbench.report.statistics.aggregate import RunSummary, ranked, summarise


def report(scores: Sequence[Path], out: Path, options: ReportOptions | None = None) -> Report:
    """Report on score folders into the folder `out`, which is made when it is missing.

    Raises:
        UserError: no folders, a folder that is not of finished scores, a bad row, names that don't fit, runs that can't be
            compared, bad ratings or ratings for several sets of edits, or `out` is no folder, or one of a benchmark, edits or
            scores.
        OSError: the disk is full.
    """
    if not scores:
        raise UserError("no score folders to report on", "Give at least one.")
    _check_out(ReportPaths(out))
    options = options or ReportOptions()
    loaded = [runs.load(root) for root in scores]
    for root in options.edits:
        remote.pull(root)
    by_label = dict(zip(runs.labels(loaded, options.names), loaded, strict=True))
    warnings = standings.check(by_label, options.force)
    boards = standings.boards(by_label, options.force)
    baseline = _baseline(by_label, options.baseline)
    agreement, reliability = raters.compare(by_label, options.ratings)
    reference = runs.load(options.reference) if options.reference else None
    shifts = anchors.shifts(by_label, reference, options.resamples, options.seed)
    summaries = [
        summarise(run, label, resamples=options.resamples, seed=options.seed, anchors=shifts.get(label))
        for label, run in by_label.items()
    ]
    contents = Report(
        paths=ReportPaths(out),
        options=options,
        runs=summaries,
        boards=[_board(number, by_label, boards, summaries, options) for number in sorted(set(boards.values()))],
        comparisons=comparison.compare(by_label, baseline, options.resamples, options.seed, boards),
        warnings=warnings,
        run_warnings={run.label: checks.diagnose(run) for run in summaries},
        agreement=agreement,
        reliability=reliability,
    )
    _write(contents, {label: run.root for label, run in by_label.items()})
    return contents


def _check_out(paths: ReportPaths) -> None:
    """Refuse the folder of a benchmark, of edits or of scores, unless there is a report in it already."""
    marks = [path for path in (RunPaths(paths.root).identity, paths.manifest) if path.exists()]
    if marks and not paths.json.exists():
        raise UserError(f"{paths.root} is no folder for a report: it holds {marks[0].name}", "Choose another --out.")


def _baseline(by_label: Mapping[str, ScoredRun], root: Path | None) -> str | None:
    """The label of the run in the folder `root`. Raises UserError when no run is from there."""
    if root is None:
        return None
    label = next((label for label, run in by_label.items() if run.root.resolve() == root.resolve()), None)
    if label is None:
        raise UserError(f"--baseline {root} is none of the folders of scores", "Give it among the folders too.")
    return label


def _board(
    number: int,
    by_label: Mapping[str, ScoredRun],
    boards: Mapping[str, int],
    summaries: Sequence[RunSummary],
    options: ReportOptions,
) -> list[Standing]:
    """The leaderboard of that number, the best run first. `boards`: number of each run's board, by label."""
    members = {label: run for label, run in by_label.items() if boards[label] == number}
    ranges = standings.rank_ranges(members, options.resamples, options.seed)
    ordered = ranked([run for run in summaries if run.label in members])
    return [Standing(number, rank, ranges[run.label], run) for rank, run in ordered]


def _write(report: Report, roots: Mapping[str, Path]) -> None:
    """Write all files of a report. `roots`: the score folders, by label."""
    paths, options = report.paths, report.options
    run_folder.refuse_links(paths)
    files = _files(report)  # all of them before any is written, and before those of an earlier report go
    try:
        for folder in {paths.root: None, **{path.parent: None for path in files}}:
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"can't make the folder {error.filename}: {error.strerror}", "Give another --out.") from None
    _clear(paths)
    for path, data in files.items():
        atomic.write(path, data)
    document = report.document()
    if options.html:
        # Templates and pictures take a while to import.
        from editbench.report.render.html import page
        from editbench.report.render.html.page import PageOptions
        from editbench.report.render.html.pictures import RunPictures

        pictures = [RunPictures(label, root, options.edits) for label, root in roots.items()]
        page_options = PageOptions(pictures=options.pictures, full=options.full_pictures)
        report.missing.extend(page.write(document, pictures, paths.root, page_options))
    atomic.write(paths.json, orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _files(report: Report) -> dict[Path, bytes]:
    """The contents of all files but the page and the marker."""
    paths, boards = report.paths, [[standing.run for standing in board] for board in report.boards]
    warnings = {label: [*own, *report.warnings] for label, own in report.run_warnings.items()}
    files = {
        paths.markdown: markdown.render(report).encode(),
        paths.leaderboard: leaderboard.render(report.standings, warnings).encode(),
    }
    if report.options.latex:
        files[paths.latex] = latex.render(boards).encode()
    if report.options.figures:
        charts, missing = figures.render(boards, report.comparisons)
        files |= {paths.figures / name: data for name, data in charts.items()}
        report.missing.extend(missing)
    return files


def _clear(paths: ReportPaths) -> None:
    """Remove what an earlier report left, which this one may not write: its numbers would stand beside other ones. And what
    one that was killed left half-written."""
    charts = (path for name in figures.NAMES for path in paths.figures.glob(f"{name}*"))
    for path in (paths.json, paths.html, paths.latex, *charts):
        path.unlink(missing_ok=True)
    for path in (paths.json, paths.html, paths.latex, paths.markdown, paths.leaderboard):
        atomic.sweep(path.parent, path.name)
    for path in filter(Path.is_dir, (paths.figures, paths.pictures)):
        atomic.sweep(path)
