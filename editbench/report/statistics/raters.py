"""Raters of one set of edits (runs of judges, and people), every pair of them and all together, and what they dispute most.

Scores on different scales are compared on 0..1: each is taken linearly from its own rater's scale, which is the rubric's, the
one given with the ratings, or else the span of the scores observed. Only the alphas and the differences depend on it.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import combinations
from typing import TypeVar

import msgspec
import numpy as np

from editbench.errors import UserError
from editbench.paths import ScorePaths
from editbench.report.records import ratings, rows
from editbench.report.records.ratings import SCORE, Ratings
from editbench.report.records.rows import Scale
from editbench.report.records.runs import ScoredRun
from editbench.report.statistics import agreement
from editbench.report.statistics.agreement import Agreement, Reliability
from editbench.report.statistics.clustered import Codes, Floats
from editbench.report.statistics.rounding import DECIMALS, rounded_estimate

Statistics = TypeVar("Statistics", Agreement, Reliability)

DISPUTED = 20
"""Samples that are shown of each pair of raters, at most."""
QUOTED = 200
"""Characters of a response that are shown."""


@dataclass(frozen=True, slots=True)
class Rater:
    """A run's judge, or people, and the scale that they rate on."""

    name: str
    kind: str
    """`run` or `ratings`."""
    scale: Scale | None
    """Lowest and highest score; None when it can't be known, since all scores are the same."""
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
    """The two scores, each on its rater's own scale."""
    difference: float
    """Absolute difference of the scores when each scale is brought to 0..1; never 0."""
    responses: tuple[str, str] = ("", "")
    """How each began what it wrote; empty for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RaterPair:
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
class RaterSet:
    """More than two raters on the samples that at least two of them rated."""

    raters: Sequence[Rater]
    measure: str
    n: int
    groups: int
    reliability: Reliability
    """Agreement of ratings on 0..1 of each rater's scale; undefined when a scale is not known."""

    def __str__(self) -> str:
        return _named(", ".join(rater.name for rater in self.raters), self.measure)


@dataclass(frozen=True, slots=True)
class _Rated:
    """What a rater rated."""

    rater: Rater
    ratings: Mapping[str, float]
    """Ratings by key, rounded to DECIMALS: those that look alike are tied."""


class _Written(msgspec.Struct):
    """What a judge wrote of a sample, in a row of scores.jsonl."""

    key: str
    response: str = ""


@dataclass(frozen=True, slots=True)
class _SampleFacts:
    """Name of the group and of the category of each sample, by key."""

    group: dict[str, str] = field(default_factory=dict)
    category: dict[str, str] = field(default_factory=dict)


def compare(runs: Mapping[str, ScoredRun], files: Sequence[str] = ()) -> tuple[list[RaterPair], list[RaterSet]]:
    """Every pair of raters of the same edits, and all of them where they are more than two: of `runs` (by label) and of the
    ratings in `files` (see `ratings`), on the score and on each criterion or step that people rated.

    Raises:
        UserError: a bad file of ratings, one whose name another rater has, or ratings for runs of several sets of edits.
    """
    people = _people(runs, files)
    measures = dict.fromkeys((SCORE, *(measure for person in people for measure in person.ratings)))
    pairs: list[RaterPair] = []
    sets: list[RaterSet] = []
    for same_edits in _by_edits(runs):
        facts = _facts(same_edits.values())
        for measure in measures:
            raters = [*_judges(same_edits, measure), *_persons(people, measure)]
            pairs += [_pair(first, second, measure, facts) for first, second in combinations(raters, 2)]
            sets += [_set(raters, measure, facts)] if len(raters) > 2 else []
    return _with_responses(pairs, runs), sets


def scales(pairs: Sequence[RaterPair]) -> list[str]:
    """A text on each rater's scale."""
    return list(dict.fromkeys(_named(str(rater), pair.measure) for pair in pairs for rater in pair.raters))


def _named(text: str, measure: str) -> str:
    return text if measure == SCORE else f"{measure}: {text}"


def _by_edits(runs: Mapping[str, ScoredRun]) -> list[dict[str, ScoredRun]]:
    """The runs by the edits they are of; a run that doesn't tell its edits stands alone."""
    sets: dict[tuple[str, str], dict[str, ScoredRun]] = defaultdict(dict)
    for label, run in runs.items():
        sets[run.facts.edits, "" if run.facts.edits else label][label] = run
    return list(sets.values())


def _people(runs: Mapping[str, ScoredRun], files: Sequence[str]) -> list[Ratings]:
    if not files:
        return []
    if (count := len(_by_edits(runs))) > 1:
        remedy = "Report on the score folders of the rated edits alone."
        raise UserError(f"--ratings: the score folders are of {count} sets of edits, and a key doesn't tell which", remedy)
    known = {key for run in runs.values() for key in run.rows.keys}
    criteria = dict.fromkeys(name for run in runs.values() for name in (*run.rows.criteria, *run.rows.steps))
    people = [ratings.read(file, known, criteria) for file in files]
    names = [*runs, *(person.name for person in people)]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise UserError(f"two raters are called {', '.join(twice)}", "Name the ratings: --ratings NAME=FILE.csv.")
    return people


def _judges(runs: Mapping[str, ScoredRun], measure: str) -> Iterator[_Rated]:
    for label, run in runs.items():
        values, scale = _measured(run, measure)
        if values is not None:
            known, rounded = np.flatnonzero(~np.isnan(values)).tolist(), np.round(values, DECIMALS).tolist()
            yield _rated(label, "run", scale, "rubric", {run.rows.keys[row]: rounded[row] for row in known})


def _measured(run: ScoredRun, measure: str) -> tuple[Floats | None, Scale | None]:
    """The values of a run, shape (n,), and the range that the rubric tells of them, which it does not of a step."""
    if measure == SCORE:
        return run.rows.score, run.facts.rubric.scale
    return {**run.rows.steps, **run.rows.criteria}.get(measure), run.facts.rubric.criteria.get(measure)


def _persons(people: Iterable[Ratings], measure: str) -> Iterator[_Rated]:
    for person in people:
        if measure in person.ratings:
            values = {key: round(value, DECIMALS) for key, value in person.ratings[measure].items()}
            yield _rated(person.name, "ratings", person.scale, "given", values)


def _rated(name: str, kind: str, scale: Scale | None, scale_from: str, scores: Mapping[str, float]) -> _Rated:
    if scale is None:
        low, high = min(scores.values(), default=0.0), max(scores.values(), default=0.0)
        scale, scale_from = (low, high) if low < high else None, "observed"
    return _Rated(Rater(name, kind, scale, scale_from), scores)


def _facts(runs: Iterable[ScoredRun]) -> _SampleFacts:
    facts = _SampleFacts()
    for run in runs:
        rows = run.rows
        facts.group.update(zip(rows.keys, map(rows.group_names.__getitem__, rows.group.tolist()), strict=True))
        facts.category.update(zip(rows.keys, map(rows.categories.__getitem__, rows.category.tolist()), strict=True))
    return facts


def _pair(first: _Rated, second: _Rated, measure: str, facts: _SampleFacts) -> RaterPair:
    keys = [key for key in first.ratings if key in second.ratings]
    ratings, (groups, codes) = _ratings((first, second), keys), _groups(keys, facts)
    units = _on_one_scale((first, second), ratings)
    scales = first.rater.scale, second.rater.scale
    return RaterPair(
        raters=(first.rater, second.rater),
        measure=measure,
        n=len(keys),
        groups=groups,
        rescaled=scales[0] != scales[1],
        agreement=_rounded(agreement.agree(ratings[:, 0], ratings[:, 1], codes, units)),
        disputed=[] if units is None else _disputed(keys, ratings, units, facts),
    )


def _set(raters: Sequence[_Rated], measure: str, facts: _SampleFacts) -> RaterSet:
    times = Counter(key for rated in raters for key in rated.ratings)
    keys = [key for key, count in times.items() if count > 1]
    ratings, (groups, codes) = _ratings(raters, keys), _groups(keys, facts)
    units = _on_one_scale(raters, ratings)
    reliability = agreement.reliability(np.full_like(ratings, np.nan) if units is None else units, codes)
    return RaterSet(
        raters=[rated.rater for rated in raters], measure=measure, n=len(keys), groups=groups, reliability=_rounded(reliability)
    )


def _ratings(raters: Sequence[_Rated], keys: Sequence[str]) -> Floats:
    """Ratings on each rater's own scale, shape (keys, raters); NaN where there is none."""
    return np.array([[rated.ratings.get(key, math.nan) for rated in raters] for key in keys]).reshape(len(keys), len(raters))


def _groups(keys: Sequence[str], facts: _SampleFacts) -> tuple[int, Codes]:
    """How many groups the samples are of, and the index of each sample's group among their names, shape (keys,)."""
    index = {name: code for code, name in enumerate(sorted({facts.group[key] for key in keys}))}
    return len(index), np.array([index[facts.group[key]] for key in keys], dtype=np.int64)


def _on_one_scale(raters: Sequence[_Rated], ratings: Floats) -> Floats | None:
    """The ratings on 0..1 of each rater's scale, shape (keys, raters); None where a scale is not known."""
    if any(rated.rater.scale is None for rated in raters):
        return None
    low, high = np.array([rated.rater.scale for rated in raters]).T
    return (ratings - low) / (high - low)


def _disputed(keys: Sequence[str], ratings: Floats, units: Floats, facts: _SampleFacts) -> list[Dispute]:
    differences = np.round(np.abs(units[:, 0] - units[:, 1]), DECIMALS).tolist()
    ordered = sorted((-difference, keys[row], row) for row, difference in enumerate(differences) if difference)
    return [
        Dispute(key, facts.category[key], (float(ratings[row, 0]), float(ratings[row, 1])), -difference)
        for difference, key, row in ordered[:DISPUTED]
    ]


def _with_responses(pairs: Sequence[RaterPair], runs: Mapping[str, ScoredRun]) -> list[RaterPair]:
    """The pairs, with how the judges' replies on the disputed samples start."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        for rater in pair.raters:
            wanted[rater.name] |= {dispute.key for dispute in pair.disputed}
    starts = {
        (label, row.key): _start(row.response)
        for label, run in runs.items()
        if wanted[label]  # replies are not kept with the rows: they are most of the file
        for row in rows.entries(ScorePaths(run.root).scores, _Written)
        if row.key in wanted[label]
    }

    def quoted(pair: RaterPair, dispute: Dispute) -> Dispute:
        first, second = (starts.get((rater.name, dispute.key), "") for rater in pair.raters)
        return replace(dispute, responses=(first, second))

    return [replace(pair, disputed=[quoted(pair, dispute) for dispute in pair.disputed]) for pair in pairs]


def _start(text: str) -> str:
    """The first QUOTED characters, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= QUOTED else line[:QUOTED] + "..."


def _rounded(statistics: Statistics) -> Statistics:
    estimates = {entry.name: getattr(statistics, entry.name) for entry in fields(statistics)}
    return replace(statistics, **{name: rounded_estimate(each.value, each.interval) for name, each in estimates.items()})
