"""From the criteria of one sample to its score: the steps of a rubric, and its formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from editbench.score.rubric.formula import Formula, FormulaError

ALL = "all"
ORDINALS = ("first", "second", "third", "fourth", "fifth")
"""In a formula: the criteria of a sample in the order they are asked for."""

_TOLERANCE = 1e-9  # of a sum of weighted criteria


class Unscorable(ValueError):
    """What is wrong with a formula, or with its value; `key`: where the rubric has it."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(problem)
        self.key = key


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """How a sample's criteria become its score. `scale`: the lowest and the highest score. `steps`: numbers on the way there,
    each from those before it."""

    scale: tuple[int, int]
    steps: Mapping[str, Formula]
    formula: Formula

    def context(self, criteria: Mapping[str, float | None], facts: Mapping[str, Any]) -> dict[str, Any]:
        """All names that formulas know: criteria in the order asked (None: not known), facts of the sample, and the steps.

        Raises Unscorable.
        """
        named = {**dict(zip(ORDINALS, criteria.values(), strict=False)), **criteria}
        known = {name: value for name, value in named.items() if value is not None}
        context = {**facts, **known, ALL: [value for value in criteria.values() if value is not None]}
        for name, formula in self.steps.items():
            context[name] = _evaluate(f"steps.{name}", formula, context)
        return context

    def score(self, criteria: Mapping[str, float | None], facts: Mapping[str, Any]) -> float:
        """The score, clamped to the scale. Raises Unscorable when a criterion is missing or the result is no number of it."""
        value, (low, high) = _evaluate("score", self.formula, self.context(criteria, facts)), self.scale
        if not low - _TOLERANCE <= value <= high + _TOLERANCE:
            raise Unscorable("score", f"{value:g} is not on the scale {low}..{high}")
        return min(max(value, float(low)), float(high))


def _evaluate(key: str, formula: Formula, context: Mapping[str, Any]) -> float:
    try:
        return formula(context)
    except FormulaError as error:
        raise Unscorable(key, str(error)) from None
