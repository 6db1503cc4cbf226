"""Two runs on the samples that both scored: paired differences, how sure they are, and how small ones could be seen.

Samples of one source picture are not independent, so intervals, p-values and errors are clustered by group.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from editbench.report.records.runs import ScoredRun
from editbench.report.statistics import clustered, headline, power, standings
from editbench.report.statistics.bootstrap import CELLS, FEW_GROUPS, RESAMPLES, SEED, Bootstrap
from editbench.report.statistics.clustered import Bools, Codes, Floats, Interval
from editbench.report.statistics.rounding import rounded, rounded_pair, within

FEW_RUNS = 4
"""Up to so many runs of a board, every pair is compared."""
FEW_FLIPS = 13
"""Up to so many groups every way to flip their signs is tried; 2^13 is less than the usual number of random flips."""
SAME = 1e-6
"""Scores that differ by less are a tie."""
_EVEN = 1e-9
"""Sums of flipped differences that are nearer than this share of their greatest are equal."""
_BLOCK = 1_000_000  # signs held at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Second run minus first over n common samples, rounded; None for what can't be computed."""

    n: int
    groups: int
    first_mean: float | None
    second_mean: float | None
    difference: float | None
    interval: Interval | None
    """95 % interval, by bootstrap over groups, no wider than the scale; None below two groups (in any category, for macro)."""
    wins: int
    """Samples that the second run scores higher."""
    ties: int
    losses: int
    p: float | None
    """p-value of "no difference": two-sided, by flipping the signs of whole groups."""
    p_holm: float | None
    """`p`, corrected for the number of categories; None for overall and macro."""
    effect: float | None
    """d_z: the mean over the standard deviation of the paired differences (Cohen 1988); None when all are the same."""
    detectable: float | None
    """The smallest true difference that so many groups show four times out of five (see `power.detectable`)."""


@dataclass(frozen=True, slots=True)
class Differences:
    """The differences of two runs, of the whole and by category."""

    overall: Difference
    """Difference of the micro means."""
    macro: Difference
    """Difference of the macro means; `wins`, `ties` and `losses` count samples here too."""
    categories: Mapping[str, Difference]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs of one board on the samples that both scored."""

    runs: tuple[str, str]
    """Labels of the two; a difference is the second minus the first."""
    rows: Differences


@dataclass(frozen=True, slots=True)
class _PairedScores:
    """Scores of n samples that two runs scored; arrays of shape (n,)."""

    first: Floats
    second: Floats
    groups: Codes
    category: Codes
    span: Interval | None
    """Lowest and highest difference that the rubric's scale allows; None where the runs' scales are not one."""


def compare(
    runs: Mapping[str, ScoredRun],
    baseline: str | None = None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    boards: Mapping[str, int] | None = None,
) -> list[Comparison]:
    """Compare runs that share a board.

    Args:
        runs: by label.
        baseline: the label of the run that every other one of its board is compared with. Without it, all pairs of a board of
            up to FEW_RUNS runs are, and of a larger one each run with the best by headline.
        resamples: of groups, and random flips.
        boards: as `ranks.boards` tells, which is the default.

    Raises:
        UserError: scipy is not installed.
    """
    boards = standings.boards(runs) if boards is None else boards
    return [_compare(pair, runs, resamples, seed) for pair in _pairs(runs, baseline, boards)]


def _pairs(runs: Mapping[str, ScoredRun], baseline: str | None, boards: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    for board in dict.fromkeys(boards.values()):
        labels = [label for label in runs if boards[label] == board]
        if baseline is not None:
            labels = labels if baseline in labels else []
            yield from ((baseline, label) for label in labels if label != baseline)
        elif len(labels) <= FEW_RUNS:
            yield from combinations(labels, 2)
        else:
            headlines = {label: headline.number(runs[label]) for label in labels}
            known = {label: value for label, value in headlines.items() if value is not None}
            best = max(known or labels, key=lambda label: known.get(label, 0.0))
            yield from ((best, label) for label in labels if label != best)


def _compare(labels: tuple[str, str], runs: Mapping[str, ScoredRun], resamples: int, seed: int) -> Comparison:
    first, second = (runs[label] for label in labels)
    pair = _align(first, second)
    categories = {
        name: _measure(_masked(pair, pair.category == code), False, resamples, seed)
        for code, name in enumerate(first.rows.categories)
    }
    corrected = holm([difference.p for difference in categories.values()])
    named = zip(categories.items(), corrected, strict=True)
    return Comparison(
        labels,
        Differences(
            overall=_measure(pair, False, resamples, seed),
            macro=_measure(pair, True, resamples, seed),
            categories={name: replace(difference, p_holm=rounded(p)) for (name, difference), p in named},
        ),
    )


def _align(first: ScoredRun, second: ScoredRun) -> _PairedScores:
    """Pair the samples that both runs scored, with the first one's groups and categories."""
    rows, others = first.rows, second.rows
    if list(rows.keys) == list(others.keys):
        index = match = np.flatnonzero(rows.scored & others.scored)
    else:
        row_by_key = {key: row for row, key in enumerate(others.keys)}
        matches = np.array([row_by_key.get(key, -1) for key in rows.keys], dtype=np.int64)
        index = np.flatnonzero((matches >= 0) & rows.scored & others.scored[matches])
        match = matches[index]
    scale = first.facts.rubric.scale
    span = (scale[0] - scale[1], scale[1] - scale[0]) if scale and scale == second.facts.rubric.scale else None
    return _PairedScores(rows.score[index], others.score[match], rows.group[index], rows.category[index], span)


def _masked(pair: _PairedScores, mask: Bools) -> _PairedScores:
    return _PairedScores(pair.first[mask], pair.second[mask], pair.groups[mask], pair.category[mask], pair.span)


def _measure(pair: _PairedScores, macro: bool, resamples: int, seed: int) -> Difference:
    differences = pair.second - pair.first
    strata = pair.category if macro else np.zeros_like(pair.category)
    influence = clustered.influence(differences, pair.groups, strata)
    mean = clustered.macro_mean(differences, strata)
    weights = weigh(strata)
    groups = clustered.dense(pair.groups)[0] if len(pair.groups) else 0
    return Difference(
        n=len(differences),
        groups=groups,
        first_mean=rounded(clustered.macro_mean(pair.first, strata)),
        second_mean=rounded(clustered.macro_mean(pair.second, strata)),
        difference=rounded(mean),
        interval=rounded_pair(within(Bootstrap(pair.groups, resamples, seed).interval(influence), pair.span)),
        wins=int((differences >= SAME).sum()),
        ties=int((np.abs(differences) < SAME).sum()),
        losses=int((differences <= -SAME).sum()),
        p=None if mean is None else rounded(flip_test(weights * differences, pair.groups, resamples, seed)),
        p_holm=None,
        effect=None if mean is None else rounded(_effect(differences, weights, mean)),
        detectable=None if influence is None else rounded(power.detectable(influence, groups)),
    )


def weigh(strata: Codes) -> Floats:
    """Weights of sum 1, shape (n,): every stratum counts alike, and within it every sample."""
    if not len(strata):
        return np.zeros(0)
    sizes = np.bincount(strata)
    return 1 / (np.count_nonzero(sizes) * sizes[strata])


def _effect(differences: Floats, weights: Floats, mean: float) -> float | None:
    """The mean over the standard deviation; None below two samples, or where all differences are the same."""
    n = len(differences)
    if n < 2:
        return None
    spread = math.sqrt((weights * (differences - mean) ** 2).sum() * n / (n - 1))
    return mean / spread if spread > SAME else None


def flip_test(differences: Floats, groups: Codes, flips: int = RESAMPLES, seed: int = SEED) -> float:
    """The two-sided p-value of "no difference", by a permutation test that flips the signs of groups.

    Without a difference between the runs, the two scores of a sample could as well be exchanged, in all samples of a group
    together: each group's sum of differences keeps its size and takes either sign (Fisher 1935, "The Design of Experiments",
    section 21; by clusters, as Gail, Mark, Carroll, Green and Pee 1996, Statistics in Medicine 15). Up to FEW_FLIPS groups
    that differ, p is exact: the share of all flips whose sum is as far from 0 as the one observed. With more it is
    (1 + count) / (1 + flips) over random ones (Phipson and Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9(1)). Of more than
    FEW_GROUPS groups, those of nearly equal sums are flipped as cells, each by a binomial number, at their root mean square.

    Of 1,000 pairs of simulated runs that do not differ (`python tests/benchmarks/coverage.py`: 9, 54 and 270 groups, micro and
    macro), 4.0 % to 5.1 % have p <= 0.05; 4.4 % to 8.9 % where differences are far from symmetric about 0, which the test takes
    them to be. Flipping samples by themselves, 17 % to 35 % have.

    Args:
        differences: shape (n,), weighted so that their sum is what is tested.
        groups: shape (n,), an integer a group.
    """
    sizes = np.abs(np.bincount(clustered.dense(groups)[1], differences)) if len(groups) else np.zeros(0)
    observed = abs(differences.sum())
    sizes = sizes[sizes > _EVEN * sizes.max(initial=0.0)]
    least = observed - _EVEN * sizes.sum()
    if len(sizes) <= FEW_FLIPS:
        flipped = np.arange(2 ** len(sizes))[:, None] >> np.arange(len(sizes)) & 1
        return float((np.abs(_signed_sums(flipped, sizes)) >= least).mean())
    count = sum(int((np.abs(sums) >= least).sum()) for sums in _flipped(sizes, flips, np.random.default_rng(seed)))
    return (1 + count) / (1 + flips)


def _flipped(sizes: Floats, flips: int, random: np.random.Generator) -> Iterator[Floats]:
    """Sums of `sizes` with random signs, in blocks whose size changes no sign."""
    if len(sizes) > FEW_GROUPS:
        cell = np.minimum(sizes / sizes.max() * CELLS, CELLS - 1).astype(np.int64)
        counts = np.bincount(cell)
        roots = np.sqrt(np.bincount(cell, sizes**2) / np.maximum(counts, 1))
        yield ((2 * random.binomial(counts, 0.5, size=(flips, len(counts))) - counts) * roots).sum(axis=1)
        return
    step = max(1, _BLOCK // len(sizes))
    for start in range(0, flips, step):
        yield _signed_sums(random.integers(2, size=(min(step, flips - start), len(sizes))), sizes)


def _signed_sums(positive: Codes, sizes: Floats) -> Floats:
    """Sums of `sizes`, shape (b,), each with its sign: negative where `positive`, shape (b, groups), is 0."""
    return np.where(positive, sizes, -sizes).sum(axis=1)


def holm(p: Sequence[float | None]) -> list[float | None]:
    """p-values corrected for their number (Holm 1979, Scand. J. Statistics 6(2)); None stays, and doesn't count."""
    ordered = sorted((value, index) for index, value in enumerate(p) if value is not None)
    corrected: list[float | None] = [None] * len(p)
    least = 0.0
    for rank, (value, index) in enumerate(ordered):
        corrected[index] = least = max(least, min(1.0, (len(ordered) - rank) * value))
    return corrected
