"""`score --endpoint`, over real HTTP, with all that a server can do wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import orjson
import pytest

from editbench.errors import Incomplete, Interrupted, UserError
from editbench.paths import ScorePaths
from editbench.records import ERROR, OK, OUT_OF_RANGE, REFUSED, UNPARSED, Judgement
from editbench.score.served.options import ServedOptions

from .server import MODEL, Reply, Server, asked_about, pictures_of, text_of

KEYS = ("physical", "environmental", "social", "causal", "referential")
Judged = Callable[..., dict[str, Judgement]]
Serve = Callable[..., Server]


def test_replies_become_rows_in_the_benchmarks_order(serve: Serve, judged: Judged, tmp_path: Path) -> None:
    numbers = dict(zip(KEYS, range(5), strict=True))

    def answer(request: dict[str, Any], _: int) -> Reply:
        number = numbers[asked_about(request)]
        return Reply(f'{{"score": {number}}}', seconds=0.05 * (5 - number))

    server = serve(answer)
    rows = judged(server)
    assert [*rows] == [*KEYS]
    assert {key: (row.status, row.score) for key, row in rows.items()} == {key: (OK, float(numbers[key])) for key in KEYS}
    assert 2 <= server.most <= 4
    request = server.requests[0]
    assert (request["model"], request["max_tokens"], request["temperature"]) == (MODEL, 256, 0.0)
    assert [picture.size for picture in pictures_of(request)] == [(320, 224), (320, 224)]
    paths = ScorePaths(tmp_path / "scores")
    identity = orjson.loads(paths.identity.read_bytes())
    assert identity["model"] == {"kind": "served", "name": MODEL, "engine": "vllm", "version": "0.11.0"}
    assert identity["served"] == {"image_format": "png", "prefill": True, "request": {}}
    timed = [orjson.loads(line) for line in paths.timings.read_bytes().splitlines()]
    assert sorted(row["keys"][0] for row in timed) == sorted(KEYS)
    assert {(row["tokens"]["read"], row["tokens"]["written"], row["fingerprint"]) for row in timed} == {(100, 10, "fp")}


FAULTS = {
    "rate limit": Reply(status=429, body=b'{"error": {"message": "slow down"}}', headers={"Retry-After": "0.05"}),
    "server error": Reply(status=500, body=b"oops"),
    "overloaded": Reply(status=503, body=b'{"error": {"message": "busy"}}'),
    "dropped": Reply(drop=True),
    "half an answer": Reply(half=True),
    "wrong JSON": Reply(body=b'{"choices": [{"message": '),
    "another shape": Reply(body=b'{"choices": "none"}'),
    "no choices": Reply(body=b'{"choices": []}'),
    "no JSON": Reply(body=b"<html>"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_passes_is_asked_again(fault: str, serve: Serve, judged: Judged) -> None:
    server = serve(lambda _, before: FAULTS[fault] if not before else Reply())
    assert {row.score for row in judged(server).values()} == {7.0}
    assert set(server.keys.values()) == {2}


def test_a_server_that_is_too_slow_is_given_up(serve: Serve, judged: Judged) -> None:
    server = serve(lambda _, before: Reply(seconds=0.0 if before else 1.6))
    assert {row.score for row in judged(server, request_timeout=1.0).values()} == {7.0}


def test_a_sample_that_always_fails_is_an_error_and_only_it_is_asked_again(serve: Serve, judged: Judged) -> None:
    broken = True

    def answer(request: dict[str, Any], _: int) -> Reply:
        return Reply(status=500) if broken and asked_about(request) == "social" else Reply()

    server = serve(answer)
    with pytest.raises(Incomplete, match="1 of 5 samples"):
        judged(server)
    before, broken = Counter(server.keys), False
    assert {row.score for row in judged(server).values()} == {7.0}
    assert server.keys - before == {"social": 1}


REPLIES = {
    "refusal": (Reply(text="", refusal="I can't help."), REFUSED, "I can't help."),
    "filter": (Reply(text="", finish="content_filter"), REFUSED, "filter"),
    "filtered request": (
        Reply(status=400, body=b'{"error": {"code": "content_filter", "message": "policy says no"}}'),
        REFUSED,
        "policy says no",
    ),
    "cut": (Reply(text="The picture shows a", finish="length"), UNPARSED, "[cut"),
    "cut behind the score": (Reply(text='{"score": 6}\nAnd', finish="length"), OK, ""),
    "unfinished thought": (Reply(text="<think>score: 7, or", finish="length"), UNPARSED, "[cut"),
    "thought": (Reply(text='<think>maybe 3</think>\n{"score": 6}'), OK, ""),
    "beyond the range": (Reply(text='{"score": 11}'), OUT_OF_RANGE, "11"),
    "nothing": (Reply(body=b'{"choices": [{"message": {"content": null}}]}'), UNPARSED, ""),
}


@pytest.mark.parametrize("case", REPLIES)
def test_what_is_said_decides_the_status(case: str, serve: Serve, judged: Judged) -> None:
    reply, status, words = REPLIES[case]
    row = judged(serve(lambda *_: reply), settings={"forced": False})["social"]
    assert (row.status, words in row.response) == (status, True)
    assert row.score == (6.0 if status == OK else None)


def test_a_request_that_is_refused_is_an_error_row_with_the_servers_words(serve: Serve, judged: Judged) -> None:
    refused = Reply(status=400, body=b'{"error": {"message": "picture too large"}}')
    server = serve(lambda request, _: refused if asked_about(request) == "causal" else Reply())
    rows = judged(server, run={"max_failures": "1"})
    assert (rows["causal"].status, "picture too large" in rows["causal"].response) == (ERROR, True)
    assert server.keys["causal"] == 1


def test_the_key_is_sent_and_kept_nowhere(
    serve: Serve, judged: Judged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    said = b'{"error": {"message": "bad key sk-very-secret"}}'
    server = serve(lambda request, _: Reply(status=400, body=said) if asked_about(request) == "social" else Reply())
    judged(server, run={"max_failures": "1"})
    assert server.tokens == {"Bearer sk-very-secret"}
    assert "very-secret" not in "".join(capfd.readouterr())
    kept = [path for path in (tmp_path / "scores").rglob("*") if path.is_file() and b"very-secret" in path.read_bytes()]
    assert kept == []


def test_a_hosted_service_needs_a_key_and_gets_no_beginning_of_an_answer(
    serve: Serve, judged: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(lambda *_: Reply("I like it."), engine="system")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    with pytest.raises(UserError, match="needs a key"):
        judged(endpoint=("openai",))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    assert {row.status for row in judged(endpoint=("openai",)).values()} == {UNPARSED}
    request = server.requests[0]
    assert (request["max_completion_tokens"], "max_tokens" in request, len(request["messages"])) == (256, False, 1)
    assert len(server.requests) == 5  # no forced readout either


def test_a_request_takes_what_the_user_adds(serve: Serve, judged: Judged, tmp_path: Path) -> None:
    server = serve()
    judged(server, request=("top_p=0.5", "temperature=null", 'stop=["x"]'), image_format="jpeg:80")
    request = server.requests[0]
    assert (request["top_p"], request["stop"], "temperature" in request) == (0.5, ["x"], False)
    assert {picture.format for picture in pictures_of(request)} == {"JPEG"}
    served = orjson.loads(ScorePaths(tmp_path / "scores").identity.read_bytes())["served"]
    assert served == {
        "image_format": "jpeg:80",
        "prefill": True,
        "request": {"top_p": 0.5, "temperature": None, "stop": ["x"]},
    }


def test_votes_have_seeds_of_their_own(serve: Serve, judged: Judged) -> None:
    server = serve(lambda request, _: Reply(f'{{"score": {request["seed"] % 2 + 4}}}'))
    rows = judged(server, settings={"votes": 3, "temperature": 0.7})
    assert {row.votes for row in rows.values()} == {3}
    assert len({request["seed"] for request in server.requests}) == 15
    assert {request["temperature"] for request in server.requests} == {0.7}


def test_the_dry_run_the_summary_and_the_timings_tell_tokens_and_price(
    serve: Serve, judged: Judged, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server, prices = serve(), {"price_in": 2.0, "price_out": 100.0}
    with pytest.raises(UserError, match="can't read"):  # nothing was written
        judged(server, run={"dry_run": True}, **prices)
    said = capsys.readouterr().out
    assert "tokens, about" in said
    assert "price, about" in said
    assert server.requests == []
    judged(server, **prices)
    assert "tokens: 500 read, 50 written; price 0.0060" in capsys.readouterr().out
    timed = map(orjson.loads, ScorePaths(tmp_path / "scores").timings.read_bytes().splitlines())
    assert [row["tokens"]["price"] for row in timed] == [pytest.approx(0.0012)] * 5


@pytest.mark.parametrize("judged_before", [False, True])
def test_the_dry_run_needs_no_server(
    judged_before: bool, serve: Serve, judged: Judged, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if judged_before:
        judged(serve())
    with nullcontext() if judged_before else pytest.raises(UserError, match="can't read"):  # nothing was written
        judged(Server(port=1), run={"dry_run": True})
    said = capsys.readouterr()
    assert "127.0.0.1:1/v1 does not answer" in said.err
    assert "unchecked: whether qwen is served there" in said.err
    assert "price, about" in said.out
    with pytest.raises(UserError, match="does not answer"):
        judged(Server(port=1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"endpoint": ("node1:8000",)}, "is no address"),
        ({"endpoint": ("http://a/v1", "http://a/v1")}, "named twice"),
        ({"price_in": 1.0}, "--price-in without --price-out"),
        ({"price_out": 1.0}, "--price-out without --price-in"),
        ({"image_format": "jpeg:0"}, "jpeg:0 is unknown"),
        ({"image_format": "webp"}, "webp is unknown"),
        ({"request": ("top_p",)}, "can't be added"),
        ({"request": ("top_p=a",)}, "can't be added"),
        ({"request": ("messages=[]",)}, "can't be added"),
        ({"request": ("top_p=NaN",)}, "can't be added"),
        ({"request": ('stop="\\ud800"',)}, "can't be added"),
        ({"request": (f"a={'[' * 300}{']' * 300}",)}, "can't be added"),
    ],
)
def test_options_that_can_not_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ServedOptions(**options).check()


def test_options_of_other_judges_are_refused(serve: Serve, judged: Judged) -> None:
    server = serve()
    others = {"batch_size": 4, "batch_tokens": 99, "dtype": "bfloat16", "fast": True, "cuda_graph": True, "keep_thoughts": True}
    for name, value in others.items():
        with pytest.raises(UserError, match=r"not for served judges|the server's to choose"):
            judged(server, settings={name: value})


def test_control_tokens_in_data_are_only_text(serve: Serve, judged: Judged, short_rubric: str, tmp_path: Path) -> None:
    text = short_rubric.replace("Is this done", "<|im_end|><image>[INST] a < b <3")
    (tmp_path / "short.toml").write_text(text)
    server = serve()
    judged(server)
    assert "<\u200b|im_end|><\u200bimage>[\u200bINST] a < b <3" in text_of(server.requests[0])


def command(edits: Path, out: Path, rubric: str, *servers: Server) -> list[str]:
    endpoints = [word for server in servers for word in ("--endpoint", server.url)]
    words = ["score", str(edits), "--model", MODEL, "--rubric", rubric, "--out", str(out), "--concurrency", "2", *endpoints]
    return [sys.executable, "-c", NO_TORCH, *words]


NO_TORCH = "import sys; sys.modules['torch'] = None; from editbench.cli import main; main()"
"""The command where torch can't be imported."""


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "what the test waited for did not happen"
        time.sleep(0.01)


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_asks_about_no_finished_sample_again(
    signum: int, serve: Serve, make_edits: Callable[..., Path], tmp_path: Path, short: str
) -> None:
    server = serve(lambda *_: Reply(seconds=0.3))
    edits, out = make_edits(), tmp_path / "scores"
    process = subprocess.Popen(command(edits, out, short, server), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_until(lambda: len(ScorePaths(out).all_chunks()) >= 2 or process.poll() is not None)
    process.send_signal(signum)
    said = process.communicate()[0].decode()
    assert process.returncode == (-signal.SIGKILL if signum == signal.SIGKILL else 130), said
    finished = [orjson.loads(path.read_bytes())["key"] for path in ScorePaths(out).all_chunks()]
    assert 2 <= len(finished) < 5
    done = subprocess.run(command(edits, out, short, server), capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    assert {key: server.keys[key] for key in finished} == dict.fromkeys(finished, 1)
    assert len(ScorePaths(out).scores.read_bytes().splitlines()) == 5
    if signum == signal.SIGINT:  # what was under way was finished, too
        assert set(server.keys.values()) == {1}
        assert "Traceback" not in said


def test_an_interrupt_waits_for_what_is_under_way(serve: Serve, judged: Judged, tmp_path: Path) -> None:
    def stop(*_: Any) -> None:
        raise Interrupted("interrupted", "", 130)

    def answer(request: dict[str, Any], _: int) -> Reply:
        if len(server.requests) == 2:
            os.kill(os.getpid(), signal.SIGUSR1)
        return Reply(seconds=0.6 if asked_about(request) == KEYS[0] else 0.2)

    server, before = serve(answer), signal.signal(signal.SIGUSR1, stop)
    try:
        with pytest.raises(Interrupted):
            judged(server, concurrency=2)
    finally:
        signal.signal(signal.SIGUSR1, before)
    paths = ScorePaths(tmp_path / "scores")
    assert [orjson.loads(path.read_bytes())["key"] for path in paths.all_chunks()] == [*KEYS[:2]]
    assert len(paths.timings.read_bytes().splitlines()) == 2


def test_a_picture_that_can_not_be_read_fails_its_sample_without_torch(
    serve: Serve, make_edits: Callable[..., Path], tmp_path: Path, short: str
) -> None:
    edits, out = make_edits(edited={"social": b"no picture"}), tmp_path / "scores"
    done = subprocess.run(command(edits, out, short, serve()), capture_output=True, check=False, env={**os.environ})
    assert done.returncode == 3, done.stdout.decode() + done.stderr.decode()
    assert b"Traceback" not in done.stdout + done.stderr
    rows = [orjson.loads(line) for line in ScorePaths(out).scores.read_bytes().splitlines()]
    assert {row["key"]: row["status"] for row in rows} == {**dict.fromkeys(KEYS, OK), "social": ERROR}
    assert "bad_input" in next(row["response"] for row in rows if row["key"] == "social")


def test_refused_rows_are_asked_again_when_asked_for(serve: Serve, judged: Judged) -> None:
    server = serve(lambda request, before: Reply(refusal="no") if asked_about(request) == "social" and not before else Reply())
    assert judged(server)["social"].status == REFUSED
    assert judged(server, retry=("refused",))["social"].score == 7.0
    assert server.keys == {**dict.fromkeys(KEYS, 1), "social": 2}


@pytest.mark.parametrize("repeated", ["", '{"reason": "'])
def test_a_reply_goes_on_from_the_beginning_that_the_rubric_gives(
    repeated: str, serve: Serve, judged: Judged, short_rubric: str, tmp_path: Path
) -> None:
    given = short_rubric.replace('[answer_prefix]\ngenerate = ""', '[answer_prefix]\ngenerate = \'{"reason": "\'')
    (tmp_path / "short.toml").write_text(given)
    server = serve(lambda *_: Reply(f'{repeated}so", "score": 4}}'))
    row = judged(server)["social"]
    assert (row.response, row.score) == ('{"reason": "so", "score": 4}', 4.0)
    assert server.requests[0]["messages"][-1] == {"role": "assistant", "content": '{"reason": "'}
