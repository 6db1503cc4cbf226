"""One endpoint or several, and what becomes of those that die, lie or differ."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from editbench import identity
from editbench.errors import StageError, UserError
from editbench.fleet import status
from editbench.fleet.status import RunStatus
from editbench.paths import ScorePaths
from editbench.records import Judgement
from editbench.score.served.endpoint import Endpoint, Unavailable

from .server import Reply, Server

Judged = Callable[..., dict[str, Judgement]]
Serve = Callable[..., Server]


def test_two_endpoints_share_the_work(serve: Serve, judged: Judged) -> None:
    quick = serve()

    def last(*_: Any) -> Reply:
        deadline = time.monotonic() + 20
        while len(quick.requests) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        return Reply(seconds=0.2)

    slow = serve(last)
    judged(slow, quick, concurrency=2)
    assert (len(slow.requests), len(quick.requests)) == (1, 4)


def test_an_endpoint_that_dies_is_left_out_and_tried_again(serve: Serve, judged: Judged) -> None:
    dying = Server()

    def die(*_: Any) -> Reply:
        dying.alive = False
        return Reply()

    dying.answer = die
    with dying.running():

        def revive(_: dict[str, Any], __: int) -> Reply:
            if len(other.requests) == 3:
                dying.answer, dying.alive = (lambda *_: Reply()), True
            return Reply(seconds=0.2)

        other = serve(revive)
        rows = judged(dying, other, concurrency=2)
    assert {row.score for row in rows.values()} == {7.0}
    assert len(dying.requests) >= 2
    assert sum(other.answered.values()) >= 3


def test_every_endpoint_has_a_row_of_its_own_in_the_panel(serve: Serve, judged: Judged, tmp_path: Path) -> None:
    bad, good = serve(lambda *_: Reply(status=500)), serve(lambda *_: Reply(seconds=0.1))
    judged(bad, good, concurrency=2)
    paths = ScorePaths(tmp_path / "scores")
    about = RunStatus.read(paths)
    assert about is not None
    assert about.unit == "endpoint"
    failing, working = status.read_all(paths, about.attempt)
    assert (working.device, working.done, working.message) == (good.url.removeprefix("http://").removesuffix("/v1"), 5, "")
    assert (failing.done, failing.endpoint.errors >= 1, "500" in failing.message) == (0, True, True)
    assert (working.endpoint.in_flight, working.endpoint.errors) == (0, 0)
    assert min(working.endpoint.latency, working.endpoint.tokens_per_second) > 0


def test_a_dead_endpoint_at_the_start_is_only_warned_of(
    serve: Serve, judged: Judged, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = Server(port=1)
    assert {row.score for row in judged(gone, serve()).values()} == {7.0}
    assert "127.0.0.1:1/v1 does not answer" in capsys.readouterr().err


def test_when_no_endpoint_answers_any_more_the_run_ends_and_resumes(serve: Serve, judged: Judged, tmp_path: Path) -> None:
    server = serve()

    def answer(*_: Any) -> Reply:
        server.alive = len(server.requests) <= 2
        return Reply()

    server.answer = answer
    with pytest.raises(StageError, match=r"no endpoint has answered for 0.3 s"):
        judged(server, patience=0.3, concurrency=1)
    assert len(ScorePaths(tmp_path / "scores").all_chunks()) == 2
    server.alive, server.answer = True, lambda *_: Reply()
    assert {row.score for row in judged(server).values()} == {7.0}
    assert [*server.answered.values()] == [1] * 5


def test_endpoints_of_a_run_that_was_halted_have_stopped(serve: Serve, judged: Judged, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="refuses the key"):
        judged(serve(lambda *_: Reply(status=401, body=b"{}")))
    assert [row.state for row in status.read_all(ScorePaths(tmp_path / "scores"), 1)] == [status.STOPPED]


@pytest.mark.parametrize(
    ("server", "message"),
    [
        (Server(models=("other",)), "serves no model qwen"),
        (Server(answer=lambda *_: Reply(status=401, body=b"{}")), "refuses the key"),
        (Server(answer=lambda *_: Reply(status=404, body=b'{"error": {"message": "no such model"}}')), "no such model"),
        (
            Server(answer=lambda *_: Reply(status=429, body=b'{"error": {"code": "insufficient_quota", "message": "pay"}}')),
            "pay",
        ),
    ],
)
def test_a_server_that_is_of_no_use_ends_the_run_at_once(server: Server, message: str, judged: Judged) -> None:
    with server.running(), pytest.raises(Exception, match=message) as caught:
        judged(server)
    assert caught.value.status == 2
    assert len(server.requests) <= 4


@pytest.mark.parametrize(
    ("told", "seconds"), [("7", 7.0), ("-1", 0.0), ("900", 300.0), ("nan", None), ("inf", None), ("Fri, 1 Jan 2027", None)]
)
def test_how_long_a_server_asks_to_wait_is_bounded(serve: Serve, told: str, seconds: float | None) -> None:
    server = serve(lambda *_: Reply(status=429, headers={"Retry-After": told}))
    with pytest.raises(Unavailable) as caught:
        Endpoint(server.url, 5.0).complete({"model": "qwen", "messages": [{"role": "user", "content": [{"text": ""}]}]})
    assert caught.value.wait == seconds


def test_endpoints_must_be_alike(serve: Serve, judged: Judged) -> None:
    with pytest.raises(UserError, match=r"not alike: .*vllm 0.11.0; .*vllm 0.12.0"):
        judged(serve(), serve(version="0.12.0"))


def test_another_version_of_the_server_is_another_judge(serve: Serve, judged: Judged) -> None:
    server = serve()
    judged(server)
    server.version = "0.12.0"
    with pytest.raises(UserError, match="results of other settings"):
        judged(server)


def test_half_an_emoji_in_a_server_s_version_is_spelled_out(serve: Serve, judged: Judged, tmp_path: Path) -> None:
    judged(serve(version="\ud83d"))
    assert identity.load(ScorePaths(tmp_path / "scores").identity)["model"]["version"] == "\\ud83d"


def test_endpoints_and_concurrency_are_no_part_of_the_identity(serve: Serve, judged: Judged) -> None:
    server, other = serve(), serve()
    judged(server)
    judged(other, concurrency=1, price_in=1.0, price_out=1.0)
    assert other.requests == []
