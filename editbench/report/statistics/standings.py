"""Leaderboards: which runs can stand side by side, and which ranks each could take.

Two runs can be compared when the same benchmark, judge, rubric, readout and judge's settings gave their scores, over the same
samples. Runs that can be compared share a board. Runs of one set of edits may differ in all that: they are judges to agree.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from editbench.errors import UserError
from editbench.report.records.runs import ScoredRun
from editbench.report.statistics import bootstrap, clustered, headline
from editbench.report.statistics.bootstrap import RESAMPLES, SEED
from editbench.report.statistics.clustered import LEVEL, Codes, Floats, Influence

Rank = tuple[int, int]
"""The best and the worst a run could take, from 1."""
_TIED = 1e-9


def boards(runs: Mapping[str, ScoredRun], force: bool = False) -> dict[str, int]:
    """The board of each run, by label, from 0 in order of appearance. With `force` all stand on one."""
    if force:
        return dict.fromkeys(runs, 0)
    sample_sets = _sample_sets(runs)
    numbers: dict[Hashable, int] = {}
    return {
        label: numbers.setdefault((sample_sets[label], *_conditions(run).items()), len(numbers)) for label, run in runs.items()
    }


def check(runs: Mapping[str, ScoredRun], force: bool) -> list[str]:
    """Warnings on runs side by side: that they stand on several boards, or with `force` why they should not stand on one.

    Raises:
        UserError: without `force`, when some runs can't be compared with the others, nor share edits with any.
    """
    board = boards(runs)
    if len(set(board.values())) < 2:
        return []
    differences = "; ".join(_differences(runs))
    if force:
        return [f"the runs should not be compared: they differ in {differences}"]
    if not _connected(runs, board):
        message = f"{', '.join(runs)} can't be compared: they differ in {differences}"
        raise UserError(message, "Report on them apart, or force it with --force.")
    return [f"the runs stand on {len(set(board.values()))} leaderboards: they differ in {differences}"]


def rank_ranges(runs: Mapping[str, ScoredRun], resamples: int = RESAMPLES, seed: int = SEED) -> dict[str, Rank | None]:
    """Which ranks by headline each run of one board could take: those of the middle 95 % of resamples.

    The runs' headline numbers are resampled together, by groups (Goldstein and Spiegelhalter 1996, "League Tables and Their
    Limitations", JRSS A 159(3); Hall and Miller 2009, "Using the Bootstrap to Quantify the Authority of an Empirical Ranking",
    Ann. Statist. 37(6B)), and spread by Student's over the normal quantile, for few groups. Equal numbers share a rank. The
    run's own rank is always in its range.

    Returns:
        None for a run whose headline has no interval, and for one that stands alone.

    Raises:
        UserError: scipy is not installed.
    """
    influences = ((label, _influence(run)) for label, run in runs.items())
    known = {label: influence for label, influence in influences if influence is not None}
    if len(known) < 2:
        return dict.fromkeys(runs)
    values = np.array([influence.value for influence in known.values()])
    degrees = min(influence.degrees for influence in known.values())
    spread = clustered.t_quantile(degrees, LEVEL) / clustered.t_quantile(np.inf, LEVEL)
    moves = bootstrap.joint(_influence_table([runs[label] for label in known], list(known.values())), resamples, seed)
    drawn = np.sort(_ranks(values + spread * moves), axis=0)
    tails = [int((1 - LEVEL) / 2 * resamples), int((1 + LEVEL) / 2 * resamples) - 1]
    own = _ranks(values[None])[0]
    best, worst = np.minimum(drawn[tails[0]], own).tolist(), np.maximum(drawn[tails[1]], own).tolist()
    return dict.fromkeys(runs) | dict(zip(known, zip(best, worst, strict=True), strict=True))


def _ranks(values: Floats) -> Codes:
    """The rank of each run within its row, from 1: shape (b, runs), as `values`."""
    return 1 + (values[:, None, :] > values[:, :, None] + _TIED).sum(axis=2)


def _influence(run: ScoredRun) -> Influence | None:
    scored = run.rows.scored
    return clustered.influence(run.rows.score[scored], run.rows.group[scored], headline.strata(run))


def _influence_table(runs: Sequence[ScoredRun], influences: Sequence[Influence]) -> Floats:
    """Influences, shape (groups, runs): a row a group of any run, by name; 0 for a group that a run has no scores of."""
    # Influences are of the groups that have scores, in order of their numbers.
    names = [[run.rows.group_names[code] for code in np.unique(run.rows.group[run.rows.scored]).tolist()] for run in runs]
    index = {name: number for number, name in enumerate(sorted(set().union(*names)))}
    table = np.zeros((len(index), len(runs)))
    for column, (own, influence) in enumerate(zip(names, influences, strict=True)):
        table[[index[name] for name in own], column] = influence.groups
    return table


def _sample_sets(runs: Mapping[str, ScoredRun]) -> dict[str, int]:
    """A number for the samples of each run, by label: equal for equal sets."""
    distinct: list[Sequence[str]] = []
    numbers = {}
    for label, run in runs.items():
        keys = list(run.rows.keys)
        if keys not in distinct:
            distinct.append(keys)
        numbers[label] = distinct.index(keys)
    return numbers


def _connected(runs: Mapping[str, ScoredRun], board: Mapping[str, int]) -> bool:
    """Whether every run reaches every other, over boards and shared edits."""
    unreached = {label: {("board", board[label]), ("edits", run.facts.edits or label)} for label, run in runs.items()}
    reached = unreached.pop(next(iter(runs)))
    while neighbours := [label for label, links in unreached.items() if links & reached]:
        for label in neighbours:
            reached |= unreached.pop(label)
    return not unreached


def _differences(runs: Mapping[str, ScoredRun]) -> Iterator[str]:
    """What the runs differ in, with the value of each."""
    conditions = {label: _conditions(run) for label, run in runs.items()}
    for name in dict.fromkeys(name for values in conditions.values() for name in values):
        values = {label: own.get(name) for label, own in conditions.items()}
        if len(set(values.values())) > 1:
            listed = ", ".join(f"{label}: {value or '-'}" for label, value in values.items())
            yield f"{name} ({listed})"
    if len(set(_sample_sets(runs).values())) > 1:
        common = len(set.intersection(*(set(run.rows.keys) for run in runs.values())))
        counts = ", ".join(f"{label}: {len(run.rows.keys)}" for label, run in runs.items())
        yield f"samples ({counts}; {common} in common)"


def _conditions(run: ScoredRun) -> dict[str, str]:
    """What decides the scores of given edits, by name, as text."""
    facts = run.facts
    rubric = f"{facts.rubric} ({facts.rubric.digest[:12]})" if facts.rubric.digest else str(facts.rubric)
    common = {"benchmark": str(facts.benchmark), "judge": str(facts.judge), "rubric": rubric, "readout": facts.readout}
    return common | {name: _text(value) for name, value in sorted(run.settings.items())}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
