"""Readout `expected`: the judge's distribution over the allowed scores, from one forward pass and without sampling.

Qwen's tokenizer splits numbers into digits: "10" is "1", "0". So where the scale reaches 10 one more position is read, the one
behind a "1" that is appended to the prompt, and 1 and 10 are told apart:

    P(10) = P("1") P("0" | "1")        P(1) = P("1") (1 - P("0" | "1"))        P(d) = P("d") for the other digits

The mean of this distribution agrees with human judgement better than its mode, the score that greedy decoding writes, in most
published comparisons (arXiv 2503.03064: 92 of 120).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from editbench.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class ScoreTokens:
    """The token ids of the digits 0..9, and the allowed scores `lowest`..`highest` within 0..10."""

    digits: tuple[int, ...]
    lowest: int
    highest: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, scale: tuple[int, int]) -> ScoreTokens:
        """Raises UserError when the tokenizer does not split numbers into single digits."""
        digits = [tokenizer.encode(str(digit), add_special_tokens=False) for digit in range(10)]
        ten = tokenizer.encode("10", add_special_tokens=False)
        if any(len(tokens) != 1 for tokens in digits) or ten != digits[1] + digits[0]:
            raise UserError(
                "this judge's tokenizer does not split numbers into digits, so scores can't be read from its distribution",
                "Use readout generate, or another judge.",
            )
        return cls(tuple(tokens[0] for tokens in digits), *scale)

    @property
    def one(self) -> int | None:
        """The token to append to the prompt: that of "1" when the scale reaches 10, else None."""
        return self.digits[1] if self.highest == 10 else None

    @property
    def positions(self) -> int:
        """How many of the last positions' logits are needed."""
        return 1 if self.one is None else 2

    def distribution(self, logits: Tensor) -> Tensor:
        """Probabilities of the allowed scores, lowest to highest: (batch, scores), float32.

        `logits`: (batch, `positions`, vocabulary) of the last positions: the one the score is read at and, when the scale
        reaches 10, the one behind the appended "1".
        """
        import torch

        probabilities = logits.float().softmax(-1)
        scores = probabilities[:, 0, list(self.digits)]
        if self.one is not None:
            ten = scores[:, 1] * probabilities[:, 1, self.digits[0]]
            one = scores[:, 1] - ten
            scores = torch.cat([scores[:, :1], one[:, None], scores[:, 2:], ten[:, None]], dim=1)
        return scores[:, self.lowest : self.highest + 1]


def expectation(distribution: Sequence[float], lowest: int) -> tuple[float | None, float]:
    """Mean score sum(p s) / sum(p) of the allowed scores `lowest`, `lowest` + 1 ..., and their mass sum(p).

    The mean is None when the mass is 0 or not a number: there is nothing to take a mean of.
    """
    mass = math.fsum(distribution)
    if not mass > 0:  # NaN included
        return None, 0.0
    return math.fsum(p * score for score, p in enumerate(distribution, lowest)) / mass, mass
