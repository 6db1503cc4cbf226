"""Judges that think before they answer: what is asked of them, and where their thoughts end.

The judge writes a thought between `<think>` and `</think>`, of at most so many tokens; its answer, of either readout, is then
what comes behind, as if the thought were the end of the question. A thought that does not end has no answer:
such a reply is `cut`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from editbench.errors import UserError
from editbench.score.judge import JudgeSettings, Reply

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

OPEN, CLOSE = "<think>", "</think>"


@dataclass(frozen=True, slots=True)
class Thinking:
    """How a judge thinks. `end`: the token id of `</think>`. `budget`: tokens, `</think>` included."""

    tokenizer: PreTrainedTokenizerBase
    end: int
    budget: int
    keep: bool

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, settings: JudgeSettings) -> Self | None:
        """None where the judge is to answer at once. Raises UserError for a tokenizer without a token that ends thoughts."""
        if settings.thinking_budget is None:
            return None
        ids = tokenizer.encode(CLOSE, add_special_tokens=False)
        if len(ids) != 1:
            raise UserError(f"this judge's tokenizer has no token {CLOSE}", "Leave --thinking-budget out.")
        return cls(tokenizer, ids[0], settings.thinking_budget, settings.keep_thoughts)

    def whole(self, token_ids: Sequence[int]) -> list[int] | None:
        """A thought up to its end; None where it has none."""
        ids = [*token_ids]
        return ids[: ids.index(self.end) + 1] if self.end in ids else None

    def before_answer(self, thought: Sequence[int], answer_prefix: str) -> list[int]:
        """The token ids between the prompt and what the judge answers: the thought, and the beginning of the answer."""
        beginning = self.tokenizer.encode(f"\n\n{answer_prefix}", add_special_tokens=False) if answer_prefix else []
        return [*thought, *beginning]

    def answer_seed(self, seed: int) -> int:
        """The answer is drawn by other numbers than the thought."""
        return seed + 1

    def replies(self, token_ids: Sequence[Sequence[int]], answers: Mapping[int, Reply]) -> list[Reply]:
        """By row, the answer that came behind a thought, or where there is none a reply that says so."""
        texts = self.tokenizer.batch_decode([*token_ids], skip_special_tokens=True) if self.keep else [""] * len(token_ids)
        texts = [text.partition(CLOSE)[0].strip() for text in texts]
        return [self._reply(answers.get(row), text) for row, text in enumerate(texts)]

    def _reply(self, answer: Reply | None, thought: str) -> Reply:
        if answer is None:
            # Behind an open tag nothing is read, whatever a thought may say.
            ended = f"[cut: the thought did not end; it may have {self.budget:,} tokens]"
            return Reply("\n".join(filter(None, (OPEN, thought, ended))), cut=True)
        return replace(answer, thought=f"{OPEN}\n{thought}\n{CLOSE}\n\n") if self.keep else answer


def opened(prompt: str) -> str:
    """A prompt behind which a thought goes on: chat templates of models that always think open it themselves."""
    return prompt if prompt.rstrip().endswith(OPEN) else f"{prompt}{OPEN}\n"
