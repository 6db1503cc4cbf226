"""The distribution over a criterion's answers, from the most likely tokens that a server tells where the answer stands.

Tokens that it does not tell count as impossible, so that the mass is a lower bound. Where the tokenizer splits numbers into
digits, 1 and 10 are told apart as in the in-process judge (see `score.readout`); where "10" is a token, it has its own
probability.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from editbench.score.criteria import Criterion
from editbench.score.readout import distribution, reaches_ten
from editbench.score.replies.positions import answer_offsets
from editbench.score.served.completion import Position

LEAST = 1e-4
"""Probability of "1" from which on it matters what comes behind it: less moves a mean by less than 0.001."""


def numbers(position: Position) -> dict[str, float]:
    """The probabilities of the numbers that may be written there, a blank before them or not."""
    known: dict[str, float] = defaultdict(float)
    for entry in position.top_logprobs:
        if (text := entry.token.strip()).isascii() and text.isdecimal():
            known[text] += math.exp(min(entry.logprob, 0.0))
    return dict(known)


def undecided(criterion: Criterion, known: Mapping[str, float]) -> bool:
    """Whether it takes what comes behind a "1" to tell 1 from 10."""
    split = all(len(number) == 1 for number in known)
    return reaches_ten(criterion) and split and known.get("1", 0.0) >= LEAST


def answers(criterion: Criterion, known: Mapping[str, float], zero: float) -> tuple[float, ...]:
    """Probabilities of the criterion's answers, lowest to highest. `zero`: P("0" | "1"), where digits are split."""
    digits = [known.get(str(digit), 0.0) for digit in range(10)]
    if "10" in known and reaches_ten(criterion):
        return (*digits, known["10"])[criterion.lowest :]
    return distribution(criterion, digits, zero)


def answer_index(positions: Sequence[Position], criterion: Criterion) -> int | None:
    """Which token of a whole reply begins the criterion's answer; None where no answer can be read."""
    offset = answer_offsets("".join(position.token for position in positions), (criterion,)).get(criterion.name)
    if offset is None:
        return None
    end = 0
    for index, position in enumerate(positions):
        end += len(position.token)
        if offset < end:
            return index
    return None
