"""A question as a chat request: pictures first, then the text, then the beginning of the answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from editbench.score.judge import Question
from editbench.score.served.options import ServedOptions

TOP = 20
"""Most likely tokens to ask for at each position: as many as OpenAI and, by default, vLLM give."""
_CONTROL_TOKEN = re.compile(r"<(?=[|｜]|/?[A-Za-z_]+>)|\[(?=/?[A-Z_]+\])")
_ZERO_WIDTH_SPACE = "\u200b"


@dataclass(frozen=True, slots=True)
class RequestBuilder:
    """`model`: the name that the servers know it by."""

    model: str
    options: ServedOptions

    def request(
        self, question: Question, pictures: Sequence[str], *, prefix: str, tokens: int, **parameters: Any
    ) -> dict[str, Any]:
        """The body of a request. `pictures`: data URLs. `prefix`: what the answer begins with; `tokens`: its longest."""
        content: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": url}} for url in pictures]
        content.append({"type": "text", "text": defused(question.text)})
        messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
        body: dict[str, Any] = {"model": self.model, "messages": messages, "max_tokens": tokens, **parameters}
        if prefix and self.options.goes_on:
            messages.append({"role": "assistant", "content": prefix})
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        body |= self.options.more
        return {name: value for name, value in body.items() if value is not None}


def defused(text: str) -> str:
    """The text with what servers' tokenizers may take for control tokens (`<|im_end|>`, `<image>`, `[INST]`) as plain text: a
    zero-width space behind its first character."""
    return _CONTROL_TOKEN.sub(lambda match: match[0] + _ZERO_WIDTH_SPACE, text)
