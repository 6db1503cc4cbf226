"""The judge's distribution over the answers that a criterion allows, from one forward pass and without sampling.

Qwen's tokenizer splits numbers into digits: "10" is "1", "0". So where the answers reach 10 one more position is read, the one
behind a "1" that is appended, and 1 and 10 are told apart:

    P(10) = P("1") P("0" | "1")        P(1) = P("1") (1 - P("0" | "1"))        P(d) = P("d") for the other digits

The mean of this distribution agrees with human judgement better than its mode, the score that greedy decoding writes, in most
published comparisons (arXiv 2503.03064: 92 of 120).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from editbench.score.criteria import Criterion

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase


HIGHEST = 10
"""Of the answers with two digits only 10 is read."""


@dataclass(frozen=True, slots=True)
class ScoreTokens:
    """The token ids of the digits 0..9."""

    digits: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> ScoreTokens | None:
        """None when the tokenizer does not split numbers into single digits."""
        digits, ten = _encoded(tokenizer, "")
        if any(len(tokens) != 1 for tokens in digits):
            # SentencePiece begins a text with a blank of its own (Llama 2, Mistral): here it stands before the sign.
            digits, ten = _encoded(tokenizer, "=")
        if any(len(tokens) != 1 for tokens in digits) or ten != digits[1] + digits[0]:
            return None
        return cls(tuple(tokens[0] for tokens in digits))

    @property
    def one(self) -> int:
        """What is appended where an answer may be 10, so that the position behind it tells."""
        return self.digits[1]

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probabilities of the digits out of the whole vocabulary: (..., vocabulary) to (..., 10), softmax in float32."""
        import torch

        probabilities = logits.float().softmax(-1)
        # An index made of a list would be copied to the device, which the host waits for.
        return torch.stack([probabilities[..., token] for token in self.digits], -1)


def _encoded(tokenizer: PreTrainedTokenizerBase, sign: str) -> tuple[list[list[int]], list[int]]:
    """The token ids of 0..9, and of 10, each behind a sign that is left out."""
    before = len(tokenizer.encode(sign, add_special_tokens=False))
    *digits, ten = (tokenizer.encode(f"{sign}{number}", add_special_tokens=False)[before:] for number in range(11))
    return digits, ten


def tells_apart(criterion: Criterion) -> bool:
    """Whether the criterion's answers can be told apart by the probabilities that are read."""
    return criterion.highest <= HIGHEST


def reaches_ten(criterion: Criterion) -> bool:
    """Whether an answer may have two digits."""
    return criterion.highest == HIGHEST


def distribution(criterion: Criterion, digits: Sequence[float], zero: float) -> tuple[float, ...]:
    """Probabilities of the criterion's answers, lowest to highest; none where they can't be told apart.

    `digits`: P("0") ... P("9") where the answer stands. `zero`: P("0" | "1"); read only where the answers reach 10.
    """
    if not tells_apart(criterion):
        return ()
    answers = list(digits)
    if reaches_ten(criterion):
        ten = answers[1] * zero
        answers[1] -= ten
        answers.append(ten)
    return tuple(answers[criterion.lowest : criterion.highest + 1])


def mode(distribution: Sequence[float], lowest: int) -> int | None:
    """The most likely answer, the lower of equal ones; None when all are impossible or not numbers."""
    if not math.fsum(distribution) > 0:  # NaN included
        return None
    return lowest + max(range(len(distribution)), key=lambda index: (distribution[index], -index))


def expectation(distribution: Sequence[float], lowest: int) -> tuple[float | None, float]:
    """Mean score sum(p s) / sum(p) of the allowed scores `lowest`, `lowest` + 1 ..., and their mass sum(p).

    The mean is None when the mass is 0 or not a number: there is nothing to take a mean of.
    """
    mass = math.fsum(distribution)
    if not mass > 0:  # NaN included
        return None, 0.0
    return math.fsum(p * score for score, p in enumerate(distribution, lowest)) / mass, mass
