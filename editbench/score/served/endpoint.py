"""One endpoint: the only module that knows the `openai` client. Every way in which a request can end has a name here."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from editbench.errors import EditbenchError, UserError
from editbench.records import writable
from editbench.score.served.completion import Completion, Garbled
from editbench.score.served.options import HOSTED
from editbench.urls import redacted

KEY = "OPENAI_API_KEY"
"""Environment variable with the key. It is sent to the endpoints and kept nowhere."""
PROBE_TIMEOUT = 10.0
LONGEST_WAIT = 300.0
"""Seconds; a server that asks for more is asked again after so many."""
FILTERED = ("content_filter", "content_policy_violation", "moderation_blocked")
"""Codes of an error that stands for a provider's filter."""
VERSIONS = {"vllm": ("/version", "version"), "sglang": ("/get_server_info", "version"), "llamacpp": ("/props", "build_info")}
"""By engine, where it tells its version, and under which name."""


class Unavailable(Exception):
    """No reply this time; the same request may well be answered later. `down`: nothing can be expected of the endpoint before
    it answers a probe. `counted`: it may be the request's fault. `wait`: seconds that the server asks for."""

    def __init__(self, message: str, *, down: bool = False, counted: bool = True, wait: float | None = None) -> None:
        super().__init__(message)
        self.down, self.counted, self.wait = down, counted, wait


class Rejected(Exception):
    """The server does not take this request, now or later."""


class Unusable(EditbenchError):
    """The endpoint takes no request of this run at all."""

    status = UserError.status


@dataclass(frozen=True, slots=True)
class Server:
    """What a server says of itself; empty where it says nothing. `models`: None where it does not list them."""

    engine: str = ""
    version: str = ""
    models: tuple[str, ...] | None = None


class Endpoint:
    """Asked by several threads at a time."""

    def __init__(self, url: str, timeout: float) -> None:
        """Raises UserError where the `openai` package or the key of a hosted service is missing."""
        try:
            import openai
        except ModuleNotFoundError:
            raise UserError("a served judge needs the package openai", "pip install 'editbench[served]'") from None
        self._errors, self._key = openai, os.environ.get(KEY, "")
        if url == HOSTED and not self._key:
            raise UserError(f"--endpoint {HOSTED} needs a key", f"Put it into the environment variable {KEY}.")
        self._url = None if url == HOSTED else url.rstrip("/")
        self.name = HOSTED if url == HOSTED else redacted(self._url or "")
        self.label = re.sub(r"\Ahttps?://|/v1\Z", "", self.name)
        self._client = openai.OpenAI(api_key=self._key or "none", base_url=self._url, timeout=timeout, max_retries=0)

    def complete(self, request: Mapping[str, Any]) -> Completion:
        """The reply to a chat request.

        Raises:
            Unavailable: overloaded, broken, gone, or a reply that can't be read.
            Rejected: the server refuses this request.
            Unusable: the server refuses the key, or does not know the model.
        """
        errors = self._errors
        limit = request.get("max_tokens")
        body = {name: value for name, value in request.items() if name not in ("model", "messages", "max_tokens")}
        name = "max_completion_tokens" if self._url is None else "max_tokens"  # newer hosted models refuse the older name
        body |= {name: limit} if limit is not None else {}
        try:
            raw = self._client.chat.completions.with_raw_response.create(
                model=request["model"], messages=request["messages"], extra_body=body
            )
            return Completion.parse(raw.content)
        except errors.APIConnectionError as error:
            raise self._unreached(error) from None
        except errors.APIStatusError as error:
            return self._refused(error)
        except Garbled as error:
            raise Unavailable(self.plain(str(error))) from None

    def plain(self, text: str) -> str:
        """A message from outside, on one line, without the key or what a URL holds of credentials."""
        text = text.replace(self._key, "***") if self._key else text
        return writable(redacted(" ".join(text.split())))[:500]

    def alive(self) -> bool:
        """Whether anything answers there, be it with an error."""
        try:
            self._client.with_options(timeout=PROBE_TIMEOUT).models.with_raw_response.list()
        except self._errors.APIStatusError as error:
            return error.status_code < 500
        except self._errors.APIConnectionError:
            return False
        return True

    def server(self) -> Server:
        """Engine, version and models. Raises Unavailable where nothing answers, Unusable for a wrong key."""
        listed = self._json("/models", _Models)
        if listed is None:
            return Server()
        engine = listed.data[0].owned_by if listed.data else ""
        names = tuple(model.id for model in listed.data)
        if engine not in VERSIONS or self._url is None:
            return Server(engine if engine in VERSIONS else "", "", names)
        path, field = VERSIONS[engine]
        parts = urlsplit(self._url)
        told = self._json(urlunsplit(parts._replace(path=path)), dict[str, Any]) or {}
        return Server(engine, self.plain(str(told.get(field) or "")), names)

    def _json(self, url: str, kind: Any) -> Any:
        """What is there, as `kind`; None where there is no such thing."""
        errors = self._errors
        try:
            told = self._client.with_options(timeout=PROBE_TIMEOUT).get(url, cast_to=object)
            return msgspec.convert(told, kind)
        except (errors.AuthenticationError, errors.PermissionDeniedError):
            raise self._no_key() from None
        except errors.APIConnectionError as error:
            raise self._unreached(error) from None
        except (errors.APIStatusError, msgspec.ValidationError, ValueError):
            return None

    def _unreached(self, error: Exception) -> Unavailable:
        cause = f": {error.__cause__}" if error.__cause__ else ""
        return Unavailable(self.plain(f"{str(error).rstrip('.')}{cause}"), down=True)

    def _no_key(self) -> Unusable:
        return Unusable(f"{self.name} refuses the key, or there is none", f"Put the right one into {KEY}.")

    def _refused(self, error: Any) -> Completion:
        """A status that is an error: a filter's refusal is a reply like another."""
        status, code = error.status_code, str(error.code or "")
        said = self.plain(str(error.message))
        if status in (401, 403):
            raise self._no_key()
        if code in FILTERED:
            return Completion("", refusal=said)
        if status == 404:
            raise Unusable(f"{self.name}: {said}", "Is --model the name that the server gives it, and does the URL end in /v1?")
        if code == "insufficient_quota":
            raise Unusable(f"{self.name}: {said}", "Top up, and run the same command again; what was finished is kept.")
        if status in (408, 409, 425, 429):
            raise Unavailable(said, counted=False, wait=_wait(error))
        if status >= 500:
            raise Unavailable(said, wait=_wait(error))
        raise Rejected(said)


@dataclass(frozen=True, slots=True)
class _Model:
    id: str
    owned_by: str = ""


@dataclass(frozen=True, slots=True)
class _Models:
    data: list[_Model]


def _wait(error: Any) -> float | None:
    """Seconds that the reply asks to wait; None where it names none (it may also name a date)."""
    try:
        seconds = float(error.response.headers.get("retry-after", ""))
    except ValueError:
        return None
    return min(max(seconds, 0.0), LONGEST_WAIT) if math.isfinite(seconds) else None
