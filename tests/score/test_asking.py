from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from editbench.fleet.failure import DeviceLost
from editbench.score.asking import Interview, unfinished
from editbench.score.criteria import Criterion
from editbench.score.judge import Judge, Question, Reply

QUESTION = Question("key", (), "Score it.", "", (Criterion("a", 0, 10), Criterion("b", 1, 5)))


class Narrow(Judge):
    """Has memory for two; `sizes` are those of the batches it was given."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
        self.sizes.append(len(prepared))
        if len(prepared) > 2:
            raise torch.OutOfMemoryError
        return [Reply(f"{question.key} {seed}") for question, seed in zip(prepared, seeds or [""] * 9, strict=False)]

    def force(self, questions: Any) -> list[Reply]:
        return self.answer(questions)


def questions(count: int) -> dict[int, Question]:
    return {place: replace(QUESTION, key=f"k{place}") for place in range(count)}


def ask(interview: Interview, count: int, **options: Any) -> dict[int, str]:
    batches, _ = interview.lay_out(questions(count))
    return {place: reply.text for batch in batches for place, reply in interview.answers(batch, **options).items()}


def test_what_fits_is_remembered_and_all_are_answered_in_order() -> None:
    interview = Interview(Narrow())
    wanted = {place: f"k{place} " for place in range(5)}
    assert ask(interview, 5) == ask(interview, 5) == wanted
    assert interview.judge.sizes == [5, 2, 2, 1, 2, 2, 1]


def test_halves_keep_their_seeds() -> None:
    assert ask(Interview(Narrow()), 3, seeds={0: 7, 1: 8, 2: 9}) == {0: "k0 7", 1: "k1 8", 2: "k2 9"}


def test_forced_readouts_are_asked_in_batches_and_halved() -> None:
    interview = Interview(Narrow())
    assert [*interview.forced(questions(6), 4)] == [*range(6)]
    assert interview.judge.sizes == [4, 2, 2, 2]


class Picky(Narrow):
    """Has memory for two, and never for k1."""

    def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
        if any(question.key == "k1" for question in prepared):
            raise torch.OutOfMemoryError("so many bytes")
        return super().answer(prepared, seeds)


def test_a_question_that_does_not_fit_alone_takes_no_others_down() -> None:
    interview = Interview(Picky())
    (batch,), _ = interview.lay_out(questions(4))
    replies = interview.answers(batch)
    assert {place: reply.text.strip() for place, reply in replies.items()} == {0: "k0", 1: "", 2: "k2", 3: "k3"}
    assert {place: reply.error for place, reply in replies.items() if reply.error} == {1: "OutOfMemoryError: so many bytes"}
    assert [(one.reason, one.text) for one in interview.failed] == [("out_of_memory", "so many bytes")]
    assert [place for place, reply in interview.forced(questions(4), 4).items() if reply.error] == [1]


def test_one_that_does_not_fit_alone_makes_no_batch_smaller() -> None:
    interview = Interview(Picky())
    for count in (2, 2):
        ask(interview, count)
    assert len(interview.lay_out(questions(2))[0]) == 1


def test_a_lost_device_is_not_taken_for_a_question_that_does_not_fit() -> None:
    class Lost(Narrow):
        def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
            raise torch.AcceleratorError("illegal access")

    with pytest.raises(DeviceLost):
        ask(Interview(Lost()), 2)


class Choosy(Narrow):
    """Raises for each batch with k1 in it."""

    error: type[BaseException] = TypeError

    def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
        self.sizes.append(len(prepared))
        if any(question.key == "k1" for question in prepared):
            raise self.error("what is this")
        return [Reply(question.key) for question in prepared]


def test_a_batch_that_raises_is_asked_again_one_by_one() -> None:
    interview = Interview(Choosy())
    (batch,), _ = interview.lay_out(questions(4))
    replies = interview.answers(batch)
    assert [reply.text for reply in replies.values()] == ["k0", "", "k2", "k3"]
    assert replies[1].error == "TypeError: what is this"
    assert interview.judge.sizes == [4, 1, 1, 1, 1]
    assert len(interview.lay_out(questions(4))[0]) == 1  # the next batch is as large as before


def test_a_batch_that_raises_keeps_its_seeds_one_by_one() -> None:
    class Drawing(Choosy):
        def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
            super().answer(prepared)
            return [Reply(f"{question.key} {seed}") for question, seed in zip(prepared, seeds, strict=True)]

    assert ask(Interview(Drawing()), 3, seeds={0: 7, 1: 8, 2: 9}) == {0: "k0 7", 1: "", 2: "k2 9"}


def test_a_forced_readout_that_raises_is_asked_again_one_by_one() -> None:
    class Forced(Choosy):
        def force(self, questions: Any) -> list[Reply]:
            return self.answer(questions)

    replies = Interview(Forced()).forced(questions(4), 4)
    assert {place: reply.text or reply.error for place, reply in replies.items()} == {
        0: "k0",
        1: "TypeError: what is this",
        2: "k2",
        3: "k3",
    }


def test_what_stops_the_rank_is_not_taken_for_a_question_that_fails() -> None:
    class Stopped(BaseException):
        pass

    class Stopping(Choosy):
        error = Stopped

    with pytest.raises(Stopped):
        ask(Interview(Stopping()), 2)


def test_too_few_replies_are_those_of_no_question() -> None:
    class Silent(Narrow):
        def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
            return [Reply(question.key) for question in prepared if question.key != "k1"]

    interview = Interview(Silent())
    (batch,), _ = interview.lay_out(questions(3))
    assert [reply.text or reply.error for reply in interview.answers(batch).values()] == [
        "k0",
        "UserError: the judge gave 0 replies to 1 questions",
        "k2",
    ]


class Tokenless(Narrow):
    """Can't tokenise k1, and says so in no way that a judge should."""

    def prepare(self, questions: Any) -> Any:
        if any(question.key == "k1" for question in questions):
            raise OverflowError("too long")
        return questions


def test_a_question_that_can_not_be_prepared_is_left_out_of_its_batch() -> None:
    (batch,), broken = Interview(Tokenless()).lay_out(questions(4))
    assert [*batch.questions] == [0, 2, 3]
    assert {place: one.message for place, one in broken.items()} == {1: "error: OverflowError: too long"}


def test_questions_that_can_only_be_prepared_alone_are_asked_alone() -> None:
    class Solitary(Narrow):
        def prepare(self, questions: Any) -> Any:
            if len(questions) > 1:
                raise ValueError("one at a time")
            return questions

    batches, broken = Interview(Solitary()).lay_out(questions(3))
    assert ([[*batch.questions] for batch in batches], broken) == ([[0], [1], [2]], {})


def test_a_smaller_size_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    interview = Interview(Narrow())
    ask(interview, 5)
    assert "5 questions at once did not fit into memory: from here on 2" in caplog.text


def test_a_judge_that_can_not_be_forced_says_so() -> None:
    class Plain(Judge):
        def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
            return []

    assert Interview(Plain()).forced(questions(1), 4) is None


@pytest.mark.parametrize(
    ("prefix", "written", "said"),
    [
        ("", "", '{"b": '),
        ("", "no end", '{"b": '),
        ("", "It is good. It has", 'It is good.\n{"b": '),
        ("", "First line\nsecond", 'First line\n{"b": '),
        ("", "很好。但是", '很好。\n{"b": '),
        ("", "About 8.5 or", '{"b": '),
        ("", '{"reason": "It is good. It has', '{"reason": "It is good.", "b": '),
        ("", '{"reason": "It is \\"good.\\" It has', '{"reason": "It is \\"good.\\"", "b": '),
        ("", '{"reason": "It is good."}\nSo', '{"reason": "It is good."}\n{"b": '),
        ("<think></think>\n", "Good. But", 'Good.\n{"b": '),
        ("<think></think>\n", "Good", '{"b": '),
        ('{"reason": "', "Good. But", 'Good.", "b": '),
    ],
)
def test_an_answer_is_forced_behind_the_last_whole_sentence(prefix: str, written: str, said: str) -> None:
    asked = unfinished(replace(QUESTION, answer_prefix=prefix), prefix + written, 1)
    assert (asked.answer_prefix, asked.said, asked.criteria) == (prefix, said, QUESTION.criteria[1:])


def test_an_opened_answer_without_a_whole_sentence_is_begun_anew() -> None:
    asked = unfinished(replace(QUESTION, answer_prefix='{"reason": "'), '{"reason": "Good', 0)
    assert (asked.answer_prefix, asked.said) == ("", '{"a": ')
