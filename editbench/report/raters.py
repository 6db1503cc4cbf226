"""Raters of one set of edits (runs of judges, and people), every pair of them, and the samples they dispute most.

Scores on different scales are compared on 0..1: each is taken linearly from its own rater's scale, which is the rubric's, the
one given with the ratings, or else the span of the scores observed. Only alpha and the differences depend on it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import orjson

from editbench.errors import UserError
from editbench.paths import ScorePaths
from editbench.report import agreement, ratings
from editbench.report.agreement import Agreement
from editbench.report.ratings import Ratings
from editbench.report.rounding import DECIMALS, estimate
from editbench.report.rows import Scale
from editbench.report.runs import Run
from editbench.report.stats import Floats

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
    """Two raters on the samples that both scored."""

    raters: tuple[Rater, Rater]
    n: int
    groups: int
    rescaled: bool
    """Whether the raters' scales differ."""
    agreement: Agreement
    disputed: Sequence[Dispute]
    """The largest differences first; equal ones by key. Empty when a scale is not known."""


@dataclass(frozen=True, slots=True)
class _Rated:
    rater: Rater
    scores: Mapping[str, float]
    """By key, rounded to DECIMALS: those that look alike are tied."""


def compare(runs: Mapping[str, Run], given: Sequence[str] = ()) -> list[Pair]:
    """Every pair of raters of the same edits: of `runs` (by label) and of the ratings in the files `given` (see `ratings`).

    Raises:
        UserError: a bad file of ratings, one whose name another rater has, or ratings for runs of several sets of edits.
    """
    people = _people(runs, given)
    return [pair for together in _sets(runs) if len(together) + len(people) > 1 for pair in _pairs(together, people)]


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
    people = [ratings.read(text, known) for text in given]
    names = [*runs, *(each.name for each in people)]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise UserError(f"two raters are called {', '.join(twice)}", "Name the ratings: --ratings NAME=FILE.csv.")
    return people


def _pairs(runs: Mapping[str, Run], people: Iterable[Ratings]) -> list[Pair]:
    raters = [*(_judge(label, run) for label, run in runs.items()), *map(_person, people)]
    groups, categories = _facts(runs.values())
    pairs = [_pair(first, second, groups, categories) for first, second in combinations(raters, 2)]
    return _with_responses(pairs, runs)


def _judge(label: str, run: Run) -> _Rated:
    table = run.rows
    scored = np.flatnonzero(table.scored).tolist()
    values = np.round(table.score, DECIMALS).tolist()
    return _rated(label, "run", run.facts.rubric.scale, "rubric", {table.keys[place]: values[place] for place in scored})


def _person(people: Ratings) -> _Rated:
    scores = {key: round(score, DECIMALS) for key, score in people.scores.items()}
    return _rated(people.name, "ratings", people.scale, "given", scores)


def _rated(name: str, kind: str, scale: Scale | None, scale_from: str, scores: Mapping[str, float]) -> _Rated:
    if scale is None:
        low, high = min(scores.values(), default=0.0), max(scores.values(), default=0.0)
        scale, scale_from = (low, high) if low < high else None, "observed"
    return _Rated(Rater(name, kind, scale, scale_from), scores)


def _facts(runs: Iterable[Run]) -> tuple[dict[str, str], dict[str, str]]:
    """Of every key: its group's name, and its category's."""
    groups: dict[str, str] = {}
    categories: dict[str, str] = {}
    for run in runs:
        table = run.rows
        groups |= {key: table.group_names[code] for key, code in zip(table.keys, table.group.tolist(), strict=True)}
        categories |= {key: table.categories[code] for key, code in zip(table.keys, table.category.tolist(), strict=True)}
    return groups, categories


def _pair(first: _Rated, second: _Rated, groups: Mapping[str, str], categories: Mapping[str, str]) -> Pair:
    keys = [key for key in first.scores if key in second.scores]
    scores = [np.array([each.scores[key] for key in keys], dtype=np.float64) for each in (first, second)]
    names = {name: code for code, name in enumerate(sorted({groups[key] for key in keys}))}
    codes = np.array([names[groups[key]] for key in keys], dtype=np.int64)
    scales = first.rater.scale, second.rater.scale
    units = None if None in scales else np.stack([_rescale(*each) for each in zip(scores, scales, strict=True)], axis=1)
    return Pair(
        raters=(first.rater, second.rater),
        n=len(keys),
        groups=len(names),
        rescaled=scales[0] != scales[1],
        agreement=_rounded(agreement.agree(*scores, codes, units)),
        disputed=[] if units is None else _disputed(keys, scores, units, categories),
    )


def _rescale(scores: Floats, scale: Scale) -> Floats:
    return (scores - scale[0]) / (scale[1] - scale[0])


def _disputed(keys: Sequence[str], scores: Sequence[Floats], units: Floats, categories: Mapping[str, str]) -> list[Dispute]:
    differences = np.round(np.abs(units[:, 0] - units[:, 1]), DECIMALS).tolist()
    places = sorted((-difference, keys[place], place) for place, difference in enumerate(differences) if difference)
    return [
        Dispute(key, categories[key], (float(scores[0][place]), float(scores[1][place])), -difference)
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
    if not keys:
        return {}
    with open(ScorePaths(run.root).scores, "rb") as file:
        rows = (orjson.loads(line) for line in file)
        return {row["key"]: _start(str(row.get("response") or "")) for row in rows if row["key"] in keys}


def _start(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= START else line[:START] + "..."


def _rounded(found: Agreement) -> Agreement:
    each = (getattr(found, name) for name in agreement.STATISTICS)
    return Agreement(*(estimate(statistic.value, statistic.interval) for statistic in each))
