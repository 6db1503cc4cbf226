"""A score that the reply claims to be another one later on is none."""

from __future__ import annotations

import pytest

from editbench.records import OK, UNPARSED
from editbench.score.criteria import Criterion
from editbench.score.replies import read

SCORE = (Criterion("score", 0, 10),)
PAIR = (Criterion("naturalness", 0, 10, ("自然度",)), Criterion("artifacts", 0, 10, ("瑕疵",)))
GIVEN = ("Score: 8", "评分：8分", '{"score": 8}', "### Score\n8")

LATER = [
    *(
        "Correction: 6",
        "Actually, 6 is right.",
        "On second thought, 6.",
        "On second thought, I'd give it a 6.",
        "Wait: 6.",
        "(Maybe 6.)",
    ),
    *("On reflection the final score: 6", "On reflection, the final score is 6.", "On reflection I would lower it to 6."),
    *("I would rate it 6/10.", "So I'd settle on a 6.", "It should be lowered to 6.", "Therefore, the image is rated 6."),
    *(
        "Revised score: 6",
        "Updated score = 6",
        "Final rating: 6/10",
        "Final answer: 6",
        "Final: 6",
        "Overall: 6",
        "Final score: six",
    ),
    *("The score should be 6.", "Considering the shadow, the score drops to 6.", "The shadow is wrong. Final score: 6"),
    *(
        "最终评分：6",
        "最终得分为6分",
        "总分：6",
        "改为6分",
        "不对，6分",
        "修正为6分",
        "更正：6分",
        "综合考虑，最终给6分。",
        "应该是6分。",
        "最终给六分",
    ),
]
SAME = [
    *(
        "Final answer: 8",
        "I give it 8/10.",
        "The score of 8 reflects the shadow.",
        "Overall, it is good; I rate it 8.",
        "最终评分：8分",
    ),
    *("Maximum score: 10", "A perfect score of 10 is out of reach.", "A score of 10 would need a shadow.", "满分10分。"),
    *("It would have a score of 10 if the shadow were right.", "It is short of a perfect 10.", "Naturalness score: 6"),
    *("The image shows 2 to 3 cats.", "The final image is good in all 3 respects.", "It is one of two lamps.", "Step 2: done"),
    *("The prompt asks to change 3 lamps to 2.", "Image 2 shows the 2 lamps of image 1.", "理由：给2个人加了帽子。"),
]


@pytest.mark.parametrize("later", LATER)
def test_a_score_that_is_changed_later_on_is_none(later: str) -> None:
    assert [given for given in GIVEN if read(f"{given}\n{later}", SCORE).status != UNPARSED] == []


@pytest.mark.parametrize("later", SAME)
def test_a_score_stands_where_no_other_is_claimed(later: str) -> None:
    assert [given for given in GIVEN if read(f"{given}\n{later}", SCORE).criteria != {"score": 8}] == []


@pytest.mark.parametrize(
    "text",
    ["Score: 8 ... On reflection the final score: 6", "Score: 8 → revised to 6", "Score: 8 -> Final: 6", "评分：8分。改为6分"],
)
def test_it_may_be_changed_in_the_same_line(text: str) -> None:
    assert read(text, SCORE).status == UNPARSED


def test_a_claim_alone_is_no_score() -> None:
    assert read("I would rate it 6/10. The edit deserves a score of 6.", SCORE).status == UNPARSED


def test_the_last_of_several_scores_counts_where_the_first_was_said_to_be_the_first() -> None:
    assert read("Initial score: 8\nFinal score: 6", SCORE).criteria == {"score": 6}


@pytest.mark.parametrize(
    ("later", "status"),
    [
        ("On reflection, naturalness should be 6.", UNPARSED),
        ("Correction: naturalness 6.", UNPARSED),
        ("Actually, the artifacts score is 6.", UNPARSED),
        ("自然度应为6分", UNPARSED),
        ("Overall score: 7", OK),
        ("An ideal image would have a naturalness score of 10.", OK),
        ("The naturalness score is 8.", OK),
    ],
)
def test_of_several_criteria_each_is_doubted_by_its_name(later: str, status: str) -> None:
    for given in ("Naturalness: 8\nArtifacts: 7", '{"naturalness": 8, "artifacts": 7}'):
        assert read(f"{given}\n{later}", PAIR).status == status
