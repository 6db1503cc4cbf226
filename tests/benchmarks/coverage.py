"""Whether the report's statistics keep their word: simulated benchmarks whose truth is known.

    python tests/benchmarks/coverage.py [--simulations 1000] [--resamples 10000]

Four tables (twelve minutes):

Coverage: how many 95 % intervals hold the true mean (for `macro` the mean of five categories' means, which groups span unless
said otherwise). A sample's quality is its group's (SD 0.8) plus its own (SD 0.8), so samples of one group correlate at 0.5.
Scores: `normal` is quality itself; `skewed` is whole, 0..10, most of them high and the worst at 0; `failures` is 0 or 1 for
most samples and 7..10 for the rest. Beside our intervals: Student's with the same error and degrees of freedom, plain
percentiles of the resamples, and ours as if every sample were a group of its own (with a tenth of the resamples).

False positives: how often p <= 0.05 for two runs that do not differ. `exchangeable`: the scores of both are drawn as `skewed`
ones above, each with group effects of its own; `asymmetric`: differences are the sum of two centred exponential variables, one
of the group and one of the sample, so that flipping signs changes their distribution, which the test does not allow for.

Power: how often p <= 0.05 for runs whose true difference is the one that is said to be detectable, the root mean square over
the simulations, as the error is estimated in each. Scores are qualities, of groups of 3 to 6 samples.

Cells: what drawing from cells (more than `bootstrap.FEW_GROUPS` groups) moves the ends of an interval by, in standard errors,
from drawing groups one by one, with ten times the resamples, so that chance matters less. The second column is what another
seed moves them by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated
from unittest import mock

import numpy as np
import typer

from editbench import console
from editbench.report.statistics import bootstrap, clustered, comparison, power
from editbench.report.statistics.bootstrap import Bootstrap
from editbench.report.statistics.clustered import Codes, Floats

SPREAD = 0.8
"""Of a group's quality, and of a sample's about it."""
STEP = 0.4
"""In quality, from one category to the next."""
CATEGORIES = 5
TRUTH_SAMPLES = 2_000_000
LEVEL = 0.05
KINDS = ("ours", "Student's", "percentile", "not clustered")

Chance = np.random.Generator
Scores = Callable[[Floats, Chance], Floats]
"""From qualities, shape (n,)."""
Places = Callable[[Chance], tuple[Codes, Codes]]
"""Group and category of each sample, shape (n,)."""


@dataclass(frozen=True, slots=True)
class Shape:
    name: str
    draw: Places
    macro: bool = False


def _plain(sizes: Callable[[Chance], Codes]) -> Places:
    def draw(chance: Chance) -> tuple[Codes, Codes]:
        counts = sizes(chance)
        groups = np.repeat(np.arange(len(counts)), counts)
        return groups, np.zeros_like(groups)

    return draw


def _spanning(sizes: Callable[[Chance], Codes], whole: bool = False) -> Places:
    """Categories by chance, or with `whole` a group lies in one; every category has at least two groups."""

    def draw(chance: Chance) -> tuple[Codes, Codes]:
        while True:
            groups, _ = _plain(sizes)(chance)
            strata = groups % CATEGORIES if whole else chance.integers(CATEGORIES, size=len(groups))
            if all(len(np.unique(groups[strata == code])) > 1 for code in range(CATEGORIES)):
                return groups, strata

    return draw


def _few(count: int) -> Callable[[Chance], Codes]:
    return lambda chance: chance.integers(3, 7, size=count)


def _mixed(chance: Chance) -> Codes:
    return 1 + chance.geometric(0.25, size=54)


def _many(chance: Chance) -> Codes:
    return chance.integers(1, 6, size=270)


SHAPES = (
    Shape("4 groups of 3 to 6", _plain(_few(4))),
    Shape("9 groups of 3 to 6", _plain(_few(9))),
    Shape("54 groups of 2 to 20 or so", _plain(_mixed)),
    Shape("270 groups of 1 to 5", _plain(_many)),
    Shape("macro, 9 groups of 3 to 6", _spanning(_few(9)), macro=True),
    Shape("macro, 54 groups of 2 to 20 or so", _spanning(_mixed), macro=True),
    Shape("macro, 270 groups of 1 to 5", _spanning(_many), macro=True),
    Shape("macro, 3 groups a category, none in two", _spanning(_few(15), whole=True), macro=True),
)


def _normal(quality: Floats, chance: Chance) -> Floats:
    return 5 + quality


def _skewed(quality: Floats, chance: Chance) -> Floats:
    return np.clip(np.round(10 - 1.6 * np.exp(0.75 * quality)), 0, 10)


def _failures(quality: Floats, chance: Chance) -> Floats:
    n = len(quality)
    return np.where(quality > SPREAD, chance.integers(7, 11, size=n), chance.integers(0, 2, size=n)).astype(np.float64)


SCORES: dict[str, Scores] = {"normal": _normal, "skewed": _skewed, "failures": _failures}


def _quality(groups: Codes, chance: Chance) -> Floats:
    return SPREAD * (chance.normal(size=groups.max() + 1)[groups] + chance.normal(size=len(groups)))


def _truth(shape: Shape, scores: Scores) -> float:
    chance, alone = np.random.default_rng(1), np.arange(TRUTH_SAMPLES)
    shifts = STEP * (np.arange(CATEGORIES) - CATEGORIES // 2) if shape.macro else np.zeros(1)
    return float(np.mean([scores(shift + _quality(alone, chance), chance).mean() for shift in shifts]))


def coverage(shape: Shape, scores: Scores, simulations: int, resamples: int) -> list[float]:
    """Shares of intervals that hold the truth, of each kind in `KINDS`."""
    truth, chance = _truth(shape, scores), np.random.default_rng(2)
    held = np.zeros(len(KINDS))
    for turn in range(simulations):
        groups, strata = shape.draw(chance)
        shift = STEP * (strata - CATEGORIES // 2) if shape.macro else 0.0
        values = scores(shift + _quality(groups, chance), chance)
        held += [low <= truth <= high for low, high in _intervals(values, groups, strata, resamples, turn)]
    return (held / simulations).tolist()


def _intervals(values: Floats, groups: Codes, strata: Codes, resamples: int, seed: int) -> Iterator[tuple[float, float]]:
    influence = clustered.influence(values, groups, strata)
    yield Bootstrap(groups, resamples, seed).interval(influence)
    half = clustered.t_quantile(influence.degrees, clustered.LEVEL) * influence.error
    yield influence.value - half, influence.value + half
    low, high = np.quantile(bootstrap.joint(influence.groups[:, None], resamples, seed), [0.025, 0.975])
    yield influence.value + low, influence.value + high
    yield Bootstrap(np.arange(len(values)), resamples // 10, seed).macro(values, strata)


def _exchangeable(groups: Codes, chance: Chance) -> Floats:
    first, second = (_skewed(_quality(groups, chance), chance) for _ in range(2))
    return second - first


def _asymmetric(groups: Codes, chance: Chance) -> Floats:
    return chance.exponential(size=groups.max() + 1)[groups] + chance.exponential(size=len(groups)) - 2


NULLS = {"exchangeable": _exchangeable, "asymmetric": _asymmetric}


def false_positives(shape: Shape, null: Callable[[Codes, Chance], Floats], simulations: int, flips: int) -> tuple[float, float]:
    """Shares of p <= 0.05 without a difference: flipping groups, and flipping samples."""
    chance, significant = np.random.default_rng(3), np.zeros(2)
    for turn in range(simulations):
        groups, strata = shape.draw(chance)
        differences = null(groups, chance) * comparison.weigh(strata)
        for column, clusters in enumerate((groups, np.arange(len(groups)))):
            significant[column] += comparison.flip_test(differences, clusters, flips, turn) <= LEVEL
    return tuple(significant / simulations)


def detected(count: int, macro: bool, simulations: int, flips: int) -> float | None:
    """Share of p <= 0.05 where the difference is just detectable; None where none is."""
    chance, draw = np.random.default_rng(5), (_spanning if macro else _plain)(_few(count))
    made = []
    for _ in range(simulations):
        groups, strata = draw(chance)
        made.append((groups, strata if macro else np.zeros_like(groups), _quality(groups, chance) - _quality(groups, chance)))
    told = [power.detectable(clustered.influence(noise, groups, strata), count) for groups, strata, noise in made]
    if told[0] is None:
        return None
    difference = float(np.sqrt(np.mean(np.square(told))))
    significant = [
        comparison.flip_test((noise + difference) * comparison.weigh(strata), groups, flips, turn) <= LEVEL
        for turn, (groups, strata, noise) in enumerate(made)
    ]
    return float(np.mean(significant))


def cells(count: int, heavy: bool, resamples: int) -> tuple[float, float]:
    """Greatest change of an interval's ends, in standard errors: by cells, and by another seed."""
    chance = np.random.default_rng(4)
    values = chance.pareto(2.5, size=count) if heavy else chance.integers(0, 11, size=count).astype(np.float64)
    influences = clustered.influence(values, np.arange(count)).groups
    by_cells = np.array(bootstrap.studentised(influences, resamples, 0))
    with mock.patch.object(bootstrap, "FEW_GROUPS", count):
        one, other = (np.array(bootstrap.studentised(influences, resamples, seed)) for seed in (0, 1))
    return float(np.abs(by_cells - one).max()), float(np.abs(other - one).max())


def _coverages(simulations: int, resamples: int) -> Iterator[list[str]]:
    for shape in SHAPES:
        for name, scores in SCORES.items():
            yield [shape.name, name, *(f"{share:.1%}" for share in coverage(shape, scores, simulations, resamples))]


def _false_positives(simulations: int, flips: int) -> Iterator[list[str]]:
    for shape in SHAPES[1:]:
        for name, null in NULLS.items():
            clustered, naive = false_positives(shape, null, simulations, flips)
            yield [shape.name, name, f"{clustered:.1%}", f"{naive:.1%}"]


def _detected(simulations: int, flips: int) -> Iterator[list[str]]:
    for count in (4, 6, 7, 10, 20, 100):
        shares = (detected(count, macro, simulations, flips) for macro in (False, True))
        yield [f"{count} groups", *("none is" if share is None else f"{share:.1%}" for share in shares)]


def _cells(resamples: int) -> Iterator[list[str]]:
    for count in (1_001, 10_000):
        for heavy in (False, True):
            moved, chance = cells(count, heavy, 10 * resamples)
            yield [f"{count:,} groups", "Pareto, 2.5" if heavy else "0 to 10", f"{moved:.3f}", f"{chance:.3f}"]


def main(
    simulations: Annotated[int, typer.Option(min=1)] = 1_000, resamples: Annotated[int, typer.Option(min=1)] = 10_000
) -> None:
    tables = {
        ("coverage of 95 %", "scores", *KINDS): _coverages(simulations, resamples),
        ("false positives at 5 %", "differences", "clustered", "not"): _false_positives(simulations, resamples),
        ("a detectable difference is found", "of the whole", "macro"): _detected(4 * simulations, resamples // 10),
        ("ends move by, in standard errors", "scores", "cells", "seed"): _cells(resamples),
    }
    for header, rows in tables.items():
        console.show(console.escaped_table(header, list(rows)))


if __name__ == "__main__":
    typer.run(main)
