"""The stage `report`: scores.jsonl of runs -> report.html, report.md, leaderboard.csv, figures; and report.json, the
marker, which comes last.

Equal input gives equal bytes: no dates, hosts or absolute paths. No torch is imported. All files show the same numbers, rounded
to six decimals (two in texts). `report.json`, where null stands for what can't be computed and an interval is [low, high]:

    schema       1
    resamples, seed   of the bootstrap and of the permutation tests
    runs         in the order given, each:
        label, scores (digest of the score folder's identity), edits (digest of the edits), readout
        editor, judge, benchmark    {name, version}: version is a revision or a digest
        rubric      {name, version, digest, scale: [lowest, highest] | null,
                     partial: "drop" | "keep" (the criteria that could be read, where others could not)}
        board       number of the leaderboard it stands on, from 0
        headline    {name: "micro mean" | "macro mean", value, interval, percent: {value, interval} | null}
        overall     {micro: SUMMARY, macro: MACRO}
        categories, languages   {name: SUMMARY}
        language_macros         {language: MACRO}
        cells       {language: {category: SUMMARY}}
        subsets     {name: {micro: SUMMARY, macro: MACRO, language_macros, cells}}: samples with a field that the rubric names
        protocol    {percent: [offset, factor] | null, criteria, steps, pools: {name: MEAN}, accuracy: MEAN of 0..1 | null,
                     categories, languages: {name: PART}, cells: {language: {category: PART}},
                     subsets: {name: {whole: PART, languages: {name: PART}, cells}}}
        histogram   {edges: [k + 1 scores], counts: {category: [k counts]}}
        statuses    {status: samples}
        mean_mass   mean probability of allowed answers, 0..1 | null
        reads       {how a score was read: samples}; expected, generate, forced
        flags       {flag: edits}, by what is odd about them
        audit       AUDIT | null
        anchors     {reference: label, n, groups, shift: {value, interval}, correlation, edits: digest} | null
        warnings    [text]
    leaderboards [{board, rank, rank_range: [best, worst] | null, label, headline, interval, micro, macro, coverage,
                   mean_failures_lowest: of the micro mean}], by board and then by headline
    comparisons  [{runs: [first, second], rows: {overall, macro: DIFFERENCE, categories: {name: DIFFERENCE}}}]
    warnings     [text], on runs side by side
    agreement    [PAIR], of all raters of the same edits: runs, and ratings by people
    reliability  [{raters: [RATER], measure, n: samples at least two rated, groups, krippendorff_alpha_ordinal,
                   krippendorff_alpha: {value, interval}}], of raters of the same edits where they are more than two

    SUMMARY      {n, scored, coverage, mean, std, q1, median, q3, min, max, top_share, interval, mean_failures_lowest, statuses}
    MACRO        {mean, interval, mean_failures_lowest, categories, left_out}
    MEAN         {n, mean, interval, percent, macro, mean_failures_lowest: of an accuracy, else null}
    PART         {percent, criteria, steps: {name: MEAN}, accuracy: MEAN | null}
    AUDIT        {samples, rows, statuses, controls: {kind: {n, mean, edit_mean, win_rate: {value, interval} | null}},
                  repeat: {n, same_share, mean_difference} | null, unread_share, mean_mass, skipped_identical, verdicts: [text]}
    DIFFERENCE   {n, groups, first_mean, second_mean, difference (second minus first), interval, wins, ties, losses, p, p_holm,
                  effect, detectable}; see the module `compare`
    PAIR         {raters: [RATER, RATER], measure: "score" or the criterion or step that they rated, n: samples both rated,
                  groups, rescaled: true when their scales differ, spearman, kendall_tau_b, krippendorff_alpha (for interval
                  data), krippendorff_alpha_ordinal, pairwise_accuracy: {value, interval},
                  disputed: [{key, category, scores: [first, second], difference: on 0..1, responses: [text, text]}]}
    RATER        {name, kind: "run" | "ratings", scale: [lowest, highest] | null, scale_from: "rubric" | "given" | "observed"}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from rich.console import RenderableType

from editbench import atomic, folder
from editbench.errors import UserError
from editbench.files import SCHEMA
from editbench.paths import ReportPaths
from editbench.report import anchors, checks, compare, figures, latex, leaderboard, markdown, ranks, raters, runs, terminal
from editbench.report.aggregate import RunSummary, ranked, summarise
from editbench.report.agreement import ALPHAS, STATISTICS
from editbench.report.bootstrap import RESAMPLES, SEED
from editbench.report.compare import Comparison
from editbench.report.raters import Pair, Several
from editbench.report.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What `report` makes beside its tables, and how."""

    names: Sequence[str] = ()
    """Labels, one a score folder; without them each run goes by its editor and by what tells it apart."""
    ratings: Sequence[str] = ()
    """CSV files of people's ratings of these edits, `[NAME[:LOW-HIGH]=]FILE.csv` (see the module `ratings`)."""
    baseline: Path | None = None
    """Score folder that the others are compared with."""
    reference: Path | None = None
    """Score folder that the others' anchors are measured against (see `anchors.shifts`)."""
    force: bool = False
    """Whether runs that can't be compared are compared all the same, with a warning."""
    resamples: int = RESAMPLES
    seed: int = SEED
    figures: bool = True
    latex: bool = False
    html: bool = True
    pictures: bool = True
    """Whether the page shows the edits."""
    full_pictures: bool = False
    """Whether it shows them large, too: files beside the page."""
    edits: Sequence[Path] = ()
    """Where edits lie that are no longer where they were when they were scored."""


@dataclass(frozen=True, slots=True)
class Place:
    """A run's place on a leaderboard."""

    board: int
    rank: int
    rank_range: tuple[int, int] | None
    """Best and worst rank it could take."""
    run: RunSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was written, and where."""

    paths: ReportPaths
    options: Options
    runs: Sequence[RunSummary]
    boards: Sequence[Sequence[Place]]
    comparisons: Sequence[Comparison]
    warnings: Sequence[str]
    """On the runs side by side."""
    run_warnings: Mapping[str, Sequence[str]]
    """By label."""
    agreement: Sequence[Pair]
    """Of raters of the same edits."""
    reliability: Sequence[Several]
    """Of more than two of them."""
    missing: list[str] = field(default_factory=list)
    """What the charts and the page could not show, in sentences."""

    @property
    def places(self) -> list[Place]:
        return [place for places in self.boards for place in places]

    @property
    def files(self) -> list[Path]:
        """Those that were written, what people read first; charts and pictures have folders of their own."""
        page, table = [self.paths.html] if self.options.html else [], [self.paths.latex] if self.options.latex else []
        return [*page, self.paths.markdown, self.paths.leaderboard, *table, self.paths.json]

    def tables(self) -> RenderableType:
        """The report for a terminal."""
        return terminal.render(self)

    def document(self) -> dict[str, Any]:
        """The contents of report.json."""
        boards = {place.run.label: place.board for place in self.places}
        return {
            "schema": SCHEMA,
            "resamples": self.options.resamples,
            "seed": self.options.seed,
            "runs": [run.document(boards[run.label], self.run_warnings[run.label]) for run in self.runs],
            "leaderboards": [_place(place) for place in self.places],
            "comparisons": self.comparisons,
            "warnings": self.warnings,
            "agreement": [_pair(pair) for pair in self.agreement],
            "reliability": [_several(raters) for raters in self.reliability],
        }


def report(scores: Sequence[Path], out: Path, options: Options = Options()) -> Report:
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
        comparisons=compare.compare(by_label, baseline, boards=boards, **drawn),
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
    number: int, by_label: Mapping[str, Run], boards: Mapping[str, int], summaries: Sequence[RunSummary], options: Options
) -> list[Place]:
    members = {label: run for label, run in by_label.items() if boards[label] == number}
    could = ranks.rank_ranges(members, options.resamples, options.seed)
    on = [run for run in summaries if run.label in members]
    return [Place(number, rank, could[run.label], run) for rank, run in ranked(on)]


def _write(made: Report, roots: Mapping[str, Path]) -> None:
    """`roots`: the score folders, by label."""
    paths, options = made.paths, made.options
    folder.refuse_links(paths)
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
        from editbench.report.html import page
        from editbench.report.html.pictures import RunPictures

        pictures = [RunPictures(label, root, options.edits) for label, root in roots.items()]
        shown = page.Options(pictures=options.pictures, full=options.full_pictures)
        made.missing.extend(page.write(document, pictures, paths.root, shown))
    atomic.write(paths.json, orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _files(made: Report) -> dict[Path, bytes]:
    """The contents of all files but the page and the marker."""
    paths, on_boards = made.paths, [[place.run for place in places] for places in made.boards]
    told = {label: [*own, *made.warnings] for label, own in made.run_warnings.items()}
    files = {
        paths.markdown: markdown.render(made).encode(),
        paths.leaderboard: leaderboard.render(made.places, told).encode(),
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


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "raters": pair.raters,
        "measure": pair.measure,
        "n": pair.n,
        "groups": pair.groups,
        "rescaled": pair.rescaled,
        **{name: getattr(pair.agreement, name) for name in STATISTICS},
        "disputed": pair.disputed,
    }


def _several(found: Several) -> dict[str, Any]:
    about = {name: getattr(found, name) for name in ("raters", "measure", "n", "groups")}
    return about | {name: getattr(found.reliability, name) for name in ALPHAS}


def _place(place: Place) -> dict[str, Any]:
    run = place.run
    return {
        "board": place.board,
        "rank": place.rank,
        "rank_range": place.rank_range,
        "label": run.label,
        "headline": run.headline.value,
        "interval": run.headline.interval,
        "micro": run.micro.mean,
        "macro": run.macro.mean,
        "coverage": run.micro.coverage,
        "mean_failures_lowest": run.micro.mean_failures_lowest,
    }
