"""A server that speaks the OpenAI chat API over real HTTP, and misbehaves as told."""

from __future__ import annotations

import base64
import io
import json
import math
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
from PIL import Image

MODEL = "qwen"


@dataclass
class Reply:
    """What to send. `body` in place of a well-formed completion; `half`: the connection breaks in the middle of it."""

    text: str = '{"reason": "so", "score": 7}'
    status: int = 200
    body: bytes | None = None
    finish: str = "stop"
    refusal: str | None = None
    logprobs: Sequence[tuple[str, Mapping[str, float]]] | None = None
    """By position: the token written, and the probabilities told."""
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    half: bool = False
    drop: bool = False

    def encoded(self) -> bytes:
        if self.body is not None:
            return self.body
        told = [
            {"token": token, "top_logprobs": [{"token": each, "logprob": math.log(p)} for each, p in top.items()]}
            for token, top in self.logprobs or ()
        ]
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": self.text, "refusal": self.refusal},
            "finish_reason": self.finish,
            "logprobs": {"content": told} if self.logprobs is not None else None,
        }
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        return orjson.dumps({"id": "1", "choices": [choice], "usage": usage, "system_fingerprint": "fp"})


@dataclass
class Server:
    """`answer` gets a request's body and how often this sample was asked about here before."""

    answer: Callable[[dict[str, Any], int], Reply] = lambda _request, _before: Reply()
    engine: str = "vllm"
    version: str = "0.11.0"
    models: Sequence[str] = (MODEL,)
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    tokens: set[str | None] = field(default_factory=set)
    """Authorization headers."""
    most: int = 0
    """Requests at a time."""
    alive: bool = True
    host: str = "127.0.0.1"
    port: int = 0
    _flying: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}/v1"

    def take(self, request: dict[str, Any], authorization: str | None) -> tuple[str, Reply]:
        key = asked_about(request)
        with self._lock:
            self.requests.append(request)
            self.tokens.add(authorization)
            before, self.keys[key] = self.keys[key], self.keys[key] + 1
            self._flying += 1
            self.most = max(self.most, self._flying)
        reply = self.answer(request, before)
        time.sleep(reply.seconds)
        return key, reply

    def gave(self, key: str) -> None:
        with self._lock:
            self._flying -= 1
            self.answered[key] += 1

    @contextmanager
    def running(self) -> Iterator[Server]:
        http = _Http((self.host, self.port), _Handler)
        http.served, self.port = self, http.server_address[1]
        thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            http.shutdown()
            http.server_close()


def text_of(request: dict[str, Any]) -> str:
    return request["messages"][0]["content"][-1]["text"]


def asked_about(request: dict[str, Any]) -> str:
    match = re.search(r"edit (\w+)", text_of(request))
    return match[1] if match else ""


def pictures_of(request: dict[str, Any]) -> list[Image.Image]:
    urls = [part["image_url"]["url"] for part in request["messages"][0]["content"][:-1]]
    return [Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) for url in urls]


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    served: Server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        served: Server = self.server.served
        if not served.alive:
            self.close_connection = True
        elif self.path == "/v1/models":
            data = [{"id": name, "object": "model", "owned_by": served.engine} for name in served.models]
            self._send(200, orjson.dumps({"object": "list", "data": data}))
        elif self.path == "/version":
            self._send(200, json.dumps({"version": served.version}).encode())  # as servers in Python write it
        else:
            self._send(404, b"{}")

    def do_POST(self) -> None:
        served: Server = self.server.served
        request = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not served.alive:
            self.close_connection = True
            return
        key, reply = served.take(request, self.headers.get("Authorization"))
        if reply.drop or not served.alive:
            self.close_connection = True
            return
        body = reply.encoded()
        served.gave(key)
        self._send(reply.status, body, reply.headers, half=reply.half)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None, *, half: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if half else body)
        self.close_connection = self.close_connection or half
