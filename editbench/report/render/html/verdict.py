"""Which of two runs is better, and whether that is more than chance: the comparisons of report.json in one sentence each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from editbench.report.records.runs import MACRO_MEAN
from editbench.report.statistics.power import LEAST_GROUPS

SURE = 0.05
"""A difference is said to be shown below this p, if its 95 % interval leaves out zero too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairVerdict:
    """What a comparison of two runs says of the headline number."""

    better: str
    """The label of the run that is ahead, however little."""
    worse: str
    difference: float
    """Better run minus worse one."""
    interval: tuple[float, float] | None
    p: float | None
    detectable: float | None
    """The smallest true difference that so many groups show four times out of five."""
    few_groups: int | None
    """Number of groups, where they are too few to show any difference."""
    significant: bool
    """Whether the difference can be told from none."""


def verdicts(document: Mapping[str, Any]) -> list[PairVerdict]:
    """A verdict for each comparison of report.json; those of the runs that lead come first."""
    headlines = {run["label"]: run["headline"]["name"] for run in document["runs"]}
    order = {standing["label"]: index for index, standing in enumerate(document["leaderboards"])}
    verdicts = []
    for comparison in document["comparisons"]:
        row = comparison["rows"]["macro" if headlines[comparison["runs"][0]] == MACRO_MEAN else "overall"]
        if row and row["difference"] is not None:
            verdicts.append(_verdict(comparison["runs"], row))
    return sorted(verdicts, key=lambda verdict: sorted((order[verdict.better], order[verdict.worse])))


def _verdict(labels: Sequence[str], row: Mapping[str, Any]) -> PairVerdict:
    worse, better = labels
    difference, interval = row["difference"], row["interval"]
    if difference < 0:
        worse, better, difference, interval = better, worse, -difference, interval and (-interval[1], -interval[0])
    return PairVerdict(
        better=better,
        worse=worse,
        difference=difference,
        interval=interval,
        p=row["p"],
        detectable=row["detectable"],
        few_groups=row["groups"] if row["groups"] < LEAST_GROUPS else None,
        significant=row["p"] is not None and row["p"] < SURE and interval is not None and interval[0] > 0,
    )
