"""Scores read from the distribution that a server tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from editbench.errors import UserError
from editbench.records import Judgement

from .server import Reply, Server

Judged = Callable[..., dict[str, Judgement]]
Serve = Callable[..., Server]


def digits(**probabilities: float) -> dict[str, float]:
    """`p7=0.9`: the token "7" has this probability."""
    return {name.removeprefix("p"): value for name, value in probabilities.items()}


def test_the_expected_score_comes_from_top_logprobs(serve: Serve, judged: Judged) -> None:
    server = serve(lambda *_: Reply(logprobs=[("7", digits(p7=0.6, p8=0.2, x=0.2))]))
    row = judged(server, settings={"readout": "expected"})["social"]
    assert (row.score, row.mass) == (pytest.approx(7.25), pytest.approx(0.8))
    request = server.requests[0]
    assert (request["messages"][-1]["content"], request["continue_final_message"]) == ("Score: ", True)
    assert (request["logprobs"], request["top_logprobs"]) == (True, 20)


def test_ten_is_told_from_one(serve: Serve, judged: Judged) -> None:
    """Digits are tokens: P(10) = P(1) P(0 | 1), which a second request tells where another digit was written."""

    def answer(request: dict[str, Any], _: int) -> Reply:
        if request["messages"][-1]["content"].endswith("1"):
            return Reply(logprobs=[("0", digits(p0=0.75, x=0.25))])
        return Reply(logprobs=[("9", digits(p9=0.6, p1=0.4)), ("}", {"}": 1.0})])

    row = judged(serve(answer), settings={"readout": "expected"})["social"]
    assert (row.score, row.mass) == (pytest.approx(0.6 * 9 + 0.3 * 10 + 0.1), pytest.approx(1.0))
    first = serve(lambda *_: Reply(logprobs=[("1", digits(p1=1.0)), ("0", digits(p0=0.9, x=0.1))]))
    assert judged(first, settings={"readout": "expected"}, run={"fresh": True})["social"].score == pytest.approx(9.1)
    assert set(first.keys.values()) == {1}


def test_ten_may_be_a_token_of_its_own(serve: Serve, judged: Judged) -> None:
    server = serve(lambda *_: Reply(logprobs=[(" 10", {" 10": 0.5, "1": 0.25, "2": 0.25})]))
    assert judged(server, settings={"readout": "expected"})["social"].score == pytest.approx(5.75)


def test_without_prefill_the_distribution_is_read_where_the_score_stands(serve: Serve, judged: Judged) -> None:
    told = [("Score", {"Score": 1.0}), (":", {":": 1.0}), (" 4", {" 4": 0.5, " 6": 0.5}), (".", {".": 1.0})]
    server = serve(lambda *_: Reply("Score: 4.", logprobs=told))
    rows = judged(server, settings={"readout": "expected"}, prefill=False)
    assert [row.score for row in rows.values()] == [pytest.approx(5.0)] * 5
    assert {len(request["messages"]) for request in server.requests} == {1}


def test_a_server_without_logprobs_is_told_of_at_the_first_reply(serve: Serve, judged: Judged) -> None:
    server = serve(lambda *_: Reply("7"))
    with pytest.raises(UserError, match="gives no top_logprobs"):
        judged(server, settings={"readout": "expected"}, concurrency=1)
    assert len(server.requests) == 1


def test_an_unreadable_reply_is_read_from_its_distribution(serve: Serve, judged: Judged) -> None:
    def answer(request: dict[str, Any], _: int) -> Reply:
        if request.get("logprobs"):
            return Reply(logprobs=[("3", digits(p3=0.9, p4=0.1))])
        return Reply("It is fine.")

    server = serve(answer)
    row = judged(server)["social"]
    assert (row.read, row.score, row.response) == ("forced", 3.0, "It is fine.")
    assert server.requests[-1]["messages"][-1]["content"] == 'It is fine.\n{"score": '
