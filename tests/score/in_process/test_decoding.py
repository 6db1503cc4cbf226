from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from editbench.score.in_process.decoding import StopTokens, TokenChooser, digit_steps, generate, sample
from editbench.score.readout import ScoreTokens

LOGITS = torch.tensor([[0.0, 1.0, 2.0, -40.0]])


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_tokens_are_drawn_as_often_as_they_are_likely(temperature: float) -> None:
    uniforms = torch.tensor([random.Random(seed).random() for seed in range(4000)], dtype=torch.float64)
    drawn = sample(LOGITS.expand(4000, -1), temperature, uniforms)
    expected = (LOGITS[0] / temperature).double().softmax(-1)[:3].numpy()
    counts = np.bincount(drawn.numpy(), minlength=3)
    assert len(counts) == 3
    assert chisquare(counts, expected / expected.sum() * 4000).pvalue > 1e-3


def test_the_ends_of_the_range_draw_possible_tokens() -> None:
    ends = torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64)
    assert sample(LOGITS.expand(2, -1), 1.0, ends).tolist() == [0, 2]
    assert sample(torch.tensor([[-1e30, 0.0, -torch.inf]]), 1e-30, ends[1:]).tolist() == [1]


def test_a_row_draws_the_same_whatever_is_beside_it() -> None:
    together, alone = TokenChooser(None, 1.0, [7, 8]), TokenChooser(None, 1.0, [8])
    logits = torch.randn(100, 2, 50)
    pairs = [(together(step)[1], alone(step[1:])[0]) for step in logits]
    assert all(left == right for left, right in pairs)
    assert len({int(left) for left, _ in pairs}) > 1


def test_without_seeds_the_most_likely_token_is_chosen_and_the_digits_are_noted() -> None:
    chooser = TokenChooser(ScoreTokens(tuple(range(10))))
    logits = torch.randn(2, 12)
    assert torch.equal(chooser(logits), logits.argmax(-1))
    assert torch.equal(chooser.digits[0], logits.softmax(-1)[:, :10])


def test_a_token_is_drawn_even_where_logits_are_not_numbers() -> None:
    assert 0 <= sample(torch.full((1, 4), torch.nan), 1.0, torch.tensor([0.9])).item() < 4


def counted(tokens: torch.Tensor) -> torch.Tensor:
    """Logits of the token after each."""
    return torch.eye(10)[tokens + 1]


def test_rows_are_decoded_until_all_have_ended_or_are_long_enough() -> None:
    first, stop = counted(torch.tensor([0, 2])), StopTokens((5,), 8)
    assert generate(first, TokenChooser(None), counted, stop, 9).tolist() == [[1, 2, 3, 4, 5], [3, 4, 5, 8, 8]]
    assert generate(first, TokenChooser(None), counted, stop, 2).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("limit", [4, 5, 7, 40])
def test_to_look_for_the_end_less_often_changes_no_reply(limit: int) -> None:
    first, stop = counted(torch.tensor([0, 2])), StopTokens((5,), 7)
    often, seldom = (generate(first, TokenChooser(None), counted, stop, limit, look_every=every) for every in (1, 8))
    assert torch.equal(often, seldom)


@pytest.mark.parametrize(("published", "ends"), [([3, 4], (3, 4)), (5, (5,)), (None, (1,))])
def test_a_checkpoint_says_what_ends_a_reply(published: Any, ends: tuple[int, ...]) -> None:
    tokenizer = SimpleNamespace(eos_token_id=1, pad_token_id=None)
    assert StopTokens.of(SimpleNamespace(eos_token_id=published), tokenizer) == StopTokens(ends, 1)


def test_digits_of_a_text_are_traced_to_their_steps() -> None:
    assert digit_steps([90, 1, 91, 2], "a1\u00e92", [1, 2]) == {1: 1, 3: 3}
    assert digit_steps([90, 92], "a12", [1, 2]) == {}
