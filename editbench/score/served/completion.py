"""A server's reply, read without trust: what is not of the API's shape is no reply."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from editbench.usage import Count, Usage


class Garbled(Exception):
    """The reply is not of the API's shape, such as one that was cut short."""


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    token: str
    logprob: float


@dataclass(frozen=True, slots=True)
class Position:
    """A token that was written, and the most likely ones there."""

    token: str
    top_logprobs: list[TokenLogprob] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Completion:
    """`refusal`: the words of a refusal or of a provider's filter, else empty. `positions`: None where the server tells no
    probabilities. `fingerprint`: what the server says of itself."""

    text: str
    cut: bool = False
    refusal: str = ""
    positions: list[Position] | None = None
    usage: Usage = field(default_factory=Usage)
    fingerprint: str = ""

    @classmethod
    def parse(cls, body: bytes) -> Completion:
        """Raises Garbled."""
        try:
            whole = msgspec.json.decode(body, type=_Body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise Garbled(f"the reply can't be read: {error}") from None
        if not whole.choices:
            raise Garbled("the reply has no choices")
        choice = whole.choices[0]
        text, filtered = choice.message.content or "", choice.finish_reason == "content_filter"
        refusal = choice.message.refusal or (text or "the provider's filter stopped the reply" if filtered else "")
        usage = Usage(whole.usage.prompt_tokens, whole.usage.completion_tokens) if whole.usage else Usage()
        positions = choice.logprobs.content if choice.logprobs else None
        return cls(text, choice.finish_reason == "length", refusal, positions, usage, whole.system_fingerprint or "")


@dataclass(frozen=True, slots=True)
class _Message:
    content: str | None = None
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class _Logprobs:
    content: list[Position] | None = None


@dataclass(frozen=True, slots=True)
class _Choice:
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


@dataclass(frozen=True, slots=True)
class _Usage:
    prompt_tokens: Count = 0
    completion_tokens: Count = 0


@dataclass(frozen=True, slots=True)
class _Body:
    choices: list[_Choice]
    usage: _Usage | None = None
    system_fingerprint: str | None = None
