from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from editbench.edits import Edits
from editbench.records import EXPECTED
from editbench.score import cost, rubric
from editbench.score.items import JudgedItems
from editbench.score.settings import ScoreSettings


def test_every_vote_about_every_edit_is_a_question(make_edits: Callable[..., Path]) -> None:
    five = rubric.load("five")
    items = JudgedItems.of(Edits.open(make_edits(failed=("causal",))).entries, (), five)
    assert cost.question_count(items, five, ScoreSettings()) == 4
    assert cost.question_count(items, five, ScoreSettings(votes=3)) == 12
    assert cost.question_count([], five, ScoreSettings()) == 0


def test_bytes_grow_with_the_replies(make_edits: Callable[..., Path]) -> None:
    five = rubric.load("five")
    items = JudgedItems.of(Edits.open(make_edits()).entries, (), five)
    sizes = [cost.disk_bytes(items, five, ScoreSettings(max_new_tokens=tokens)) for tokens in (100, 200)]
    assert sizes[1] - sizes[0] == 5 * 100 * 3
    without = cost.disk_bytes(items, five, ScoreSettings(readout=EXPECTED))
    assert without == sizes[0] - 5 * 100 * 3


def test_tokens_are_those_of_all_questions_and_the_longest_replies(make_edits: Callable[..., Path]) -> None:
    five = rubric.load("five")
    items = JudgedItems.of(Edits.open(make_edits(failed=("causal",))).entries, (), five)
    read, written = cost.token_count(items, five, ScoreSettings(max_new_tokens=100, dtype="float32"))
    twice = cost.token_count(items, five, ScoreSettings(max_new_tokens=100, dtype="float32", votes=2, temperature=0.7))
    assert (written, twice) == (400, (2 * read, 800))
    pictures = 4 * 2 * 64  # 65,536 pixels, the least that a judge is shown, are 64 tokens
    assert read > pictures
    assert cost.token_count(items, five, ScoreSettings(readout=EXPECTED, dtype="float32"))[1] == 8
