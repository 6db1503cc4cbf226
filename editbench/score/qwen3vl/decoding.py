"""Writing a reply, one token after the other: the probabilities of the digits are noted, and the next token is chosen.

Greedy decoding takes the most likely one.
At a temperature above 0 tokens are drawn, by one random number a row and step that a seed of the row's own gives: what a row
draws does not depend on the rows beside it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedTokenizerBase

    from editbench.score.readout import ScoreTokens

_RESOLUTION = 2**40  # a token less likely than one in so many is never drawn


@dataclass(frozen=True, slots=True)
class Ending:
    """`tokens`: those that end a reply. `filler`: what a reply that has ended goes on with while others are written."""

    tokens: tuple[int, ...]
    filler: int

    @classmethod
    def of(cls, published: GenerationConfig, tokenizer: PreTrainedTokenizerBase) -> Ending:
        """Nothing else of a checkpoint's generation settings counts: it publishes how to sample."""
        ends = published.eos_token_id if published.eos_token_id is not None else tokenizer.eos_token_id
        filler = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        return cls(tuple(ends) if isinstance(ends, list | tuple) else (ends,), filler)


class Steps:
    """Chooses the tokens of a batch, step by step. `seeds`: one a row where tokens are drawn."""

    def __init__(self, tokens: ScoreTokens | None, temperature: float = 0.0, seeds: Sequence[int] = ()) -> None:
        self._tokens, self._temperature = tokens, temperature
        self._random = [random.Random(seed) for seed in seeds]
        self.digits: list[torch.Tensor] = []
        """(rows, 10) a step: P("0") ... P("9") before anything was chosen."""

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """The next token a row, (rows,), from the (rows, vocabulary)."""
        logits = logits.float()
        if self._tokens is not None:
            self.digits.append(self._tokens.probabilities(logits))
        if not self._random:
            return logits.argmax(-1)
        return draw(logits, self._temperature, [source.random() for source in self._random])


def write(
    logits: torch.Tensor, choose: Steps, step: Callable[[torch.Tensor], torch.Tensor], ending: Ending, most: int
) -> torch.Tensor:
    """At most `most` tokens a row, until all rows have ended: (rows, written).

    `logits`: (rows, vocabulary), of the first token. `step`: takes the tokens of all rows, (rows,), and gives the next logits.
    """
    ends = torch.tensor(ending.tokens, device=logits.device)
    going = torch.ones(len(logits), dtype=torch.bool, device=logits.device)
    written: list[torch.Tensor] = []
    while True:
        written.append(torch.where(going, choose(logits), ending.filler))
        going &= ~torch.isin(written[-1], ends)
        if len(written) == most or not going.any():
            return torch.stack(written, 1)
        logits = step(written[-1])


def draw(logits: torch.Tensor, temperature: float, uniforms: Sequence[float]) -> torch.Tensor:
    """A token a row from softmax(logits / temperature), by inverting its distribution at `uniforms` in [0, 1).

    `logits`: (rows, vocabulary). Summed in whole numbers: a sum of floats on a GPU may differ from run to run.
    """
    relative = (logits - logits.amax(-1, keepdim=True)) / temperature
    reached = (relative.softmax(-1) * _RESOLUTION).long().cumsum(-1)
    shares = torch.tensor(uniforms, dtype=torch.float64, device=logits.device)
    aims = (shares * reached[:, -1]).long()
    # Where logits are not numbers, the place may lie behind the last token.
    return torch.searchsorted(reached, aims[:, None], right=True)[:, 0].clamp(max=logits.shape[-1] - 1)


def step_of_place(tokens: Sequence[int], text: str, digits: Sequence[int]) -> dict[int, int]:
    """For each digit of a decoded text, by its place in it, the step that wrote it; empty when that can't be told."""
    steps = [step for step, token in enumerate(tokens) if token in digits]
    places = [place for place, character in enumerate(text) if character in "0123456789"]
    return dict(zip(places, steps, strict=True)) if len(places) == len(steps) else {}
