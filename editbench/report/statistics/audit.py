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
from numpy.typing import NDArray

from editbench.errors import UserError
from editbench.paths import ScorePaths
from editbench.records import EDIT_FAILED, OK, REPEAT, STATUSES, STRANGER, SWAPPED, UNEDITED
from editbench.report.records.rows import Scale
from editbench.report.records.runs import Run
from editbench.report.statistics.agreement import Estimate
from editbench.report.statistics.bootstrap import Bootstrap
from editbench.report.statistics.clustered import Codes, Floats, Interval
from editbench.report.statistics.power import LEAST_GROUPS
from editbench.report.statistics.rounding import estimate, mean, rounded, within

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


class _Words(NamedTuple):
    """What a control shows that the judge can tell `apart`, what an edit beats, and what a judge that thinks otherwise does."""

    apart: str
    wins: str
    worse: str


_WORDS = {
    UNEDITED: _Words(
        "an edit from no edit", "an edit beats its unedited source", "no edit above the edits, which are bad, or it is wrong"
    ),
    STRANGER: _Words("an edit from another sample's", "an edit beats another sample's", "other samples' edits above the edits"),
    SWAPPED: _Words("the edit from the source", "an edit beats the same pair swapped", "the source as the edit above the edit"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One kind, over the samples whose edit and control both have a score."""

    n: int
    mean: float | None
    """Of the controls."""
    edit_mean: float | None
    """Of their edits."""
    win_rate: Estimate | None
    """Share of samples whose edit scores above its control, ties counting one half; None without samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """The very same pair, judged in another batch."""

    n: int
    same_share: float
    mean_difference: float
    """Absolute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    samples: int
    """That controls are about."""
    rows: int
    statuses: dict[str, int]
    """Of the controls, those that occur."""
    controls: Mapping[str, Control]
    """By kind (see RIVALS)."""
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
    """Of the n samples of a run, those with a control of one kind; arrays of shape (n,)."""

    edit: Floats
    control: Floats
    """NaN where there is none, or it has no score."""
    group: Codes
    skipped: int = 0
    """Left out: their edit is their source, which the control does not change."""

    @property
    def both(self) -> NDArray[np.bool_]:
        return ~np.isnan(self.edit) & ~np.isnan(self.control)

    @property
    def ties(self) -> NDArray[np.bool_]:
        return np.abs(self.edit - self.control) < SAME


def examine(run: Run, bootstrap: Bootstrap) -> Audit | None:
    """The audit of a run's judge; None where there was none. `bootstrap`: over the groups of the run's rows.

    Raises:
        UserError: a control is about no sample of the run.
    """
    if run.audit is None:
        return None
    table = run.audit
    pairs, identical = _pairs(run)
    controls = {kind: _control(pairs[kind], bootstrap) for kind in RIVALS if kind in pairs}
    repeat = _repeat(pairs[REPEAT]) if REPEAT in pairs else None
    counts = np.bincount(table.status, minlength=len(STATUSES)).tolist()
    statuses = {name: count for name, count in zip(STATUSES, counts, strict=True) if count}
    unread = _unread(statuses)
    return Audit(
        samples=len(set(table.keys)),
        rows=len(table.keys),
        statuses=statuses,
        controls=controls,
        repeat=repeat,
        unread_share=rounded(unread),
        mean_mass=mean(table.mass[~np.isnan(table.mass)]),
        skipped_identical=identical,
        verdicts=[*_rivals(pairs, controls), *_steadiness(repeat, run.facts.rubric.scale), *_readable(unread, statuses)],
    )


def _pairs(run: Run) -> tuple[dict[str, _Pairs], int]:
    """By kind of control; and how many samples were left out of any."""
    table, rows = run.audit, run.rows
    known = {key: place for place, key in enumerate(rows.keys)}
    if lost := [key for key in table.keys if key not in known]:
        path = ScorePaths(run.root).audit
        raise UserError(f"{path}: {lost[0]!r} is no sample of this run", "Restore the file, or score into a new folder.")
    place = np.array([known[key] for key in table.keys], dtype=np.int64)
    identical = rows.flagged.get(IDENTICAL, np.zeros(len(known), dtype=bool))
    left_out = np.zeros(len(known), dtype=bool)
    pairs = {}
    for kind, chosen in table.controls.items():
        control = np.full(len(known), np.nan)
        control[place[chosen]] = table.score[chosen]
        skipped = np.zeros(len(known), dtype=bool)
        if kind in UNCHANGED:
            skipped[place[chosen]] = identical[place[chosen]]
        left_out |= skipped
        pairs[kind] = _Pairs(rows.score, np.where(skipped, np.nan, control), rows.group, int(skipped.sum()))
    return pairs, int(left_out.sum())


def _control(pairs: _Pairs, bootstrap: Bootstrap) -> Control:
    both = pairs.both
    wins = np.where(pairs.ties, CHANCE, pairs.edit > pairs.control)
    value = float(wins[both].mean()) if both.any() else None
    return Control(
        n=int(both.sum()),
        mean=mean(pairs.control[both]),
        edit_mean=mean(pairs.edit[both]),
        win_rate=None if value is None else estimate(value, within(bootstrap.mean(wins, both), (0.0, 1.0))),
    )


def _repeat(pairs: _Pairs) -> Repeat | None:
    both = pairs.both
    if not both.any():
        return None
    apart = float(np.abs(pairs.edit - pairs.control)[both].mean())
    return Repeat(n=int(both.sum()), same_share=rounded(pairs.ties[both].mean()), mean_difference=rounded(apart))


def _unread(statuses: Mapping[str, int]) -> float | None:
    judged = sum(statuses.values()) - statuses.get(EDIT_FAILED, 0)
    return (judged - statuses.get(OK, 0)) / judged if judged else None


def _rivals(pairs: Mapping[str, _Pairs], controls: Mapping[str, Control]) -> Iterator[str]:
    for kind, control in controls.items():
        words = _WORDS[kind]
        if control.win_rate is None:
            yield _nothing(words, pairs[kind].skipped)
            continue
        interval, won = control.win_rate.interval, _percent(control.win_rate.value)
        told = f"{words.wins} in {won} of {control.n} samples{_doubt(pairs[kind], interval)}"
        groups = len(np.unique(pairs[kind].group[pairs[kind].both]))
        if interval is None or groups < LEAST_GROUPS:
            yield f"too few source pictures ({groups}) to say whether the judge can tell {words.apart}: {told}"
        elif interval[1] < CHANCE:
            yield f"the judge scores {words.worse}: {told}"
        elif interval[0] <= CHANCE:
            yield f"the judge can't tell {words.apart}: {told}"


def _nothing(words: _Words, skipped: int) -> str:
    if skipped:
        return (
            f"nothing could be compared to tell {words.apart}: the edits of all {skipped} samples are identical to their source"
        )
    return f"nothing could be compared to tell {words.apart}: no sample has a score for both"


def _doubt(pairs: _Pairs, interval: Interval | None) -> str:
    ties = int((pairs.ties & pairs.both).sum())
    parts = [f"{_percent(interval[0])} to {_percent(interval[1])}"] if interval else []
    parts += [f"{ties} tied, which count one half"] if ties else []
    return f" ({'; '.join(parts)})" if parts else ""


def _steadiness(repeat: Repeat | None, scale: Scale | None) -> Iterator[str]:
    """The last bits of a batch may move a mean of a distribution, but not far."""
    far = MOST_APART * (scale[1] - scale[0]) if scale else SAME
    if repeat and repeat.same_share < LEAST_SAME and repeat.mean_difference > far:
        told = f"{_percent(repeat.same_share)} of {repeat.n} samples got the same score when they were judged again"
        yield f"the judge gives different scores to the same pair: {told}; {repeat.mean_difference:.2f} apart on average"


def _readable(unread: float | None, statuses: Mapping[str, int]) -> Iterator[str]:
    if unread is not None and unread > MOST_UNREAD:
        failures = ", ".join(f"{count} {status}" for status, count in statuses.items() if status not in (OK, EDIT_FAILED))
        yield f"{_percent(unread)} of the controls have no score ({failures})"


def _percent(share: float) -> str:
    """`51 %`; all and nothing only when it is."""
    whole = 100 * share if share in (0, 1) else min(max(100 * share, 1), 99)
    return f"{whole:.0f} %"
