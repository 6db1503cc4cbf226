"""Raters of one set of edits (runs of judges, and people), every pair of them and all together, and what they dispute most.

Scores on different scales are compared on 0..1: each is taken linearly from its own rater's scale, which is the rubric's, the
one given with the ratings, or else the span of the scores observed. Only the alphas and the differences depend on it.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import TypeVar

import msgspec
import numpy as np

from editbench.errors import UserError
from editbench.paths import ScorePaths
from editbench.report.records import ratings, rows
from editbench.report.records.ratings import SCORE, Ratings
from editbench.report.records.rows import Scale
from editbench.report.records.runs import Run
from editbench.report.statistics import agreement
from editbench.report.statistics.agreement import Agreement, Reliability
from editbench.report.statistics.clustered import Codes, Floats
from editbench.report.statistics.rounding import DECIMALS, estimate

_Found = TypeVar("_Found", Agreement, Reliability)

DISPUTED = 20
START = 200
"""Characters of a response that are shown."""


@dataclass(frozen=True, slots=True)
class Rater:
    name: str
    kind: str
    """`run` or `ratings`."""
    scale: Scale | None
    """None when it can't be known: all scores are the same."""
    scale_from: str
    """`rubric`, `given` or `observed`."""

    def __str__(self) -> str:
        span = (
            "one score only, no scale" if self.scale is None else f"{self.scale[0]:g} to {self.scale[1]:g} ({self.scale_from})"
        )
        return f"{self.name}: {span}"


@dataclass(frozen=True, slots=True)
class Dispute:
    """A sample that two raters see differently."""

    key: str
    category: str
    scores: tuple[float, float]
    """Each on its rater's own scale."""
    difference: float
    """On 0..1, never 0."""
    responses: tuple[str, str] = ("", "")
    """How each began what it wrote; empty for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two raters on the samples that both rated."""

    raters: tuple[Rater, Rater]
    measure: str
    """What they rated: `score`, or a criterion or a step of the rubric."""
    n: int
    groups: int
    rescaled: bool
    """Whether the raters' scales differ."""
    agreement: Agreement
    disputed: Sequence[Dispute]
    """The largest differences first; equal ones by key. Empty when a scale is not known."""

    def __str__(self) -> str:
        return _named(" and ".join(rater.name for rater in self.raters), self.measure)


@dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """More than two raters on the samples that at least two of them rated."""

    raters: Sequence[Rater]
    measure: str
    n: int
    groups: int
    reliability: Reliability
    """On 0..1 of each rater's scale; undefined when a scale is not known."""

    def __str__(self) -> str:
        return _named(", ".join(rater.name for rater in self.raters), self.measure)


@dataclass(frozen=True, slots=True)
class _Rated:
    rater: Rater
    ratings: Mapping[str, float]
    """By key, rounded to DECIMALS: those that look alike are tied."""


class _Written(msgspec.Struct):
    """What a judge wrote of a sample, in a row of scores.jsonl."""

    key: str
    response: str = ""


@dataclass(frozen=True, slots=True)
class _Facts:
    """Of the samples, by key."""

    group: Mapping[str, str]
    category: Mapping[str, str]


def compare(runs: Mapping[str, Run], given: Sequence[str] = ()) -> tuple[list[Pair], list[Several]]:
    """Every pair of raters of the same edits, and all of them where they are more than two: of `runs` (by label) and of the
    ratings in the files `given` (see `ratings`), on the score and on each criterion or step that people rated.

    Raises:
        UserError: a bad file of ratings, one whose name another rater has, or ratings for runs of several sets of edits.
    """
    people = _people(runs, given)
    measures = dict.fromkeys((SCORE, *(measure for each in people for measure in each.ratings)))
    pairs: list[Pair] = []
    several: list[Several] = []
    for together in _sets(runs):
        facts = _facts(together.values())
        for measure in measures:
            raters = [*_judges(together, measure), *_persons(people, measure)]
            pairs += [_pair(*two, measure, facts) for two in combinations(raters, 2)]
            several += [_several(raters, measure, facts)] if len(raters) > 2 else []
    return _with_responses(pairs, runs), several


def scales(pairs: Sequence[Pair]) -> list[str]:
    """Each rater with its scale, in words."""
    return list(dict.fromkeys(_named(str(rater), pair.measure) for pair in pairs for rater in pair.raters))


def _named(text: str, measure: str) -> str:
    return text if measure == SCORE else f"{measure}: {text}"


def _sets(runs: Mapping[str, Run]) -> list[dict[str, Run]]:
    """The runs by the edits they are of; a run that doesn't tell its edits stands alone."""
    sets: dict[tuple[str, str], dict[str, Run]] = defaultdict(dict)
    for label, run in runs.items():
        sets[run.facts.edits, "" if run.facts.edits else label][label] = run
    return list(sets.values())


def _people(runs: Mapping[str, Run], given: Sequence[str]) -> list[Ratings]:
    if not given:
        return []
    if (count := len(_sets(runs))) > 1:
        remedy = "Report on the score folders of the rated edits alone."
        raise UserError(f"--ratings: the score folders are of {count} sets of edits, and a key doesn't tell which", remedy)
    known = {key for run in runs.values() for key in run.rows.keys}
    criteria = dict.fromkeys(name for run in runs.values() for name in (*run.rows.criteria, *run.rows.steps))
    people = [ratings.read(text, known, criteria) for text in given]
    names = [*runs, *(each.name for each in people)]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise UserError(f"two raters are called {', '.join(twice)}", "Name the ratings: --ratings NAME=FILE.csv.")
    return people


def _judges(runs: Mapping[str, Run], measure: str) -> Iterator[_Rated]:
    for label, run in runs.items():
        values, scale = _measured(run, measure)
        if values is not None:
            known, rounded = np.flatnonzero(~np.isnan(values)).tolist(), np.round(values, DECIMALS).tolist()
            yield _rated(label, "run", scale, "rubric", {run.rows.keys[place]: rounded[place] for place in known})


def _measured(run: Run, measure: str) -> tuple[Floats | None, Scale | None]:
    """The values of a run, shape (n,), and the range that the rubric tells of them, which it does not of a step."""
    if measure == SCORE:
        return run.rows.score, run.facts.rubric.scale
    return {**run.rows.steps, **run.rows.criteria}.get(measure), run.facts.rubric.criteria.get(measure)


def _persons(people: Iterable[Ratings], measure: str) -> Iterator[_Rated]:
    for each in people:
        if measure in each.ratings:
            values = {key: round(value, DECIMALS) for key, value in each.ratings[measure].items()}
            yield _rated(each.name, "ratings", each.scale, "given", values)


def _rated(name: str, kind: str, scale: Scale | None, scale_from: str, scores: Mapping[str, float]) -> _Rated:
    if scale is None:
        low, high = min(scores.values(), default=0.0), max(scores.values(), default=0.0)
        scale, scale_from = (low, high) if low < high else None, "observed"
    return _Rated(Rater(name, kind, scale, scale_from), scores)


def _facts(runs: Iterable[Run]) -> _Facts:
    facts = _Facts({}, {})
    for run in runs:
        table = run.rows
        facts.group.update(zip(table.keys, map(table.group_names.__getitem__, table.group.tolist()), strict=True))
        facts.category.update(zip(table.keys, map(table.categories.__getitem__, table.category.tolist()), strict=True))
    return facts


def _pair(first: _Rated, second: _Rated, measure: str, facts: _Facts) -> Pair:
    keys = [key for key in first.ratings if key in second.ratings]
    ratings, (groups, codes) = _ratings((first, second), keys), _groups(keys, facts)
    units = _on_one_scale((first, second), ratings)
    scales = first.rater.scale, second.rater.scale
    return Pair(
        raters=(first.rater, second.rater),
        measure=measure,
        n=len(keys),
        groups=groups,
        rescaled=scales[0] != scales[1],
        agreement=_rounded(agreement.agree(*ratings.T, codes, units)),
        disputed=[] if units is None else _disputed(keys, ratings, units, facts),
    )


def _several(raters: Sequence[_Rated], measure: str, facts: _Facts) -> Several:
    times = Counter(key for each in raters for key in each.ratings)
    keys = [key for key, count in times.items() if count > 1]
    ratings, (groups, codes) = _ratings(raters, keys), _groups(keys, facts)
    units = _on_one_scale(raters, ratings)
    found = agreement.reliability(np.full_like(ratings, np.nan) if units is None else units, codes)
    return Several(
        raters=[each.rater for each in raters], measure=measure, n=len(keys), groups=groups, reliability=_rounded(found)
    )


def _ratings(raters: Sequence[_Rated], keys: Sequence[str]) -> Floats:
    """Shape (keys, raters), each on its rater's own scale; NaN where there is none."""
    return np.array([[each.ratings.get(key, math.nan) for each in raters] for key in keys]).reshape(len(keys), len(raters))


def _groups(keys: Sequence[str], facts: _Facts) -> tuple[int, Codes]:
    """How many groups the samples are of, and the number of each one's, by name."""
    numbers = {name: number for number, name in enumerate(sorted({facts.group[key] for key in keys}))}
    return len(numbers), np.array([numbers[facts.group[key]] for key in keys], dtype=np.int64)


def _on_one_scale(raters: Sequence[_Rated], ratings: Floats) -> Floats | None:
    """The ratings on 0..1 of each rater's scale; None where one is not known."""
    if any(each.rater.scale is None for each in raters):
        return None
    low, high = np.array([each.rater.scale for each in raters]).T
    return (ratings - low) / (high - low)


def _disputed(keys: Sequence[str], ratings: Floats, units: Floats, facts: _Facts) -> list[Dispute]:
    differences = np.round(np.abs(units[:, 0] - units[:, 1]), DECIMALS).tolist()
    places = sorted((-difference, keys[place], place) for place, difference in enumerate(differences) if difference)
    return [
        Dispute(key, facts.category[key], tuple(ratings[place].tolist()), -difference)
        for difference, key, place in places[:DISPUTED]
    ]


def _with_responses(pairs: Sequence[Pair], runs: Mapping[str, Run]) -> list[Pair]:
    wanted: dict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        for rater in pair.raters:
            wanted[rater.name] |= {dispute.key for dispute in pair.disputed}
    starts = {label: _responses(run, wanted[label]) for label, run in runs.items()}
    return [replace(pair, disputed=[_quoted(pair, dispute, starts) for dispute in pair.disputed]) for pair in pairs]


def _quoted(pair: Pair, dispute: Dispute, starts: Mapping[str, Mapping[str, str]]) -> Dispute:
    first, second = (starts.get(rater.name, {}).get(dispute.key, "") for rater in pair.raters)
    return replace(dispute, responses=(first, second))


def _responses(run: Run, keys: Set[str]) -> dict[str, str]:
    """How the judge's words on these samples start, on one line. They are not kept with the rows: they are most of the file."""
    written = rows.entries(ScorePaths(run.root).scores, _Written) if keys else ()
    return {row.key: _start(row.response) for row in written if row.key in keys}


def _start(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= START else line[:START] + "..."


def _rounded(found: _Found) -> _Found:
    each = {field.name: getattr(found, field.name) for field in fields(found)}
    return replace(found, **{name: estimate(statistic.value, statistic.interval) for name, statistic in each.items()})
