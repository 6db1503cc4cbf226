"""Decoding a reply, one token after the other: the probabilities of the digits are kept, and the next token is chosen.

Greedy decoding takes the most likely one.
At a temperature above 0 tokens are sampled, by one random number a row and step that a seed of the row's own gives: what a row
samples does not depend on the rows beside it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from editbench.score.replies.positions import answer_offsets

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedTokenizerBase

    from editbench.score.judge import Question
    from editbench.score.readout import ScoreTokens

LOOK_EVERY = 8
"""Steps after which an accelerator is asked whether all rows have ended: the host waits for it, and then it for the host."""
_AHEAD = 64  # steps whose random numbers go to the device at once
_RESOLUTION = 2**40  # a token less likely than one in so many is never sampled


@dataclass(frozen=True, slots=True)
class StopTokens:
    """`ids`: the tokens that end a reply. `pad_token_id`: follows in a row that has ended while others are decoded."""

    ids: tuple[int, ...]
    pad_token_id: int

    @classmethod
    def of(cls, generation_config: GenerationConfig, tokenizer: PreTrainedTokenizerBase) -> StopTokens:
        """Nothing else of a checkpoint's generation settings counts: it publishes how to sample."""
        published = generation_config.eos_token_id
        eos = published if published is not None else tokenizer.eos_token_id
        pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
        return cls(tuple(eos) if isinstance(eos, list | tuple) else (eos,), pad)


class TokenChooser:
    """Chooses the tokens of a batch, step by step. `seeds`: one a row where tokens are sampled."""

    def __init__(self, score_tokens: ScoreTokens | None, temperature: float = 0.0, seeds: Sequence[int] = ()) -> None:
        self._score_tokens, self._temperature = score_tokens, temperature
        self._random = [random.Random(seed) for seed in seeds]
        self._uniforms = torch.empty(0)
        self._step = 0
        self.digits: list[Tensor] = []
        """By step (rows, 10): P("0") ... P("9") before a token was chosen; nothing without `score_tokens`."""

    def __call__(self, logits: Tensor) -> Tensor:
        """The next token id of each row, (rows,), from logits (rows, vocabulary)."""
        logits = logits.float()
        if self._score_tokens is not None:
            self.digits.append(self._score_tokens.probabilities(logits))
        if not self._random:
            return logits.argmax(-1)
        return sample(logits, self._temperature, self._next_uniforms(logits.device))

    def _next_uniforms(self, device: torch.device) -> Tensor:
        """A random number a row, (rows,)."""
        index, self._step = self._step % _AHEAD, self._step + 1
        if index == 0:
            drawn = [[source.random() for _ in range(_AHEAD)] for source in self._random]
            self._uniforms = torch.tensor(drawn, dtype=torch.float64, device=device)
        return self._uniforms[:, index]


def generate(
    logits: Tensor,
    choose: TokenChooser,
    decode_step: Callable[[Tensor], Tensor],
    stop: StopTokens,
    max_new_tokens: int,
    *,
    look_every: int = 1,
) -> Tensor:
    """Token ids (rows, steps), until all rows have ended or have `max_new_tokens`.

    `logits`: (rows, vocabulary), of the first token. `decode_step`: takes the token ids of all rows, (rows,), and gives the
    next logits; it may be called up to `look_every` - 1 times more than there are steps.
    """
    stop_ids = torch.tensor(stop.ids, device=logits.device)
    unfinished = torch.ones(len(logits), dtype=torch.bool, device=logits.device)
    steps: list[Tensor] = []
    while True:
        steps.append(torch.where(unfinished, choose(logits), stop.pad_token_id))
        unfinished &= ~torch.isin(steps[-1], stop_ids)
        if len(steps) == max_new_tokens or (len(steps) % look_every == 0 and not unfinished.any()):
            break
        logits = decode_step(steps[-1])
    token_ids = torch.stack(steps, 1)
    going_on = torch.isin(token_ids, stop_ids).cumsum(1) == 0
    return token_ids[:, : int(going_on.any(0).sum()) + 1]


def sample(logits: Tensor, temperature: float, uniforms: Tensor) -> Tensor:
    """A token id a row, (rows,), from softmax(logits / temperature), by inverting its distribution at `uniforms` in [0, 1).

    `logits`: (rows, vocabulary). `uniforms`: (rows,), float64. Summed in whole numbers: a sum of floats on a GPU may differ
    from run to run.
    """
    relative = (logits - logits.amax(-1, keepdim=True)) / temperature
    cumulative = (relative.softmax(-1) * _RESOLUTION).long().cumsum(-1)
    targets = (uniforms * cumulative[:, -1]).long()
    # Where logits are not numbers, the index may lie behind the last token.
    return torch.searchsorted(cumulative, targets[:, None], right=True)[:, 0].clamp(max=logits.shape[-1] - 1)


def answer_steps(
    question: Question, text: str, decoded: str, token_ids: Sequence[int], digits: Sequence[int]
) -> dict[str, int]:
    """By criterion, the step that decoded the first digit of its answer.

    `text`: the whole reply; `decoded`: its end, which `token_ids` are. `digits`: the token ids of 0..9.
    """
    offsets = answer_offsets(text, question.criteria)
    steps = digit_steps(token_ids, decoded, digits) if offsets else {}
    prefix = len(text) - len(decoded)
    return {name: steps[offset - prefix] for name, offset in offsets.items() if offset - prefix in steps}


def digit_steps(token_ids: Sequence[int], text: str, digit_ids: Sequence[int]) -> dict[int, int]:
    """For each digit of a decoded text, by its offset there, the step that decoded it; empty when that can't be told."""
    steps = [step for step, token in enumerate(token_ids) if token in digit_ids]
    offsets = [offset for offset, character in enumerate(text) if character in "0123456789"]
    return dict(zip(offsets, steps, strict=True)) if len(offsets) == len(steps) else {}
