from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from editbench.fleet.failure import DeviceLost
from editbench.score.criteria import Criterion
from editbench.score.judge import Judge, Question, Reply
from editbench.score.runner import JudgeRunner, unfinished

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
    return {row: replace(QUESTION, key=f"k{row}") for row in range(count)}


def ask(runner: JudgeRunner, count: int, **options: Any) -> dict[int, str]:
    batches, _ = runner.prepare(questions(count))
    return {row: reply.text for batch in batches for row, reply in runner.answer(batch, **options).items()}


def test_what_fits_is_remembered_within_a_chunk_and_all_are_answered_in_order() -> None:
    runner = JudgeRunner(Narrow())
    wanted = {row: f"k{row} " for row in range(5)}
    assert ask(runner, 5) == ask(runner, 5) == wanted
    assert runner.judge.sizes == [5, 2, 2, 1, 2, 2, 1]
    runner.start_chunk()
    assert ask(runner, 5) == wanted
    assert runner.judge.sizes[7:] == [5, 2, 2, 1]


def test_replies_of_a_smaller_batch_than_planned_say_so() -> None:
    runner = JudgeRunner(Narrow())
    for count, short in ((2, set()), (5, {*range(5)}), (3, {0, 1, 2}), (2, set())):
        (batch,), _ = runner.prepare(questions(count))
        assert {row for row, reply in runner.answer(batch).items() if reply.short_of_memory} == short
    assert [reply.short_of_memory for reply in runner.force(questions(5), 4).values()] == [True] * 4 + [False]


def test_questions_asked_one_by_one_for_another_reason_do_not_say_so() -> None:
    assert not any(reply.short_of_memory for reply in replies_of(JudgeRunner(Choosy()), 4))


def replies_of(runner: JudgeRunner, count: int) -> list[Reply]:
    (batch,), _ = runner.prepare(questions(count))
    return [*runner.answer(batch).values()]


def test_halves_keep_their_seeds() -> None:
    assert ask(JudgeRunner(Narrow()), 3, seeds={0: 7, 1: 8, 2: 9}) == {0: "k0 7", 1: "k1 8", 2: "k2 9"}


def test_forced_readouts_are_asked_in_batches_and_halved() -> None:
    runner = JudgeRunner(Narrow())
    assert [*runner.force(questions(6), 4)] == [*range(6)]
    assert runner.judge.sizes == [4, 2, 2, 2]


class Picky(Narrow):
    """Has memory for two, and never for k1."""

    def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
        if any(question.key == "k1" for question in prepared):
            raise torch.OutOfMemoryError("so many bytes")
        return super().answer(prepared, seeds)


def test_a_question_that_does_not_fit_alone_takes_no_others_down() -> None:
    runner = JudgeRunner(Picky())
    (batch,), _ = runner.prepare(questions(4))
    replies = runner.answer(batch)
    assert {row: reply.text.strip() for row, reply in replies.items()} == {0: "k0", 1: "", 2: "k2", 3: "k3"}
    assert {row: reply.error for row, reply in replies.items() if reply.error} == {1: "OutOfMemoryError: so many bytes"}
    assert [(one.reason, one.text) for one in runner.failures] == [("out_of_memory", "so many bytes")]
    assert [row for row, reply in runner.force(questions(4), 4).items() if reply.error] == [1]


def test_one_that_does_not_fit_alone_makes_no_batch_smaller() -> None:
    runner = JudgeRunner(Picky())
    for count in (2, 2):
        ask(runner, count)
    assert len(runner.prepare(questions(2))[0]) == 1


def test_a_lost_device_is_not_taken_for_a_question_that_does_not_fit() -> None:
    class Lost(Narrow):
        def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
            raise torch.AcceleratorError("illegal access")

    with pytest.raises(DeviceLost):
        ask(JudgeRunner(Lost()), 2)


class Choosy(Narrow):
    """Raises for each batch with k1 in it."""

    error: type[BaseException] = TypeError

    def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
        self.sizes.append(len(prepared))
        if any(question.key == "k1" for question in prepared):
            raise self.error("what is this")
        return [Reply(question.key) for question in prepared]


def test_a_batch_that_raises_is_asked_again_one_by_one() -> None:
    runner = JudgeRunner(Choosy())
    (batch,), _ = runner.prepare(questions(4))
    replies = runner.answer(batch)
    assert [reply.text for reply in replies.values()] == ["k0", "", "k2", "k3"]
    assert replies[1].error == "TypeError: what is this"
    assert runner.judge.sizes == [4, 1, 1, 1, 1]
    assert len(runner.prepare(questions(4))[0]) == 1  # the next batch is as large as before


def test_a_batch_that_raises_keeps_its_seeds_one_by_one() -> None:
    class Drawing(Choosy):
        def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
            super().answer(prepared)
            return [Reply(f"{question.key} {seed}") for question, seed in zip(prepared, seeds, strict=True)]

    assert ask(JudgeRunner(Drawing()), 3, seeds={0: 7, 1: 8, 2: 9}) == {0: "k0 7", 1: "", 2: "k2 9"}


def test_a_forced_readout_that_raises_is_asked_again_one_by_one() -> None:
    class Forced(Choosy):
        def force(self, questions: Any) -> list[Reply]:
            return self.answer(questions)

    replies = JudgeRunner(Forced()).force(questions(4), 4)
    assert {row: reply.text or reply.error for row, reply in replies.items()} == {
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
        ask(JudgeRunner(Stopping()), 2)


def test_too_few_replies_are_those_of_no_question() -> None:
    class Silent(Narrow):
        def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
            return [Reply(question.key) for question in prepared if question.key != "k1"]

    runner = JudgeRunner(Silent())
    (batch,), _ = runner.prepare(questions(3))
    assert [reply.text or reply.error for reply in runner.answer(batch).values()] == [
        "k0",
        "UserError: the judge gave 0 replies to 1 question",
        "k2",
    ]


class Tokenless(Narrow):
    """Can't tokenise k1, and says so in no way that a judge should."""

    def prepare(self, questions: Any) -> Any:
        if any(question.key == "k1" for question in questions):
            raise OverflowError("too long")
        return questions


def test_a_question_that_can_not_be_prepared_is_left_out_of_its_batch() -> None:
    (batch,), failures = JudgeRunner(Tokenless()).prepare(questions(4))
    assert [*batch.questions] == [0, 2, 3]
    assert {row: one.message for row, one in failures.items()} == {1: "error: OverflowError: too long"}


def test_questions_that_can_only_be_prepared_alone_are_asked_alone() -> None:
    class Solitary(Narrow):
        def prepare(self, questions: Any) -> Any:
            if len(questions) > 1:
                raise ValueError("one at a time")
            return questions

    batches, failures = JudgeRunner(Solitary()).prepare(questions(3))
    assert ([[*batch.questions] for batch in batches], failures) == ([[0], [1], [2]], {})


def test_a_smaller_size_is_told_of(caplog: pytest.LogCaptureFixture) -> None:
    runner = JudgeRunner(Narrow())
    ask(runner, 5)
    assert "5 questions at once did not fit into memory: for the rest of the chunk 2" in caplog.text


def test_a_judge_that_can_not_be_forced_says_so() -> None:
    class Plain(Judge):
        def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
            return []

    assert JudgeRunner(Plain()).force(questions(1), 4) is None


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
