from __future__ import annotations

from typing import Any

import pytest

from editbench.records import ERROR, OK, OUT_OF_RANGE, REFUSED, UNPARSED
from editbench.score import votes
from editbench.score.criteria import Criterion
from editbench.score.judge import Reply
from editbench.score.votes import Answer, SampleOutcome, Vote

A, B = Criterion("a", 0, 10), Criterion("b", 0, 1, (), (1, 5))


def vote(*replies: str, **distributions: tuple[float, ...]) -> Vote:
    """One question a reply; the first asks for a, the second for b."""
    pairs = zip(("first", "second"), ((A,), (B,)), replies, strict=False)
    answers = [votes.written(name, criteria, Reply(text, distributions)) for name, criteria, text in pairs]
    return Vote.of(answers, lambda criteria: sum(criteria.values()))


def decided(*votes: Vote) -> dict[str, Any]:
    outcome = SampleOutcome.of(votes, lambda criteria: {"half": criteria["a"] / 2})
    return {"status": outcome.status, **outcome.values}


def test_all_answers_are_merged_and_scored() -> None:
    row = decided(vote('{"a": 3}', '{"b": 1}'))
    assert (row["status"], row["score"], row["criteria"], row["read"]) == (OK, 8.0, {"a": 3.0, "b": 5.0}, "generate")
    assert row["response"] == '[first]\n{"a": 3}\n\n[second]\n{"b": 1}'


@pytest.mark.parametrize(
    ("second", "status"), [("?", UNPARSED), ('{"b": 2}', OUT_OF_RANGE), ("I'm sorry, I can't help with that.", REFUSED)]
)
def test_the_worst_of_its_questions_is_a_samples_status(second: str, status: str) -> None:
    row = decided(vote('{"a": 3}', second))
    assert (row["status"], row["score"], row["criteria"], row["read"]) == (status, None, None, "")


def test_votes_are_averaged_within_the_sample_and_their_spread_is_kept() -> None:
    row = decided(vote('{"a": 3}'), vote('{"a": 6}'), vote("?"))
    assert (row["score"], row["criteria"], row["votes"], row["status"]) == (4.5, {"a": 4.5}, 2, OK)
    assert row["spread"] == pytest.approx(2.12132)
    assert row["response"] == '[vote 1]\n{"a": 3}\n\n[vote 2]\n{"a": 6}\n\n[vote 3]\n?'


def test_one_vote_has_no_spread_and_no_title() -> None:
    row = decided(vote('{"a": 3}'))
    assert (row["votes"], row["spread"], row["response"]) == (1, None, '{"a": 3}')


def kept(*replies: str, criteria: tuple[Criterion, ...] = (A, B)) -> Vote:
    """A vote on both criteria in each reply, by a rubric that keeps what could be read."""
    answers = [votes.written(f"q{number}", criteria, Reply(text)) for number, text in enumerate(replies)]
    return Vote.of(answers, lambda criteria: sum(criteria.values()) / len(criteria), keep=True)


@pytest.mark.parametrize("reply", ['{"a": 3}', '{"a": 3, "b": 2}', '{"a": 3, "b": "good"}'])
def test_a_rubric_may_keep_the_criteria_that_could_be_read(reply: str) -> None:
    outcome = SampleOutcome.of([kept(reply)], lambda criteria: {})
    assert (outcome.status, outcome.values["score"], outcome.values["criteria"], outcome.partial) == (OK, 3.0, {"a": 3.0}, True)


def test_where_nothing_could_be_read_nothing_is_kept() -> None:
    outcome = SampleOutcome.of([kept("?")], lambda criteria: {})
    assert (outcome.status, outcome.values["score"], outcome.partial) == (UNPARSED, None, False)


def test_what_is_whole_is_not_partial_and_counts_before_what_is() -> None:
    outcome = SampleOutcome.of([kept('{"a": 3}'), kept('{"a": 5, "b": 1}')], lambda criteria: {})
    assert (outcome.values["score"], outcome.values["criteria"], outcome.partial) == (5.0, {"a": 5.0, "b": 5.0}, False)
    outcome = SampleOutcome.of([kept('{"a": 3}'), kept('{"b": 1}')], lambda criteria: {})
    assert (outcome.values["score"], outcome.values["criteria"], outcome.partial) == (4.0, {"a": 3.0, "b": 5.0}, True)


def test_an_ask_that_failed_is_asked_again_and_not_left_out() -> None:
    answers = [votes.written("q", (A,), Reply('{"a": 3}')), votes.written("r", (B,), Reply("", error="down"))]
    assert Vote.of(answers, lambda criteria: 0.0, keep=True).status == ERROR


def test_votes_of_which_none_can_be_read_are_counted_as_cast() -> None:
    row = decided(vote("?"), vote("?"))
    assert (row["status"], row["votes"], row["score"]) == (UNPARSED, 2, None)


def test_distributions_beside_a_written_score_give_what_was_expected() -> None:
    row = decided(vote('{"a": 3}', '{"b": 1}', a=(0.0,) * 3 + (0.4, 0.4) + (0.0,) * 6, b=(0.25, 0.75)))
    assert (row["score"], row["expected"], row["mass"]) == (8.0, 3.5 + 4.0, 0.8)


def test_without_all_distributions_nothing_is_expected() -> None:
    assert decided(vote('{"a": 3}', '{"b": 1}', a=(0.1,) * 11))["expected"] is None


def test_a_forced_answer_is_the_most_likely_one_and_marked() -> None:
    unread = votes.written("first", (A, B), Reply("Well."))
    replies = [Reply("", {"a": (0.1, 0.2) + (0.0,) * 9}), Reply("", {"b": (0.02, 0.06)})]
    row = decided(Vote.of([votes.forced(unread, (A, B), replies)], lambda criteria: sum(criteria.values())))
    assert (row["score"], row["criteria"], row["read"], row["response"]) == (6.0, {"a": 1.0, "b": 5.0}, "forced", "Well.")
    assert (row["expected"], row["mass"]) == (round(2 / 3 + 4, 6), 0.08)


def test_a_forced_readout_without_mass_leaves_the_reply_unread() -> None:
    unread = votes.written("first", (A,), Reply("Well."))
    assert votes.forced(unread, (A,), [Reply("", {"a": (0.0,) * 11})]) is unread


def test_distributions_alone_are_read_by_their_means() -> None:
    answers: list[Answer] = [
        votes.distributed("q", (A,), Reply("", {"a": (0.0, 0.3, 0.3) + (0.0,) * 8})),
        votes.distributed("q", (B,), Reply("", {"b": (0.5, 0.5)})),
    ]
    row = decided(Vote.of(answers, lambda criteria: sum(criteria.values())))
    assert (row["score"], row["criteria"], row["mass"]) == (4.5, {"a": 1.5, "b": 3.0}, 0.6)
    assert (row["read"], row["response"]) == ("expected", "")


def test_steps_are_averaged_over_the_votes_that_count() -> None:
    assert decided(vote('{"a": 3}'), vote('{"a": 6}'), vote("?"))["steps"] == {"half": 2.25}
    assert decided(vote("?"))["steps"] is None


@pytest.mark.parametrize("read", [votes.written, votes.distributed])
def test_a_question_that_failed_fails_the_sample_whatever_else_is_known(read: Any) -> None:
    lost = Vote.of([read("second", (B,), Reply("", error="out_of_memory: too large"))], lambda criteria: 0.0)
    assert decided(vote('{"a": 3}'), lost) == {"status": ERROR, "response": "out_of_memory: too large"}


def test_a_forced_readout_that_failed_fails_the_answer() -> None:
    unread = votes.written("first", (A,), Reply("Well."))
    answer = votes.forced(unread, (A,), [Reply("", error="nan: no numbers")])
    assert (answer.status, answer.reason) == (ERROR, "nan: no numbers")
