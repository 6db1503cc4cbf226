"""What an outcome shows is what its truth says."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from editbench.world import task
from editbench.world.chance import Chance, Pool
from editbench.world.families import NAMES
from editbench.world.task import Task
from editbench.world.truth import TRUTH, Outcome

PLAIN = Pool([Image.new("RGB", (300, 300), (90, 120, 150)), Image.new("RGB", (300, 300), (190, 200, 90))], held_out=False)
SEEN = 150
"""Pixels that a person sees at a glance: a square of 12."""


def made(family: str, seed: int = 0) -> Task:
    return task.make(family, Chance(PLAIN, f"{family} {seed}"), Chance(PLAIN, f"ask {family} {seed}"))


def picture(of: Task, outcome: Outcome) -> np.ndarray:
    return np.asarray(of.outcomes[outcome].render(), np.int16)


def apart(one: np.ndarray, other: np.ndarray) -> int:
    """Pixels that plainly differ."""
    return int((np.abs(one - other).max(-1) > 24).sum())


@pytest.mark.parametrize("family", NAMES)
def test_no_two_outcomes_look_alike(family: str) -> None:
    for seed in range(3):
        pictures = [picture(made(family, seed), outcome) for outcome in made(family).outcomes]
        for place, one in enumerate(pictures):
            assert min((apart(one, other) for other in pictures[:place]), default=SEEN) >= SEEN


@pytest.mark.parametrize("family", NAMES)
def test_an_edit_that_goes_too_far_holds_the_right_one_and_what_was_added_without_it(family: str) -> None:
    of = made(family)
    source, right, over, other = (
        picture(of, outcome) for outcome in (Outcome.NOTHING, Outcome.RIGHT, Outcome.OVER, Outcome.ELSE)
    )
    added = (source != other).any(-1) | (right != over).any(-1)
    assert (over[~added] == right[~added]).all()
    assert (over[added] != right[added]).any(-1).sum() >= SEEN


def test_the_same_chance_draws_the_same_pixels_and_words() -> None:
    for family in NAMES:
        first, again = made(family), made(family)
        assert all((picture(first, outcome) == picture(again, outcome)).all() for outcome in first.outcomes)
        sentences = [of.sentence(language, Chance(PLAIN, "s")) for language in ("en", "zh") for of in (first, again)]
        assert sentences[0] == sentences[1]
        assert sentences[2] == sentences[3]


def test_truths_are_whole_numbers_of_the_scale_and_only_the_right_edit_is_worth_all_of_it() -> None:
    assert {outcome for outcome, value in TRUTH.items() if value == 10} == {Outcome.RIGHT}
    assert {outcome for outcome, value in TRUTH.items() if value == 0} == {Outcome.NOTHING, Outcome.STRANGER}
    assert all(0 <= value <= 10 for value in TRUTH.values())
