"""The chat template around a question: what a judge reads, to the letter, before its pictures are filled in.

Loads a processor and no weights:

>>> ChatTemplate.open(Path("Qwen3-VL-8B-Instruct")).prompt(2, "Is it done?", '{"score": ')
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Self

from editbench.errors import UserError
from editbench.processors import load_processor
from editbench.score.checkpoint import FAST, INSTRUCT, check_local, model_type
from editbench.score.in_process import processor
from editbench.score.thinking import OPEN

if TYPE_CHECKING:
    from transformers import ProcessorMixin


class ChatTemplate:
    """Puts a question into the chat template of a checkpoint."""

    def __init__(self, processor: ProcessorMixin, *, thinking: bool = False) -> None:
        """`thinking`: whether a thought is asked for, where the template has a switch for that."""
        self._processor, self._thinking = processor, thinking
        self._switches = {"enable_thinking": thinking} if "enable_thinking" in str(processor.chat_template) else {}
        longest_first = sorted(_control_tokens(processor), key=len, reverse=True)
        self._control_tokens = re.compile("|".join(map(re.escape, longest_first)))

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Raises UserError for a folder that is not a judge's whole checkpoint."""
        from transformers import Qwen3VLProcessor

        check_local(folder)
        fast = model_type(folder) in FAST
        return cls(load_processor(folder, Qwen3VLProcessor) if fast else processor.load(folder))

    def prompt(self, pictures: int, text: str, answer_prefix: str, said: str = "") -> str:
        """The user's turn, pictures first, and the beginning of the answer. Control tokens in the texts are only text."""
        content = [*({"type": "image"} for _ in range(pictures)), {"type": "text", "text": self._plain(text)}]
        conversation = [{"role": "user", "content": content}]
        prompt = self._processor.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False, **self._switches)
        return prompt + answer_prefix + self._plain(said)

    def check_thinking(self, folder: Path) -> None:
        """Raises UserError where the template begins answers with a thought, and none is asked for."""
        if not self._thinking and self.prompt(0, "", "").rstrip().endswith(OPEN):
            raise UserError(f"{folder} is a model that thinks before it answers", INSTRUCT)

    def _plain(self, text: str) -> str:
        return self._control_tokens.sub(_defuse, text)


def _control_tokens(processor: ProcessorMixin) -> set[str]:
    """What the tokenizer or the processor would take for more than text.

    Some vocabularies list runs of blanks and line breaks as added tokens too (Gemma): these are text.
    """
    tokenizer = processor.tokenizer
    special = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special and str(token).strip()}
    added = {token for token in tokenizer.get_added_vocab() if re.fullmatch(r"<.+>|\[.+\]", token, re.DOTALL)}
    placeholders = {getattr(processor, f"{name}_token", None) for name in ("image", "video", "audio", "boi")}
    return {*special, *added, *(str(token) for token in placeholders if token)}


def _defuse(match: re.Match[str]) -> str:
    """A control token as plain text: a zero-width space behind its first character keeps the tokenizer from seeing it.

    transformers 5.23 has sanitize_control_tokens, 5.17 does not, and neither has it where an answer's beginning is appended.
    """
    token = match.group()
    return f"{token[0]}\u200b{token[1:]}"
