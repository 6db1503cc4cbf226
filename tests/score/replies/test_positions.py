from __future__ import annotations

import pytest

from editbench.score.criteria import Criterion
from editbench.score.replies.positions import answer_offsets

SCORE = (Criterion("score", 0, 10),)
PAIR = (Criterion("success", 0, 10), Criterion("naturalness", 1, 5))


def answers(text: str, criteria: tuple[Criterion, ...] = SCORE) -> dict[str, str]:
    """By criterion, the reply from its answer on."""
    return {name: text[offset:] for name, offset in answer_offsets(text, criteria).items()}


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ('{"score": 8}', "8}"),
        ('{"reason": "3 of 8 birds left", "score": 8}', "8}"),
        ('{"score": 10, "reason": "10 of 10"}', '10, "reason": "10 of 10"}'),
        ("In 8 of 9 places it is right. Score: 8/10", "8/10"),
        ("**0**", "0**"),
        ("评分：7分", "7分"),
        ("Rating: [[7]]", "7]]"),
        ('{"score": [7]}', "7]}"),
    ],
)
def test_the_answer_is_the_number_that_decides(text: str, rest: str) -> None:
    assert answers(text) == {"score": rest}


@pytest.mark.parametrize(
    "text", ["no score", '{"score": 8.5}', "Score: ８", "Score: 8\nScore: 8", "Score: 7 to 8", '{"score": 11}', ""]
)
def test_an_answer_without_one_place_has_none(text: str) -> None:
    assert answers(text) == {}


def test_each_of_several_answers_has_its_place() -> None:
    assert answers('{"success": 3, "naturalness": 3}', PAIR) == {"success": '3, "naturalness": 3}', "naturalness": "3}"}
    assert answers("[5, 5]", PAIR) == {"success": "5, 5]", "naturalness": "5]"}
    assert answers("success 3 naturalness 3", PAIR) == {"success": "3 naturalness 3", "naturalness": "3"}
    assert answers("score1: 3, score2: 3", PAIR) == {"success": "3, score2: 3", "naturalness": "3"}
    assert answers("a score of 3 for success and 3 for naturalness", PAIR)["naturalness"] == "3 for naturalness"


def test_an_answer_that_counts_as_another_number_is_found_as_it_was_given() -> None:
    assert answers('{"score": 1}', (Criterion("score", 0, 1, (), (1, 5)),)) == {"score": "1}"}
