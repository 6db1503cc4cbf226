"""Forms that judges wrote instead of the one they were asked for, of a question with several criteria."""

from __future__ import annotations

import pytest

from editbench.records import OUT_OF_RANGE, UNPARSED
from editbench.score.criteria import Criterion
from editbench.score.replies import read

PAIR = (Criterion("naturalness", 0, 10), Criterion("artifacts", 0, 10))


@pytest.mark.parametrize(
    "text",
    [
        "naturalness 8 artifacts 7",
        "naturalness : 8 artifacts : 7",
        "naturalness: 8, artifacts: 7",
        "naturalness - 8 artifacts - 7",
        "naturalness 8/10 artifacts 7/10",
        "naturalness is 8 and artifacts is 7",
        "**naturalness** 8, **artifacts** 7.",
        "naturalness score 8 artifacts score 7",
        "artifacts 7 naturalness 8",
        "8 naturalness, 7 artifacts",
        "8 for naturalness and 7 for artifacts",
        "It looks well made.\nnaturalness 8 artifacts 7\nOverall it is fine.",
        "score1 : 8, score2 : 7",
        "score1: 8 score2: 7",
        "Score 1: 8\nScore 2: 7",
        '{"score1": 8, "score_2": 7}',
        '{"score": ["8", "7/10"]}',
        "The image has a naturalness score of 8 and an artifacts score of 7.",
        "The image has a score of 8 for naturalness and 7 for artifacts, making the overall score 15.",
        "I would give it a score of 8 for naturalness and 7 for artifacts.",
    ],
)
def test_scores_are_read_by_the_names_of_their_criteria(text: str) -> None:
    assert read(text, PAIR).criteria == {"naturalness": 8, "artifacts": 7}


@pytest.mark.parametrize(
    "text",
    [
        "The image has a naturalness score of 9 and an artifacts score of -1.",
        "naturalness 8 artifacts 70",
        "score1: 8 score2: -7",
    ],
)
def test_a_score_off_the_scale_is_out_of_range(text: str) -> None:
    assert read(text, PAIR).status == OUT_OF_RANGE


@pytest.mark.parametrize(
    "text",
    [
        "naturalness, artifacts",
        "[score1, score2]",
        "score 1, score 2",
        "naturalness 8",
        "naturalness 8 artifacts",
        "naturalness 8 9 artifacts 7",
        "10 naturalness, artifacts 8",
        "naturalness 8 to 9 artifacts 7",
        "naturalness 8 artifacts 7 or 8",
        "naturalness 8 artifacts 7\nnaturalness 6 artifacts 7",
        "score1 : 8, score2 : 7, score1 : 6",
        "a naturalness score of 7 to 8 and an artifacts score of 7",
        "The naturalness score is around 8. The artifacts score is around 7.",
        "An ideal image has a naturalness score of 10 and an artifacts score of 10 if it is sharp.",
        "If it were sharp, it had a naturalness score of 8 and an artifacts score of 7.",
        "It does not have a naturalness score of 8 or an artifacts score of 7.",
        "A naturalness score of 8 would be fair; an artifacts score of 7 would too.",
        "The system gives 10 for naturalness, 10 for artifacts.",
    ],
)
def test_what_is_no_clear_score_of_each_is_none(text: str) -> None:
    assert read(text, PAIR).status == UNPARSED
