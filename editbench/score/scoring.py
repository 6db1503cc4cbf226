"""From the criteria of one sample to its score: the steps of a rubric, and its formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from editbench.score.formula import Formula, FormulaError

ALL = "all"
PLACES = ("first", "second", "third", "fourth", "fifth")
"""In a formula: the criteria of a sample in the order they are asked for."""

_TOLERANCE = 1e-9  # of a sum of weighted criteria


class Unscorable(ValueError):
    """What is wrong with a formula, or with its value; `key`: where the rubric has it."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(problem)
        self.key = key


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """`scale`: the lowest and the highest score. `steps`: numbers on the way there, each from those before it."""

    scale: tuple[int, int]
    steps: Mapping[str, Formula]
    formula: Formula

    def context(self, criteria: Mapping[str, float], facts: Mapping[str, Any]) -> dict[str, Any]:
        """All that formulas see: criteria in the order asked, facts of the sample, and the steps. Raises Unscorable."""
        values = [*criteria.values()]
        context = {**facts, **dict(zip(PLACES, values, strict=False)), **criteria, ALL: values}
        for name, formula in self.steps.items():
            context[name] = _evaluate(f"steps.{name}", formula, context)
        return context

    def score(self, criteria: Mapping[str, float], facts: Mapping[str, Any]) -> float:
        """Raises Unscorable when a criterion is missing or the result is no number of the scale."""
        value, (low, high) = _evaluate("score", self.formula, self.context(criteria, facts)), self.scale
        if not low - _TOLERANCE <= value <= high + _TOLERANCE:
            raise Unscorable("score", f"{value:g} is not on the scale {low}..{high}")
        return min(max(value, float(low)), float(high))


def _evaluate(key: str, formula: Formula, context: Mapping[str, Any]) -> float:
    try:
        return formula(context)
    except FormulaError as error:
        raise Unscorable(key, str(error)) from None
