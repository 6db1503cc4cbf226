"""Which of two runs is better, and whether that is more than chance: the comparisons of report.json in one sentence each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from editbench.report.statistics.power import LEAST_GROUPS

SURE = 0.05
"""A difference is said to be shown below this p, if its 95 % interval leaves out zero too."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison of two runs says of the headline number."""

    better: str
    """The label of the run that is ahead, however little."""
    worse: str
    by: float
    interval: tuple[float, float] | None
    p: float | None
    detectable: float | None
    """The smallest true difference that so many groups show four times out of five."""
    few: int | None
    """Groups, where they are too few to show any difference."""
    shown: bool
    """Whether it can be told from none."""


def verdicts(document: Mapping[str, Any]) -> list[Verdict]:
    """One a comparison; those of the runs that lead come first."""
    kinds = {run["label"]: run["headline"]["name"] for run in document["runs"]}
    places = {place["label"]: number for number, place in enumerate(document["leaderboards"])}
    found = ((comparison["runs"], _headline_row(comparison, kinds)) for comparison in document["comparisons"])
    told = [_verdict(*labels, row) for labels, row in found if row]
    return sorted(told, key=lambda verdict: sorted((places[verdict.better], places[verdict.worse])))


def _headline_row(comparison: Mapping[str, Any], kinds: Mapping[str, str]) -> Mapping[str, Any] | None:
    row = comparison["rows"]["macro" if kinds[comparison["runs"][0]] == "macro mean" else "overall"]
    return row if row and row["difference"] is not None else None


def _verdict(first: str, second: str, row: Mapping[str, Any]) -> Verdict:
    by, interval = row["difference"], row["interval"]
    if by < 0:
        first, second, by, interval = second, first, -by, interval and (-interval[1], -interval[0])
    few = row["groups"] if row["groups"] < LEAST_GROUPS else None
    shown = row["p"] is not None and row["p"] < SURE and interval is not None and interval[0] > 0
    return Verdict(second, first, by, interval, row["p"], row["detectable"], few, shown)
