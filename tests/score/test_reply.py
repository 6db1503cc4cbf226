from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from editbench.records import OK, OUT_OF_RANGE, REFUSED, UNPARSED
from editbench.score.reply import parse

SCALE = (0, 10)

REPLIES = [
    # JSON as asked for
    ('{"reason": "The ice has melted, water lies level.", "score": 8}', OK, 8),
    ('{"score": 0, "reason": "Image 2 is Image 1."}', OK, 0),
    ('{"reason": "perfect", "score": 10}', OK, 10),
    ('{"reason": "good", "score": 8.5}', OK, 8.5),
    ('{"reason": "good", "score": "7"}', OK, 7),
    ('{"reason": "good", "score": "7/10"}', OK, 7),
    ('{"Reason": "good", "Score": 7}', OK, 7),
    ('{"reason": "3 cats became 2 dogs, score: 4 would be harsh", "score": 6}', OK, 6),
    ('{"理由": "冰已经融化", "评分": 9}', OK, 9),
    ('{"result": {"reason": "nested", "score": 5}}', OK, 5),
    ('{"reason": "first line\nsecond line", "score": 5}', OK, 5),
    ('{"final_score": 6, "reason": "fair"}', OK, 6),
    ('[{"reason": "in a list", "score": 6}]', OK, 6),
    # JSON with something around it
    ('```json\n{"reason": "good", "score": 8}\n```', OK, 8),
    ('```\n{"score": 8}\n```\n', OK, 8),
    ('Here is my evaluation:\n\n{"reason": "good", "score": 7}', OK, 7),
    ('{"reason": "good", "score": 7}\n\nI hope this helps! There are 2 pictures.', OK, 7),
    ('{"reason": "good", "score": 7}<|im_end|>', OK, 7),
    ('<think>\nmaybe score: 3? no\n</think>\n{"reason": "good", "score": 7}', OK, 7),
    ('Format: {"reason": "<text>", "score": <0-10>}\n{"reason": "good", "score": 7}', OK, 7),
    # JSON cut off or broken
    ('{"score": 8, "reason": "The cat is now', OK, 8),
    ('{"reason": "The cat is now orange", "score": 8', OK, 8),
    ('```json\n{"score": 10,', OK, 10),
    ('{"reason": "fine", "score": 8,}', OK, 8),
    ('{"reason": "the "left" one", "score": 6}', OK, 6),
    ("{'reason': 'It's right', 'score': 9}", OK, 9),
    ('{"reason": "ok", "score": 8/10}', OK, 8),
    ("{“reason”：“影子不对”，“score”：6}", OK, 6),
    ('{"reason": "cut off before the score: 7 if the shadow', UNPARSED, None),
    ('{"reason": "one or ten?", "score": 1', UNPARSED, None),
    ('{"reason": "eight or more?", "score": 8.', UNPARSED, None),
    ('{"reason": "no number", "score":', UNPARSED, None),
    # labels
    ("Score: 8/10", OK, 8),
    ("Score: 8", OK, 8),
    ("score=8", OK, 8),
    ("**Score:** 8/10", OK, 8),
    ("**Score: 8**", OK, 8),
    ("**Final Score**: **7.5**/10", OK, 7.5),
    ("Overall score: 8 out of 10.", OK, 8),
    ("Score (0-10): 6", OK, 6),
    ("Rating: 6 points", OK, 6),
    ("The score is 8.", OK, 8),
    ("Reason: 3 cats and 2 dogs stay, 1 bird is gone.\nScore: 7", OK, 7),
    ("There are 3 cats, 2 dogs and 12 birds left; score: 7", OK, 7),
    ("The edit is partly right, so my final score: 5.", OK, 5),
    ("Score: 8\n\nExplanation: the 2 lamps are lit.", OK, 8),
    ("Maximum score: 10\nScore: 4", OK, 4),
    ("Score: 7 ... Final score: 7/10", OK, 7),
    ("### Score\n8", OK, 8),
    ("### Reason\nThe 2 lamps are lit.\n\n## Final Score\n\n**8/10**\n", OK, 8),
    ("- Score: 3", OK, 3),
    ("Score - 8", OK, 8),
    # Chinese and full-width
    ("评分：8分", OK, 8),
    ("评分：８", OK, 8),
    ("评分：８．５分", OK, 8.5),
    ("理由：图中3只猫变成了2只。评分：7分。", OK, 7),
    ("**得分：** 6 分（满分10分）", OK, 6),
    ("最终得分为5分。", OK, 5),
    ("我给出的评分是 4 分", OK, 4),
    ("### 评分\n9分", OK, 9),
    ("分数：8／10", OK, 8),
    ("因此，评分：2", OK, 2),
    # nothing but a number
    ("8", OK, 8),
    ("8.5", OK, 8.5),
    ("**8**", OK, 8),
    ("8/10", OK, 8),
    ("8 out of 10", OK, 8),
    ("`8`\n", OK, 8),
    ("８分。", OK, 8),
    ("```\n8\n```", OK, 8),
    ("-0", OK, 0),
    # no score
    ("", UNPARSED, None),
    ("The ice melted well.", UNPARSED, None),
    ("There are 3 cats and 2 dogs.", UNPARSED, None),
    ("I like 8 of the 10 changes.", UNPARSED, None),
    ("80%", UNPARSED, None),
    ("Score: 80%", UNPARSED, None),
    ("Score: 8/100", UNPARSED, None),
    ("4/5", UNPARSED, None),
    ("得分：8分（满分100分）", UNPARSED, None),
    ("Score: NaN", UNPARSED, None),
    ('{"score": NaN}', UNPARSED, None),
    ('{"score": Infinity}', UNPARSED, None),
    ('{"score": null}', UNPARSED, None),
    ('{"score": true}', UNPARSED, None),
    ('{"score": [8, 7]}', UNPARSED, None),
    ('{"score": "high"}', UNPARSED, None),
    ("Score: eight", UNPARSED, None),
    ("Score: 7-8", UNPARSED, None),
    ("Score: 8,5", UNPARSED, None),
    ("Score: 8th place", UNPARSED, None),
    ("A perfect score: 10 is out of reach", UNPARSED, None),
    ("If the shadow were right, the score is 10.", UNPARSED, None),
    ("The maximum score is 10.", UNPARSED, None),
    ("评分标准：10分为完美", UNPARSED, None),
    ("Underscore: 8", UNPARSED, None),
    ("<think>\nScore: 3 or maybe", UNPARSED, None),
    # contradictions
    ("Score: 7\nScore: 8", UNPARSED, None),
    ('{"score": 7}\n{"score": 8}', UNPARSED, None),
    ('{"score": 3, "score": 8}', UNPARSED, None),
    ('Score: 7\n{"score": 8}', UNPARSED, None),
    ('{"a": {"score": 7}, "b": {"score": 2}}', UNPARSED, None),
    # off the scale
    ('{"score": 11}', OUT_OF_RANGE, None),
    ('{"score": -1}', OUT_OF_RANGE, None),
    ("Score: 85", OUT_OF_RANGE, None),
    ("-3", OUT_OF_RANGE, None),
    ("评分：100分", OUT_OF_RANGE, None),
    ('{"score": ' + "9" * 5000 + "}", OUT_OF_RANGE, None),
    # refusals
    ("I'm sorry, but I can't assist with that request.", REFUSED, None),
    ("I’m sorry, but I can’t help with rating people.", REFUSED, None),
    ("As an AI, I cannot evaluate these images.", REFUSED, None),
    ("I am unable to judge this.", REFUSED, None),
    ("抱歉，我无法对这张图片进行评价。", REFUSED, None),
    ("对不起，我不能回答这个问题。", REFUSED, None),
    ('{"reason": "I\'m sorry, I cannot rate this.", "score": null}', REFUSED, None),
    ("I cannot see any change between the 2 pictures.", UNPARSED, None),
    ('{"reason": "Sorry, I cannot see any change.", "score": 0}', OK, 0),
]


@pytest.mark.parametrize(("text", "status", "score"), REPLIES)
def test_reads_what_models_write(text: str, status: str, score: float | None) -> None:
    parsed = parse(text, SCALE)
    assert (parsed.status, parsed.score) == (status, score)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"reason": "影子，不对", "score": 6}', "影子，不对"),
        ('{"reason": "the "left" one", "score": 6}', 'the "left" one'),
        ("{'reason': 'It's right', 'score': 9}", "It's right"),
        ('{"score": 8, "reason": "The cat is', "The cat is"),
        ("The lamp is lit.\nScore: 8", "The lamp is lit.\nScore: 8"),
        ("**8**", ""),
        ('{"score": 8}', ""),
    ],
)
def test_keeps_the_reason_as_written(text: str, reason: str) -> None:
    assert parse(text, SCALE).reason == reason


def test_fraction_must_be_of_the_scales_top() -> None:
    assert parse("4/5", (1, 5)).score == 4
    assert parse("8/10", (1, 5)).status == UNPARSED


def test_scale_decides_what_is_out_of_range() -> None:
    assert parse("0", (1, 5)).status == OUT_OF_RANGE
    assert parse('{"score": 6}', (1, 5)).status == OUT_OF_RANGE


def test_cut_number_is_read_where_no_further_digit_fits() -> None:
    assert parse('{"score": 1', (1, 5)).score == 1


@pytest.mark.parametrize(
    "piece",
    [
        "{",
        '{"a":',
        "score",
        "score: ",
        "score:8x ",
        '"score"',
        '"reason": "',
        "*",
        " ",
        "\n",
        "'",
        "the ",
        "8",
        "8/",
        "(",
        "sorry ",
        "```",
    ],
)
def test_long_replies_of_one_piece_are_read(piece: str) -> None:
    # A pattern that backtracks takes hours here; a linear one a fraction of a second.
    text = (piece * 100_000)[:100_000]
    assert parse(text, SCALE).score is None
    assert parse(text + '\n{"score": 7}', SCALE).status in {OK, UNPARSED, OUT_OF_RANGE}


def test_score_after_a_very_long_reason_is_read() -> None:
    assert parse(json.dumps({"reason": "the lamp " * 11_000, "score": 7}), SCALE).score == 7


@given(st.text() | st.text(alphabet="{}\"':/.,*-# \nscore分评分：８0123456789"), st.sampled_from([(0, 10), (1, 5), (0, 1)]))
def test_any_text_is_read_without_an_exception_and_a_score_is_on_the_scale(text: str, scale: tuple[int, int]) -> None:
    parsed = parse(text, scale)
    assert (parsed.status == OK) == (parsed.score is not None)
    assert parsed.score is None or scale[0] <= parsed.score <= scale[1]


@given(st.text().filter(lambda text: not any(character.isdigit() for character in text)), st.integers(0, 10), st.booleans())
def test_the_asked_form_comes_back_whatever_the_reason_says(reason: str, score: int, escape: bool) -> None:
    text = json.dumps({"reason": reason, "score": score}, ensure_ascii=escape)
    assert (parse(text, SCALE).status, parse(text, SCALE).score) == (OK, score)
