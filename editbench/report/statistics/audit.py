"""What the judge can tell apart: its scores of controls beside those of the edits that they are about.

A judge is worth believing when an edit scores above its unedited source, above a stranger (another sample's edit) and above
the same pair swapped, and when the very same pair gets the same score again. The win rate of the edits is how often one scores
above its own control, ties counting one half: 0.5 is what a judge gives that does not look. (The area under a ROC curve would
compare each edit with the controls of all samples.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from editbench.errors import UserError
from editbench.paths import ScorePaths
from editbench.records import EDIT_FAILED, OK, REPEAT, STRANGER, SWAPPED, UNEDITED
from editbench.report.records.rows import Rows, Scale
from editbench.report.records.runs import ScoredRun
from editbench.report.statistics.bootstrap import Bootstrap
from editbench.report.statistics.clustered import Bools, Codes, Estimate, Floats, Interval
from editbench.report.statistics.power import LEAST_GROUPS
from editbench.report.statistics.rounding import mean, rounded, rounded_estimate, within
from editbench.wording import counted

RIVALS = (UNEDITED, STRANGER, SWAPPED)
"""Controls that an edit should beat."""
UNCHANGED = (UNEDITED, SWAPPED)
"""Controls that are the very pair where the edit is identical to its source."""
IDENTICAL = "identical"
"""The flag of an edit that equals its source."""
SAME = 1e-3
"""Scores that differ by less look alike in every table."""
CHANCE = 0.5
LEAST_SAME = 0.9
MOST_APART = 0.01
"""Mean difference of repeats, as a share of the scale's width, that the last bits of a batch may make."""
MOST_UNREAD = 0.1


class _Phrases(NamedTuple):
    """What a control shows that the judge can tell `apart`, what an edit beats, and what a judge that thinks otherwise does."""

    apart: str
    wins: str
    worse: str


_PHRASES = {
    UNEDITED: _Phrases(
        "an edit from no edit", "an edit beats its unedited source", "no edit above the edits, which are bad, or it is wrong"
    ),
    STRANGER: _Phrases(
        "an edit from another sample's", "an edit beats another sample's", "other samples' edits above the edits"
    ),
    SWAPPED: _Phrases(
        "the edit from the source", "an edit beats the same pair swapped", "the source as the edit above the edit"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The scores of one kind of control, over the samples whose edit and control both have a score."""

    n: int
    mean: float | None
    """Mean score of the controls."""
    edit_mean: float | None
    """Mean score of their edits."""
    win_rate: Estimate | None
    """Share of samples whose edit scores above its control, ties counting one half; None without samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """The very same pair, judged in another batch."""

    n: int
    same_share: float
    mean_difference: float
    """Mean absolute difference of the two scores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What the controls say of a run's judge."""

    samples: int
    """Samples that have a control."""
    rows: int
    """Controls that were judged."""
    statuses: dict[str, int]
    """Controls by status, those that occur."""
    controls: Mapping[str, Control]
    """The scores of controls by kind (see RIVALS)."""
    repeat: Repeat | None
    unread_share: float | None
    """Controls without a score, of those that could be judged."""
    mean_mass: float | None
    skipped_identical: int
    """Samples that are left out of UNCHANGED: their edit is their source."""
    verdicts: list[str]
    """What is wrong with the judge, in sentences; empty when nothing is."""


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Scores of a run's n edits, and of their controls of one kind; arrays of shape (n,)."""

    edit: Floats
    control: Floats
    """NaN where there is no control, or it has no score."""
    group: Codes
    skipped: int = 0
    """Samples left out, because their edit is their source, which the control does not change."""

    @property
    def both(self) -> Bools:
        """Where edit and control have a score."""
        return ~np.isnan(self.edit) & ~np.isnan(self.control)

    @property
    def ties(self) -> Bools:
        """Where edit and control score alike."""
        return np.abs(self.edit - self.control) < SAME


def examine(run: ScoredRun, bootstrap: Bootstrap) -> Audit | None:
    """The audit of a run's judge; None where there was none. `bootstrap`: over the groups of the run's rows.

    Raises:
        UserError: a control is about no sample of the run.
    """
    if run.audit is None:
        return None
    pairs, identical = _pairs(run, run.audit)
    controls = {kind: _control(pairs[kind], bootstrap) for kind in RIVALS if kind in pairs}
    repeat = _repeat(pairs[REPEAT]) if REPEAT in pairs else None
    statuses = run.audit.statuses()
    judged = sum(statuses.values()) - statuses.get(EDIT_FAILED, 0)
    unread = (judged - statuses.get(OK, 0)) / judged if judged else None
    return Audit(
        samples=len(set(run.audit.keys)),
        rows=len(run.audit.keys),
        statuses=statuses,
        controls=controls,
        repeat=repeat,
        unread_share=rounded(unread),
        mean_mass=mean(run.audit.mass[~np.isnan(run.audit.mass)]),
        skipped_identical=identical,
        verdicts=[
            *_win_rate_verdicts(pairs, controls),
            *_repeat_verdicts(repeat, run.facts.rubric.scale),
            *_unread_verdicts(unread, statuses),
        ],
    )


def _pairs(run: ScoredRun, audit: Rows) -> tuple[dict[str, _Pairs], int]:
    """Edits and their controls by kind; and how many samples were left out of any kind."""
    rows = run.rows
    index = {key: row for row, key in enumerate(rows.keys)}
    if unknown := [key for key in audit.keys if key not in index]:
        path = ScorePaths(run.root).audit
        raise UserError(f"{path}: {unknown[0]!r} is no sample of this run", "Restore the file, or score into a new folder.")
    sample = np.array([index[key] for key in audit.keys], dtype=np.int64)
    identical = rows.flagged.get(IDENTICAL, np.zeros(len(index), dtype=bool))
    left_out = np.zeros(len(index), dtype=bool)
    pairs = {}
    for kind, mask in audit.controls.items():
        control = np.full(len(index), np.nan)
        control[sample[mask]] = audit.score[mask]
        skipped = np.zeros(len(index), dtype=bool)
        if kind in UNCHANGED:
            skipped[sample[mask]] = identical[sample[mask]]
        left_out |= skipped
        pairs[kind] = _Pairs(rows.score, np.where(skipped, np.nan, control), rows.group, int(skipped.sum()))
    return pairs, int(left_out.sum())


def _control(pairs: _Pairs, bootstrap: Bootstrap) -> Control:
    both = pairs.both
    wins = np.where(pairs.ties, CHANCE, pairs.edit > pairs.control)
    win_rate = None
    if both.any():
        win_rate = rounded_estimate(float(wins[both].mean()), within(bootstrap.mean(wins, both), (0.0, 1.0)))
    return Control(
        n=int(both.sum()),
        mean=mean(pairs.control[both]),
        edit_mean=mean(pairs.edit[both]),
        win_rate=win_rate,
    )


def _repeat(pairs: _Pairs) -> Repeat | None:
    both = pairs.both
    if not both.any():
        return None
    difference = float(np.abs(pairs.edit - pairs.control)[both].mean())
    share = float(pairs.ties[both].mean())
    return Repeat(n=int(both.sum()), same_share=rounded(share), mean_difference=rounded(difference))


def _win_rate_verdicts(pairs: Mapping[str, _Pairs], controls: Mapping[str, Control]) -> Iterator[str]:
    for kind, control in controls.items():
        phrases = _PHRASES[kind]
        if control.win_rate is None or control.win_rate.value is None:
            identical = f"the edits of all {pairs[kind].skipped} samples are identical to their source"
            why = identical if pairs[kind].skipped else "no sample has a score for both"
            yield f"nothing could be compared to tell {phrases.apart}: {why}"
            continue
        interval, won = control.win_rate.interval, _percent(control.win_rate.value)
        record = f"{phrases.wins} in {won} of {counted(control.n, 'sample')}{_doubt(pairs[kind], interval)}"
        groups = len(np.unique(pairs[kind].group[pairs[kind].both]))
        if interval is None or groups < LEAST_GROUPS:
            yield f"too few source pictures ({groups}) to say whether the judge can tell {phrases.apart}: {record}"
        elif interval[1] < CHANCE:
            yield f"the judge scores {phrases.worse}: {record}"
        elif interval[0] <= CHANCE:
            yield f"the judge can't tell {phrases.apart}: {record}"


def _doubt(pairs: _Pairs, interval: Interval | None) -> str:
    """The interval of a win rate and the number of ties, in brackets."""
    ties = int((pairs.ties & pairs.both).sum())
    remarks = [f"{_percent(interval[0])} to {_percent(interval[1])}"] if interval else []
    remarks += [f"{ties} tied, which count one half"] if ties else []
    return f" ({'; '.join(remarks)})" if remarks else ""


def _repeat_verdicts(repeat: Repeat | None, scale: Scale | None) -> Iterator[str]:
    """The last bits of a batch may move a mean of a distribution, but not far."""
    limit = MOST_APART * (scale[1] - scale[0]) if scale else SAME
    if repeat and repeat.same_share < LEAST_SAME and repeat.mean_difference > limit:
        share = f"{_percent(repeat.same_share)} of {counted(repeat.n, 'sample')} got the same score when they were judged again"
        yield f"the judge gives different scores to the same pair: {share}; {repeat.mean_difference:.2f} apart on average"


def _unread_verdicts(unread: float | None, statuses: Mapping[str, int]) -> Iterator[str]:
    if unread is not None and unread > MOST_UNREAD:
        failures = ", ".join(f"{count} {status}" for status, count in statuses.items() if status not in (OK, EDIT_FAILED))
        yield f"{_percent(unread)} of the controls have no score ({failures})"


def _percent(share: float) -> str:
    """Such as `51 %`; rounded to 0 % or 100 % only when it is just that."""
    whole = 100 * share if share in (0, 1) else min(max(100 * share, 1), 99)
    return f"{whole:.0f} %"
