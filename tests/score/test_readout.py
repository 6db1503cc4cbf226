from __future__ import annotations

from typing import Any

import pytest
import torch

from editbench.score.criteria import Criterion
from editbench.score.readout import ScoreTokens, distribution, expectation, mode


class Digits:
    """A tokenizer whose tokens are characters, except for `merged`, which is one token."""

    def __init__(self, merged: str = "none") -> None:
        self.merged = merged

    def encode(self, text: str, **options: Any) -> list[int]:
        return [99] if text == self.merged else [ord(character) - ord("0") + 3 for character in text]


def logits(*positions: dict[str, float]) -> torch.Tensor:
    """One row over 20 tokens with the given probabilities of digits; the rest goes to token 0."""
    rows = torch.full((1, len(positions), 20), 1e-30)
    for position, probabilities in enumerate(positions):
        for digit, probability in probabilities.items():
            rows[0, position, int(digit) + 3] = probability
        rows[0, position, 0] = 1 - sum(probabilities.values())
    return rows.log()


TOKENS = ScoreTokens.of(Digits())


def test_ten_takes_its_part_of_the_one() -> None:
    digits = TOKENS.probabilities(logits({"1": 0.4, "7": 0.5}, {"0": 0.25}))[0].tolist()
    row = distribution(Criterion("score", 0, 10), digits[0], digits[1][0])
    assert row == pytest.approx([0, 0.3, 0, 0, 0, 0, 0, 0.5, 0, 0, 0.1], abs=1e-6)


def test_below_ten_one_position_is_enough() -> None:
    digits = TOKENS.probabilities(logits({"0": 0.2, "1": 0.3, "5": 0.4}))[0].tolist()
    assert distribution(Criterion("score", 1, 5), digits[0], zero=1.0) == pytest.approx([0.3, 0, 0, 0, 0.4], abs=1e-6)


def test_answers_beyond_ten_have_no_distribution() -> None:
    assert distribution(Criterion("score", 0, 25), [0.1] * 10, 0.5) == ()


def test_the_softmax_is_in_float32() -> None:
    row = TOKENS.probabilities(torch.zeros(1, 1, 20, dtype=torch.bfloat16))
    assert row.dtype == torch.float32
    assert row.sum().item() == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("merged", ["10", "7"])
def test_a_tokenizer_that_does_not_split_digits_has_no_score_tokens(merged: str) -> None:
    tokenizer = Digits(merged)
    whole = tokenizer.encode
    tokenizer.encode = lambda text, **options: (
        [*whole(text[:-1]), 98, 99] if text.endswith("7") and merged == "7" else whole(text)
    )
    assert ScoreTokens.of(tokenizer) is None


def test_the_mode_is_the_lower_of_equals_and_nothing_without_mass() -> None:
    assert [mode(values, 1) for values in ([0.1, 0.4, 0.4], [0.0, 0.0], [], [float("nan")])] == [2, None, None, None]


def test_expectation_is_over_the_allowed_scores_only() -> None:
    assert expectation([0.1, 0.3], lowest=4) == pytest.approx((4.75, 0.4))


def test_without_mass_there_is_no_expectation() -> None:
    assert expectation([0.0, 0.0], lowest=1) == (None, 0.0)
