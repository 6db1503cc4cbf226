"""The chat template around a question: what a Qwen3-VL judge reads, to the letter, before its pictures are filled in.

Loads a processor and no weights:

>>> ChatTemplate.open(Path("Qwen3-VL-8B-Instruct")).prompt(2, "Is it done?", '{"score": ')
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Self

from editbench.processors import load_processor
from editbench.score.judge import check_local

if TYPE_CHECKING:
    from transformers import ProcessorMixin


class ChatTemplate:
    """Puts a question into the chat template of a checkpoint."""

    def __init__(self, processor: ProcessorMixin) -> None:
        self._processor = processor
        longest_first = sorted(processor.tokenizer.get_added_vocab(), key=len, reverse=True)
        self._control_tokens = re.compile("|".join(map(re.escape, longest_first)))

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Raises UserError for a folder that is not a whole Qwen3-VL checkpoint."""
        from transformers import Qwen3VLProcessor

        check_local(folder)
        return cls(load_processor(folder, Qwen3VLProcessor))

    def prompt(self, pictures: int, text: str, answer_prefix: str, said: str = "") -> str:
        """The user's turn, pictures first, and the beginning of the answer. Control tokens in the texts are only text."""
        content = [*({"type": "image"} for _ in range(pictures)), {"type": "text", "text": self._plain(text)}]
        conversation = [{"role": "user", "content": content}]
        prompt = self._processor.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False)
        return prompt + answer_prefix + self._plain(said)

    def _plain(self, text: str) -> str:
        return self._control_tokens.sub(_defuse, text)


def _defuse(match: re.Match[str]) -> str:
    """A control token as plain text: a zero-width space behind its first character keeps the tokenizer from seeing it.

    transformers 5.23 has sanitize_control_tokens, 5.17 does not, and neither has it where an answer's beginning is appended.
    """
    token = match.group()
    return f"{token[0]}\u200b{token[1:]}"
