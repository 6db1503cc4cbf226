"""The stage `report`: scores.jsonl of one or more runs -> report.md, leaderboard.csv, report.json (the marker, written last).

Equal input gives equal bytes: no dates, hosts or absolute paths. No torch is imported. All files show the same numbers, rounded
to six decimals (two in report.md). `report.json`, where null stands for what can't be computed:

    schema       1
    runs         in the order given, each:
        label, scores (digest of the score folder's identity), readout
        editor, judge, benchmark    {name, version}: version is a revision or a digest
        rubric                      {name, version, digest, scale: [lowest, highest] | null}
        overall     {micro: SUMMARY, macro: {mean, interval, mean_failures_lowest, categories, left_out}}
        categories  {name: SUMMARY}
        languages   {name: SUMMARY}
        statuses    {status: samples}
        mean_mass   mean probability of allowed answers, 0..1 | null
        reads       {how a score was read: samples}; expected, generate, forced
        flags       {flag: edits}, by what is odd about them
        warnings    [text]
    leaderboard  by micro mean: [{rank, label, micro, macro, coverage, mean_failures_lowest}]
    warnings     [text], on runs side by side
    agreement    [PAIR], of all raters of the same edits: runs, and ratings by people

    SUMMARY      {n, scored, coverage, mean, std, median, min, max, interval: [low, high] | null, mean_failures_lowest,
                  statuses}
    PAIR         {raters: [RATER, RATER], n: samples both scored, groups, rescaled: true when their scales differ,
                  spearman, kendall_tau_b, krippendorff_alpha, pairwise_accuracy: {value, interval: [low, high] | null},
                  disputed: [{key, category, scores: [first, second], difference: on 0..1, responses: [text, text]}]}
    RATER        {name, kind: "run" | "ratings", scale: [lowest, highest] | null,
                  scale_from: "rubric" | "given" | "observed"}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from rich.console import RenderableType

from editbench import atomic
from editbench.errors import UserError
from editbench.identity import SCHEMA
from editbench.paths import ReportPaths
from editbench.report import checks, leaderboard, markdown, raters, runs, terminal
from editbench.report.aggregate import RunSummary, ranked, summarise
from editbench.report.agreement import STATISTICS
from editbench.report.raters import Pair


@dataclass(frozen=True, slots=True)
class Report:
    """What was written, and where."""

    paths: ReportPaths
    runs: Sequence[RunSummary]
    warnings: Sequence[str]
    """On the runs side by side."""
    run_warnings: Mapping[str, Sequence[str]]
    """By label."""
    agreement: Sequence[Pair] = ()
    """Of raters of the same edits."""

    @property
    def files(self) -> tuple[Path, ...]:
        return self.paths.json, self.paths.markdown, self.paths.leaderboard

    def tables(self) -> RenderableType:
        """The report for a terminal."""
        return terminal.render(self.runs, self.warnings, self.run_warnings, self.agreement)

    def document(self) -> dict[str, Any]:
        """The contents of report.json."""
        return {
            "schema": SCHEMA,
            "runs": [_run(run, self.run_warnings[run.label]) for run in self.runs],
            "leaderboard": [_place(rank, run) for rank, run in ranked(self.runs)],
            "warnings": self.warnings,
            "agreement": [_pair(pair) for pair in self.agreement],
        }


def report(scores: Sequence[Path], out: Path, *, names: Sequence[str] = (), ratings: Sequence[str] = ()) -> Report:
    """Report on score folders into the folder `out`, which is made when it is missing.

    `names` are labels for the runs, one a folder; without them each goes by its editor and by what tells it apart.
    `ratings` are CSV files of people's ratings of these edits, `[NAME[:LOW-HIGH]=]FILE.csv` (see the module `ratings`).

    Raises:
        UserError: no folders, a folder that is not of finished scores, a bad row, names that don't fit, bad ratings or ratings
            for several sets of edits, or `out` is no folder.
        OSError: the disk is full.
    """
    if not scores:
        raise UserError("no score folders to report on", "Give at least one.")
    loaded = [runs.load(root) for root in scores]
    by_label = dict(zip(runs.labels(loaded, names), loaded, strict=True))
    summaries = [summarise(run, label) for label, run in by_label.items()]
    run_warnings = {run.label: checks.diagnose(run) for run in summaries}
    pairs = raters.compare(by_label, ratings)
    made = Report(ReportPaths(out), summaries, checks.compare(by_label), run_warnings, pairs)
    _write(made)
    return made


def _write(made: Report) -> None:
    paths = made.paths
    try:
        paths.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"can't make the folder {paths.root}: {error.strerror}", "Give another --out.") from None
    told = {label: [*own, *made.warnings] for label, own in made.run_warnings.items()}
    atomic.write(paths.markdown, markdown.render(made.runs, made.warnings, made.run_warnings, made.agreement).encode())
    atomic.write(paths.leaderboard, leaderboard.render(made.runs, told).encode())
    atomic.write(paths.json, orjson.dumps(made.document(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _run(run: RunSummary, warnings: Sequence[str]) -> dict[str, Any]:
    facts = run.facts
    return {
        "label": run.label,
        "scores": facts.digest,
        "editor": facts.editor,
        "judge": facts.judge,
        "rubric": facts.rubric,
        "readout": facts.readout,
        "benchmark": facts.benchmark,
        "overall": {"micro": run.micro, "macro": run.macro},
        "categories": run.categories,
        "languages": run.languages,
        "statuses": run.micro.statuses,
        "mean_mass": run.mean_mass,
        "reads": run.reads,
        "flags": run.flags,
        "warnings": warnings,
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "raters": pair.raters,
        "n": pair.n,
        "groups": pair.groups,
        "rescaled": pair.rescaled,
        **{name: getattr(pair.agreement, name) for name in STATISTICS},
        "disputed": pair.disputed,
    }


def _place(rank: int, run: RunSummary) -> dict[str, Any]:
    micro = run.micro
    return {
        "rank": rank,
        "label": run.label,
        "micro": micro.mean,
        "macro": run.macro.mean,
        "coverage": micro.coverage,
        "mean_failures_lowest": micro.mean_failures_lowest,
    }
