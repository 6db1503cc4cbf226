"""What happens at each step of a reply: the probabilities of the digits are noted, and the next token is chosen.

At a temperature above 0 tokens are drawn, by one random number a row and step that a seed of the row's own gives: what a row
draws does not depend on the rows beside it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from transformers import LogitsProcessor

if TYPE_CHECKING:
    from editbench.score.readout import ScoreTokens

_RESOLUTION = 2**40  # a token less likely than one in so many is never drawn


class Steps(LogitsProcessor):
    """Handed to a greedy `generate`: where a token was drawn, all others are made impossible."""

    def __init__(self, tokens: ScoreTokens | None, temperature: float = 0.0, seeds: Sequence[int] = ()) -> None:
        self._tokens, self._temperature = tokens, temperature
        self._random = [random.Random(seed) for seed in seeds]
        self.digits: list[torch.Tensor] = []
        """(rows, 10) a step: P("0") ... P("9") before anything was drawn."""

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        if self._tokens is not None:
            self.digits.append(self._tokens.probabilities(scores))
        if not self._random:
            return scores
        drawn = draw(scores, self._temperature, [source.random() for source in self._random])
        return torch.full_like(scores, -torch.inf).scatter_(1, drawn[:, None], 0.0)


def draw(logits: torch.Tensor, temperature: float, uniforms: Sequence[float]) -> torch.Tensor:
    """A token a row from softmax(logits / temperature), by inverting its distribution at `uniforms` in [0, 1).

    `logits`: (rows, vocabulary). Summed in whole numbers: a sum of floats on a GPU may differ from run to run.
    """
    relative = (logits - logits.amax(-1, keepdim=True)) / temperature
    reached = (relative.softmax(-1) * _RESOLUTION).long().cumsum(-1)
    shares = torch.tensor(uniforms, dtype=torch.float64, device=logits.device)
    aims = (shares * reached[:, -1]).long()
    return torch.searchsorted(reached, aims[:, None], right=True)[:, 0]


def step_of_place(tokens: Sequence[int], text: str, digits: Sequence[int]) -> dict[int, int]:
    """For each digit of a decoded text, by its place in it, the step that wrote it; empty when that can't be told."""
    steps = [step for step, token in enumerate(tokens) if token in digits]
    places = [place for place, character in enumerate(text) if character in "0123456789"]
    return dict(zip(places, steps, strict=True)) if len(places) == len(steps) else {}
