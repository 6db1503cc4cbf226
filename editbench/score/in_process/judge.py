"""A judge of a checkpoint in this process: questions to prompts, and the model's output to replies.

Subclasses add how the model runs: `_read_distributions` and `_generate`, for a batch of theirs.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from editbench.errors import UserError
from editbench.records import EXPECTED
from editbench.score.criteria import Criterion
from editbench.score.in_process import decoding
from editbench.score.in_process.chat_template import ChatTemplate
from editbench.score.in_process.decoding import TokenChooser
from editbench.score.judge import Judge, JudgeSettings, Question, Reply
from editbench.score.readout import ScoreTokens, distribution, reaches_ten
from editbench.score.thinking import Thinking, opened

if TYPE_CHECKING:
    from transformers import ProcessorMixin

AnswerSteps = Mapping[int, tuple[Criterion, int]]
"""By row, a criterion and the step that decoded its answer."""


class CheckpointJudge(Judge):
    """`_decoder`: the tokenizer of the thread that runs the model; `_processor` has that of `prepare`."""

    def __init__(self, folder: Path, settings: JudgeSettings, processor: ProcessorMixin) -> None:
        """Raises UserError where `settings` ask for what the checkpoint in `folder` can't do."""
        self._settings, self._processor = settings, processor
        # `prepare` runs in other threads, and a tokenizer can't be borrowed by two.
        self._decoder = copy.deepcopy(processor.tokenizer)
        self._thinking = Thinking.of(self._decoder, settings)
        self._chat_template = ChatTemplate(processor, thinking=self._thinking is not None)
        self._chat_template.check_thinking(folder)
        self._known_score_tokens = ScoreTokens.of(self._decoder)
        if settings.readout == EXPECTED:
            _ = self._score_tokens  # raises where it has none

    @property
    def _score_tokens(self) -> ScoreTokens:
        if self._known_score_tokens is None:
            message = "this judge's tokenizer does not split numbers into digits, so scores can't be read from its distribution"
            raise UserError(message, "Use readout generate, or another judge.")
        return self._known_score_tokens

    @property
    def _can_force(self) -> bool:
        """Not a judge that thinks: without its thought it is another judge."""
        return self._known_score_tokens is not None and self._thinking is None

    def _prompt_text(self, question: Question) -> str:
        images = len(question.images)
        if self._thinking is not None:
            return opened(self._chat_template.prompt(images, question.text, ""))
        return self._chat_template.prompt(images, question.text, question.answer_prefix, question.said)

    def _answer(self, batch: Any, seeds: Sequence[int]) -> list[Reply]:
        return self._read_distributions(batch) if self._settings.readout == EXPECTED else self._generate(batch, seeds)

    @abstractmethod
    def _read_distributions(self, batch: Any) -> list[Reply]:
        """Replies with the distribution of each question's only criterion, read behind its prompt."""

    @abstractmethod
    def _generate(self, batch: Any, seeds: Sequence[int]) -> list[Reply]:
        """Replies that are decoded behind the prompts."""

    def _distributed(self, questions: Sequence[Question], digits: Tensor) -> list[Reply]:
        """`digits`: probabilities behind each prompt and, if an answer may be 10, behind a "1" after it: (rows, 1 or 2, 10)."""
        criteria = [question.criteria[0] for question in questions]
        rows = zip(criteria, digits[:, 0].tolist(), digits[:, -1, 0].tolist(), strict=True)
        return self._checked([Reply("", {each.name: distribution(each, row, zero)}) for each, row, zero in rows], digits)

    def _written(
        self,
        questions: Sequence[Question],
        output: Tensor,
        chooser: TokenChooser,
        zeros: Callable[[AnswerSteps, Tensor], Mapping[int, float]],
    ) -> list[Reply]:
        """Replies that were decoded, with the distribution at the step that decoded each answer.

        `output`: token ids, (rows, steps). `zeros`: gives P("0" | "1") of those rows, at these steps, whose answers may be 10,
        from the probabilities of the digits, (rows, steps, 10).
        """
        token_ids = output.tolist()
        # Rows that ended early are filled with the pad token, which is special and so is left out.
        decoded = self._decoder.batch_decode(token_ids, skip_special_tokens=True)
        texts = [question.answer_prefix + text for question, text in zip(questions, decoded, strict=True)]
        if self._known_score_tokens is None:
            return [Reply(text) for text in texts]
        ids, digits = self._score_tokens.digits, torch.stack(chooser.digits[: output.shape[1]], 1)
        steps = [decoding.answer_steps(*row, ids) for row in zip(questions, texts, decoded, token_ids, strict=True)]
        distributions: list[dict[str, tuple[float, ...]]] = [{} for _ in questions]
        for index in range(max(len(question.criteria) for question in questions)):
            asked = {row: question.criteria[index] for row, question in enumerate(questions) if index < len(question.criteria)}
            nth = {row: (each, steps[row][each.name]) for row, each in asked.items() if each.name in steps[row]}
            if nth:
                values = torch.stack([digits[row, step] for row, (_, step) in nth.items()]).tolist()
                tens = zeros(nth, digits) if any(reaches_ten(each) for each, _ in nth.values()) else {}
                for (row, (each, _)), read in zip(nth.items(), values, strict=True):
                    distributions[row][each.name] = distribution(each, read, tens.get(row, 0.0))
        return self._checked([Reply(*row) for row in zip(texts, distributions, strict=True)], digits)

    def _checked(self, replies: Sequence[Reply], digits: Tensor) -> list[Reply]:
        """The replies, but an error for those whose probabilities, `digits` (rows, steps, 10), are not numbers."""
        problem = f"the judge's probabilities are not numbers in {self._settings.dtype}"
        problem += "; try --dtype float32" if self._settings.dtype != "float32" else ""
        finite = digits.isfinite().flatten(1).all(1).tolist()
        return [reply if fine else Reply("", error=problem) for reply, fine in zip(replies, finite, strict=True)]
