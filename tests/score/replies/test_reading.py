from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editbench.records import OK, OUT_OF_RANGE, REFUSED, UNPARSED
from editbench.score.criteria import Criterion
from editbench.score.replies import Reading, read

SCALE = (0, 10)


def parse(text: str, scale: tuple[int, int]) -> Reading:
    """A reply that gives one score."""
    return read(text, [Criterion("score", *scale)])


def score_of(text: str, scale: tuple[int, int]) -> float | None:
    criteria = parse(text, scale).criteria
    return criteria["score"] if criteria else None


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
    ("**Final Scores**: 4", OK, 4),
    ("Revised score: 6", OK, 6),
    ("The score given is 7.", OK, 7),
    # a list of one
    ("Rating: [[8]]", OK, 8),
    ("Rating: [[8.5]].", OK, 8.5),
    ("Score: [8]", OK, 8),
    ("[8]", OK, 8),
    ('{"score": [8], "reasoning": "good"}', OK, 8),
    ('{"score": ["8/10"]}', OK, 8),
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
    ("Well.\n<think>Score: 3", UNPARSED, None),
    ('{"reason": "the sign says <think>", "score": 3}', OK, 3),
    # contradictions
    ("Score: 7\nScore: 8", UNPARSED, None),
    ('{"score": 7}\n{"score": 8}', UNPARSED, None),
    ('{"score": 3, "score": 8}', UNPARSED, None),
    ('Score: 7\n{"score": 8}', UNPARSED, None),
    ('{"a": {"score": 7}, "b": {"score": 2}}', UNPARSED, None),
    ('{"score": 8, "final_score": 6}', UNPARSED, None),
    ('{"score": 8, "revised_score": 6}', UNPARSED, None),
    ("Rating: [[8]]\nRating: [[7]]", UNPARSED, None),
    ("Score: [8] or [7]", UNPARSED, None),
    # other scores beside it
    ('{"initial_score": 6, "score": 8}', OK, 8),
    ('{"score": 8, "confidence_score": 9}', OK, 8),
    ('{"score": 8, "reason": "I first gave 6, then the final score: 9"}', OK, 8),
    ('{"score": {"naturalness": 8}, "final_score": 7}', OK, 7),
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
    assert (parse(text, SCALE).status, score_of(text, SCALE)) == (status, score)


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
    assert score_of("4/5", (1, 5)) == 4
    assert parse("8/10", (1, 5)).status == UNPARSED


def test_scale_decides_what_is_out_of_range() -> None:
    assert parse("0", (1, 5)).status == OUT_OF_RANGE
    assert parse('{"score": 6}', (1, 5)).status == OUT_OF_RANGE


def test_cut_number_is_read_where_no_further_digit_fits() -> None:
    assert score_of('{"score": 1', (1, 5)) == 1


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
    assert score_of(text, SCALE) is None
    assert parse(text + '\n{"score": 7}', SCALE).status in {OK, UNPARSED, OUT_OF_RANGE}


def test_score_after_a_very_long_reason_is_read() -> None:
    assert score_of(json.dumps({"reason": "the lamp " * 11_000, "score": 7}), SCALE) == 7


@settings(deadline=None)
@given(st.text() | st.text(alphabet="{}\"':/.,*-# \nscore分评分：８0123456789"), st.sampled_from([(0, 10), (1, 5), (0, 1)]))
def test_any_text_is_read_without_an_exception_and_a_score_is_on_the_scale(text: str, scale: tuple[int, int]) -> None:
    status, score = parse(text, scale).status, score_of(text, scale)
    assert (status == OK) == (score is not None)
    assert score is None or scale[0] <= score <= scale[1]


@settings(deadline=None)
@given(st.text().filter(lambda text: not any(character.isdigit() for character in text)), st.integers(0, 10), st.booleans())
def test_the_asked_form_comes_back_whatever_the_reason_says(reason: str, score: int, escape: bool) -> None:
    text = json.dumps({"reason": reason, "score": score}, ensure_ascii=escape)
    assert (parse(text, SCALE).status, score_of(text, SCALE)) == (OK, score)


PAIR = (Criterion("success", 0, 10, ("Editing Success", "编辑成功度")), Criterion("naturalness", 0, 10, ("自然度",)))
THREE = (
    Criterion("prompt_compliance", 1, 5),
    Criterion("visual_naturalness", 1, 5),
    Criterion("detail_integrity", 1, 5, ("Physical & Detail Integrity",)),
)

SEVERAL = [
    # as asked for, and as models vary it
    ('{"reason": "3 of 4 cats", "success": 8, "naturalness": 6}', OK, (8, 6)),
    ('```json\n{"success": 8, "naturalness": 6, "reason": "ok"}\n```', OK, (8, 6)),
    ('{"Success": "8/10", "Naturalness": "6"}', OK, (8, 6)),
    ('{"Editing Success": 8, "naturalness_score": 6.5}', OK, (8, 6.5)),
    ('{"success": {"score": 8, "reason": "7 of 8"}, "naturalness": {"score": 6}}', OK, (8, 6)),
    ('{"scores": {"success": 8, "naturalness": 6}}', OK, (8, 6)),
    ('{"score": {"success": 8, "naturalness": 6}}', OK, (8, 6)),
    ('{"success": 8}\n{"naturalness": 6}', OK, (8, 6)),
    ('{"编辑成功度": 8, "自然度": 6}', OK, (8, 6)),
    ('{"reason": "the "left" one", "success": 8, "naturalness": 6}', OK, (8, 6)),
    ('{"success": 8, "naturalness": 6, "reason": "cut', OK, (8, 6)),
    # the list of the public prompts
    ('{"score": [8, 6], "reasoning": "success: 3 would be harsh"}', OK, (8, 6)),
    ('{"reasoning": "cut "off", "score": [8, 6]', OK, (8, 6)),
    ("Score: [8, 6]", OK, (8, 6)),
    ("[8, 6]", OK, (8, 6)),
    ("```json\n[8, 6.5]\n```", OK, (8, 6.5)),
    # labels
    ("Success: 8\nNaturalness: 6", OK, (8, 6)),
    ("**Editing Success:** 8/10\n**Naturalness:** 6/10\n", OK, (8, 6)),
    ("There are 3 cats.\n- success: 8\n- naturalness = 6", OK, (8, 6)),
    ("### Success\n8\n### Naturalness\n6", OK, (8, 6)),
    ("编辑成功度：８分\n自然度：6分", OK, (8, 6)),
    # not all of them, or not clearly
    ('{"success": 8}', UNPARSED, None),
    ('{"success": 8, "naturalness": 1', UNPARSED, None),
    ('{"success": 8, "naturalness": null}', UNPARSED, None),
    ('{"success": 8, "naturalness": 6}\n{"success": 7, "naturalness": 6}', UNPARSED, None),
    ('{"success": 8, "success": 7, "naturalness": 6}', UNPARSED, None),
    ('{"success": 8, "naturalness": 6, "score": [8, 5]}', UNPARSED, None),
    ('{"score": [8, 6, 5]}', UNPARSED, None),
    ('{"score": [8, "high"]}', UNPARSED, None),
    ('{"score": 8}', UNPARSED, None),
    ("8", UNPARSED, None),
    ("8, 6", UNPARSED, None),
    ("8\n6", UNPARSED, None),
    ("I give [8, 6].", UNPARSED, None),
    ("Success: 8-9\nNaturalness: 6", UNPARSED, None),
    ("It was a success: 8 cats. Naturalness: 6", UNPARSED, None),
    ("Unnaturalness: 6, success: 8", UNPARSED, None),
    ("", UNPARSED, None),
    # off the scale, refused
    ('{"success": 8, "naturalness": 11}', OUT_OF_RANGE, None),
    ('{"score": [-1, 6]}', OUT_OF_RANGE, None),
    ("I'm sorry, but I can't assist with that.", REFUSED, None),
]


@pytest.mark.parametrize(("text", "status", "scores"), SEVERAL)
def test_reads_all_criteria_of_a_question_or_none(text: str, status: str, scores: tuple[float, ...] | None) -> None:
    reading = read(text, PAIR)
    assert reading.status == status
    assert reading.criteria == (dict(zip(("success", "naturalness"), scores, strict=True)) if scores else None)


@pytest.mark.parametrize(
    "text",
    [
        "Brief reasoning: 2 lamps are lit.\nPrompt Compliance: 5\nVisual Naturalness: 4\nPhysical & Detail Integrity: 3",
        "**Prompt Compliance**: 5/5\n**Visual-Naturalness**: 4/5\n**Physical and Detail Integrity**: 3/5",
        '{"prompt_compliance": 5, "Visual Naturalness": 4, "detail_integrity": 3}',
    ],
)
def test_names_of_several_words_are_read_in_any_spelling(text: str) -> None:
    assert read(text, THREE).criteria == {"prompt_compliance": 5, "visual_naturalness": 4, "detail_integrity": 3}


ONE = (Criterion("visual_consistency", 1, 5, ("consistency score",)),)


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ('{"reason": "fine", "visual_consistency": 4}', 4),
        ('{"consistency_score": 4, "reasoning": "fine"}', 4),
        ('{"score": 4}', 4),
        ("Final score: 4", 4),
        ("Visual consistency: 4/5", 4),
        ("4", 4),
        ('{"score": 4, "visual_consistency": 3}', None),
        ('{"quality": 4}', None),
    ],
)
def test_an_only_criterion_goes_by_its_name_or_by_the_words_for_a_score(text: str, score: float | None) -> None:
    assert read(text, ONE).criteria == (None if score is None else {"visual_consistency": score})


def test_answers_are_given_on_the_criterions_own_scale() -> None:
    logical = Criterion("reasoning_score", 0, 1, (), (1, 5))
    assert [read(text, (logical,)).criteria for text in ("0", "1")] == [{"reasoning_score": 1}, {"reasoning_score": 5}]
    assert read("2", (logical,)).status == OUT_OF_RANGE


def test_reason_of_several_scores_is_kept() -> None:
    assert read('{"reason": "影子，不对", "success": 8, "naturalness": 6}', PAIR).reason == "影子，不对"
    assert read('{"score": [8, 6], "reasoning": "fine"}', PAIR).reason == "fine"


@pytest.mark.parametrize("piece", ["success: ", '"score": [', "[8, ", "8, ", "editing ", "editing success", "自然度："])
def test_long_replies_of_one_piece_are_read_for_several_criteria(piece: str) -> None:
    text = (piece * 100_000)[:100_000]
    assert read(text, PAIR).criteria is None


NUMBERS = st.text(alphabet="{}[]\"':/.,*-# \nsuccessnaturalness分：８0123456789")


@settings(deadline=None)
@given(st.text() | NUMBERS, st.sampled_from([PAIR, THREE, ONE]))
def test_any_text_gives_all_criteria_within_their_ranges_or_none(text: str, criteria: tuple[Criterion, ...]) -> None:
    reading = read(text, criteria)
    assert (reading.status == OK) == (reading.criteria is not None)
    if reading.criteria is not None:
        assert all(entry.lowest <= reading.criteria[entry.name] <= entry.highest for entry in criteria)


@settings(deadline=None)
@given(st.text().filter(lambda text: not any(character.isdigit() for character in text)), st.tuples(*[st.integers(0, 10)] * 2))
def test_the_asked_form_of_several_comes_back_whatever_the_reason_says(reason: str, scores: tuple[int, int]) -> None:
    given_scores = {"success": scores[0], "naturalness": scores[1]}
    assert read(json.dumps({"reason": reason, **given_scores}), PAIR).criteria == given_scores


def test_what_could_be_read_is_told_whatever_became_of_the_rest() -> None:
    criteria = (Criterion("a", 0, 10), Criterion("b", 0, 1, (), (1, 5)), Criterion("c", 0, 10))
    reading = read('{"a": 11, "b": 1, "c": "good"}', criteria)
    assert (reading.status, reading.criteria, reading.readable) == (UNPARSED, None, {"b": 5.0})
    assert read("Score: 8", criteria).readable == {}
