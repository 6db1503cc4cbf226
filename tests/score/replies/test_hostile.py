"""Whatever a reply says, it is read without an exception and in time linear in its length."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editbench.records import OK, STATUSES
from editbench.score.criteria import Criterion
from editbench.score.judge import Question
from editbench.score.replies import read
from editbench.score.replies.positions import answer_offsets
from editbench.score.runner import unfinished

CRITERIA = (
    (Criterion("score", 0, 10),),
    (Criterion("visual_consistency", 1, 5, ("consistency score",)),),
    (Criterion("logic", 0, 1, (), (1, 5)),),
    (Criterion("naturalness", 0, 10, ("自然度",)), Criterion("artifacts", 1, 5)),
    (Criterion("a", 0, 10), Criterion("a_b", 0, 10, ("Detail & Care",)), Criterion("b", 0, 10)),
)
PIECES = (
    *("Score", "the final score", "评分", "naturalness", "artifacts", "自然度", "a", "a_b", "detail & care", "score1", "logic"),
    *(
        ": ",
        "=",
        " is ",
        " of ",
        " for ",
        " - ",
        "为",
        " to ",
        " or ",
        "到",
        "或",
        ", no, ",
        " maybe ",
        "改为",
        "actually ",
        "rated ",
    ),
    *(
        "0",
        "1",
        "5",
        "8",
        "10",
        "11",
        "-1",
        "8.5",
        "8/10",
        "８",
        "½",
        "٨",
        "six",
        "sıx",
        "ſix",
        "六",
        "9" * 400,
        "+",
        "%",
        "分",
    ),
    *(
        "{",
        "}",
        "[",
        "]",
        '"',
        "'",
        ",",
        '"score"',
        '"reason": "',
        '{"score": 8}',
        "\\",
        "```",
        "<think>",
        "</think>",
        "**",
        "###",
    ),
    *(
        " ",
        "\n",
        "\t",
        "\r",
        "\0",
        "\x1c",
        "\x1d",
        "\x85",
        "\u2028",
        "\u200b",
        "\u3000",
        "\ud83d",
        "\U0001f642",
        "。",
        "，",
        "：",
        "K",
    ),
    *(
        "if ",
        "would ",
        "not a ",
        "sorry, I cannot ",
        "抱歉，无法",
        "I would give it a score of ",
        "On reflection the final score: ",
    ),
)
TEXTS = st.text() | st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@settings(deadline=None)
@given(TEXTS, st.sampled_from(CRITERIA))
def test_any_text_is_read(text: str, criteria: tuple[Criterion, ...]) -> None:
    reading = read(text, criteria)
    assert reading.status in STATUSES
    assert (reading.status == OK) == (reading.criteria is not None)
    for entry in criteria if reading.criteria else ():
        low, high = entry.scale or (entry.lowest, entry.highest)
        assert low <= reading.criteria[entry.name] <= high


@settings(deadline=None)
@given(TEXTS, st.sampled_from(CRITERIA))
def test_the_place_of_an_answer_is_where_its_digits_are(text: str, criteria: tuple[Criterion, ...]) -> None:
    offsets = answer_offsets(text, criteria)
    reading = read(text, criteria)
    assert not offsets or reading.status == OK
    for entry in criteria:
        if entry.name in offsets:
            digits = text[offsets[entry.name] :][:2]
            answers = {float(digits[:1]), float(digits) if digits.isascii() and digits.isdigit() else None}
            assert reading.criteria[entry.name] in {entry.value(answer) for answer in answers if answer is not None}


@settings(deadline=None)
@given(TEXTS, TEXTS, st.integers(0, 1))
def test_any_reply_can_be_gone_on_with(prefix: str, written: str, criterion: int) -> None:
    question = Question("key", (), "Score it.", prefix, CRITERIA[3])
    asked = unfinished(question, prefix + written, criterion)
    assert asked == replace(
        question, criteria=CRITERIA[3][criterion : criterion + 1], answer_prefix=asked.answer_prefix, said=asked.said
    )
    assert asked.said.endswith(": ")


@pytest.mark.parametrize(
    "text", ["Score: [5,\x1d6]", "[5,\x1f6]", '{"score": ' * 900 + "8" + "}" * 900, "Score: 8\nFinal score: fıve"]
)
def test_replies_that_once_raised_are_read(text: str) -> None:
    assert {read(text, criteria).status for criteria in CRITERIA} <= {*STATUSES}


@pytest.mark.parametrize("piece", PIECES)
def test_long_replies_of_one_piece_are_read(piece: str) -> None:
    # A pattern that backtracks takes minutes here; a linear one a fraction of a second.
    text = f"Score: 8 naturalness {piece * 30_000}"[:30_000]
    for criteria in (CRITERIA[0], CRITERIA[3]):
        assert read(text, criteria).status in STATUSES
