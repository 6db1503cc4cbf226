"""What goes wrong with one sample, at any step of judging it, is told in its row and changes no other's."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest
import torch

from editbench import images
from editbench.fleet.failure import DeviceLost
from editbench.score import rubric
from editbench.score.judge import JudgeSettings, Reply
from editbench.score.worker import ScoreWorker

from .judges import ALL, KEYS, PULSE, Fixed, rows


class Raises(Fixed):
    """`error`: raised for each batch with the sample `social` in it."""

    error: BaseException = ValueError("no idea")

    def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
        if any(question.key == "social" for question in prepared):
            raise type(self).error
        return super().answer(prepared)


class Unprepared(Fixed):
    def prepare(self, questions: Any) -> Any:
        if any(question.key == "social" for question in questions):
            raise TypeError("can't be tokenised")
        return questions


class Gives(Fixed):
    """`given`: its reply to the sample `social`."""

    given: Any = None

    def __init__(self, settings: JudgeSettings) -> None:
        super().__init__(settings)
        self.replies["social"] = type(self).given


class Unforced(Fixed):
    """Its answer to one sample can't be read, and the forced readout of it raises."""

    def __init__(self, settings: JudgeSettings) -> None:
        super().__init__(settings)
        self.replies["social"] = Reply("It is good.")

    def force(self, questions: Any) -> list[Reply]:
        raise RuntimeError("can't be forced")


def only_social_failed(worker: ScoreWorker) -> str:
    """What its row says."""
    judged = rows(worker)
    assert {key: row["score"] for key, row in judged.items()} == {**ALL, "social": None}
    assert judged["social"]["status"] == "error"
    return judged["social"]["response"]


def test_a_sample_for_which_the_judge_raises_fails_alone(work: Any) -> None:
    assert only_social_failed(work(Raises)) == "ValueError: no idea"


def test_a_sample_that_the_judge_can_not_prepare_fails_alone(work: Any) -> None:
    assert only_social_failed(work(Unprepared)) == "error: TypeError: can't be tokenised"


def test_a_sample_whose_forced_readout_raises_fails_alone(work: Any) -> None:
    assert only_social_failed(work(Unforced)) == "RuntimeError: can't be forced"


@pytest.mark.parametrize("given", [None, "8", Reply(None), Reply("", {"score": 3})])
def test_a_reply_that_is_none_fails_alone(work: Any, monkeypatch: pytest.MonkeyPatch, given: Any) -> None:
    monkeypatch.setattr(Gives, "given", given)
    assert "Error: " in only_social_failed(work(Gives))


def test_a_reply_that_utf_8_can_not_hold_is_kept_in_its_row(work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gives, "given", Reply('{"reason": "\ud83d", "score": 7}'))
    judged = rows(work(Gives))
    assert (judged["social"]["score"], judged["social"]["response"]) == (7, '{"reason": "\\ud83d", "score": 7}')


@pytest.mark.parametrize("error", [struct.error("odd header"), MemoryError("too large"), OSError("stale handle")])
def test_a_picture_that_can_not_be_decoded_fails_alone(work: Any, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def decode(data: bytes, name: str, decode: Callable[..., Any] = images.decode) -> Any:
        if "social.edited" in name:
            raise error
        return decode(data, name)

    monkeypatch.setattr(images, "decode", decode)
    assert only_social_failed(work()).endswith(f"{type(error).__name__}: {error}")


@pytest.mark.parametrize("step", ["asks", "score", "steps"])
def test_a_sample_that_the_rubric_can_not_take_fails_alone(work: Any, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    usual = getattr(rubric.Rubric, step)

    def odd(self: rubric.Rubric, *arguments: Any) -> Any:
        if any(getattr(one, "key", "") == "social" for one in arguments):
            raise ArithmeticError(step)
        return usual(self, *arguments)

    worker = work()
    monkeypatch.setattr(rubric.Rubric, step, odd)
    assert only_social_failed(worker) == f"error: ArithmeticError: {step}"


class Hopeless(Fixed):
    def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
        raise RuntimeError("never")


def test_a_judge_that_always_raises_has_a_row_for_each_sample_that_says_so(work: Any) -> None:
    judged = rows(work(Hopeless))
    assert {row["response"] for row in judged.values()} == {"RuntimeError: never"}
    assert [*judged] == [*KEYS]


class Offline(Fixed):
    def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
        raise ConnectionError("offline")


@pytest.mark.parametrize("votes", [1, 2])
def test_a_chunk_of_which_all_failed_of_what_may_be_passing_is_tried_again(work: Any, votes: int) -> None:
    with pytest.raises(OSError, match=r"^offline$"):
        rows(work(Offline, votes=votes, temperature=0.5 if votes > 1 else 0.0))


def test_a_chunk_of_which_no_picture_can_be_read_for_now_is_tried_again(work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(data: bytes, name: str) -> Any:
        raise OSError("stale handle")

    worker = work(edits={"failed": ("causal",)})
    monkeypatch.setattr(images, "decode", decode)
    with pytest.raises(OSError, match=r"^stale handle$"):
        rows(worker)


class Stopped(BaseException):
    pass


@pytest.mark.parametrize(("error", "raised"), [(torch.AcceleratorError("illegal access"), DeviceLost), (Stopped(), Stopped)])
def test_a_lost_device_and_a_stop_take_the_rank_down(
    work: Any, monkeypatch: pytest.MonkeyPatch, error: BaseException, raised: type[BaseException]
) -> None:
    monkeypatch.setattr(Raises, "error", error)
    worker = work(Raises)
    with pytest.raises(raised):
        worker.compute(0, worker.prepare(0), PULSE)
