"""What a report says, before it is written in any form; and report.json, which holds all of it.

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
        headline    {title, name: "micro mean" | "macro mean", value, interval, percent: {value, interval} | null}
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
        tokens      {read, written, price: number | null}: of a served judge in all attempts; not there for other judges
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
                  effect, detectable}; see the module `comparison`
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

from editbench.files import SCHEMA
from editbench.paths import ReportPaths
from editbench.report.options import ReportOptions
from editbench.report.statistics.aggregate import RunSummary
from editbench.report.statistics.agreement import ALPHAS, STATISTICS
from editbench.report.statistics.comparison import Comparison
from editbench.report.statistics.raters import RaterPair, RaterSet


@dataclass(frozen=True, slots=True)
class Standing:
    """A run's rank on a leaderboard."""

    board: int
    rank: int
    rank_range: tuple[int, int] | None
    """Best and worst rank it could take."""
    run: RunSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a report says, and where it is written."""

    paths: ReportPaths
    options: ReportOptions
    runs: Sequence[RunSummary]
    boards: Sequence[Sequence[Standing]]
    comparisons: Sequence[Comparison]
    warnings: Sequence[str]
    """Warnings on the runs side by side."""
    run_warnings: Mapping[str, Sequence[str]]
    """Warnings on each run, by label."""
    agreement: Sequence[RaterPair]
    """Agreement of every two raters of the same edits."""
    reliability: Sequence[RaterSet]
    """Agreement of all raters of the same edits, where they are more than two."""
    missing: list[str] = field(default_factory=list)
    """What the charts and the page could not show, in sentences."""

    @property
    def standings(self) -> list[Standing]:
        """The standings of all boards, one board after the other."""
        return [standing for board in self.boards for standing in board]

    @property
    def files(self) -> list[Path]:
        """The written files, what people read first before; charts and pictures have folders of their own."""
        html, latex = [self.paths.html] if self.options.html else [], [self.paths.latex] if self.options.latex else []
        return [*html, self.paths.markdown, self.paths.leaderboard, *latex, self.paths.json]

    def document(self) -> dict[str, Any]:
        """The contents of report.json."""
        boards = {standing.run.label: standing.board for standing in self.standings}
        return {
            "schema": SCHEMA,
            "resamples": self.options.resamples,
            "seed": self.options.seed,
            "runs": [run.document(boards[run.label], self.run_warnings[run.label]) for run in self.runs],
            "leaderboards": [_standing(standing) for standing in self.standings],
            "comparisons": self.comparisons,
            "warnings": self.warnings,
            "agreement": [_pair(pair) for pair in self.agreement],
            "reliability": [_set(raters) for raters in self.reliability],
        }


def _pair(pair: RaterPair) -> dict[str, Any]:
    statistics = _fields(pair.agreement, *STATISTICS)
    return _fields(pair, "raters", "measure", "n", "groups", "rescaled") | statistics | {"disputed": pair.disputed}


def _set(raters: RaterSet) -> dict[str, Any]:
    return _fields(raters, "raters", "measure", "n", "groups") | _fields(raters.reliability, *ALPHAS)


def _fields(record: object, *names: str) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}


def _standing(standing: Standing) -> dict[str, Any]:
    run = standing.run
    return {
        **_fields(standing, "board", "rank", "rank_range"),
        "label": run.label,
        "headline": run.headline.value,
        "interval": run.headline.interval,
        "micro": run.micro.mean,
        "macro": run.macro.mean,
        "coverage": run.micro.coverage,
        "mean_failures_lowest": run.micro.mean_failures_lowest,
    }
