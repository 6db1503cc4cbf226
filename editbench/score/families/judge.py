"""A judge of any family: the library's own processor makes the inputs, and its `generate` decodes.

A batch is padded on the left. What the judge writes is chosen step by step as for Qwen3-VL (`TokenChooser`), by a logits
processor that leaves `generate` no other choice; so the digits' probabilities are known at each step. A distribution is read by
having the judge write a "1" of ours, and looking at what it would have written there and behind it.

Pictures larger than `max_pixels` are made smaller; what comes then (tiles, a fixed size) is the family's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

import torch
from PIL import Image
from torch import Tensor
from transformers import LogitsProcessor

from editbench.kernels import attention
from editbench.score.checkpoint import check_local, check_thinking
from editbench.score.families import loading
from editbench.score.families.batch import PromptBatch
from editbench.score.in_process import processor
from editbench.score.in_process.decoding import TokenChooser
from editbench.score.in_process.judge import AnswerSteps, CheckpointJudge
from editbench.score.judge import JudgeSettings, Question, Reply
from editbench.score.readout import ScoreTokens, reaches_ten
from editbench.score.thinking import Thinking

NEGLIGIBLE = 1e-4
"""Where a judge gave "1" no more than that and wrote another digit, a 10 is left out of the distribution, which moves its mean
by less than 0.001: to know better, all of the batch would be read once more."""


class FamilyJudge(CheckpointJudge):
    """The judge of a local checkpoint. What `prepare` returns is a `PromptBatch` on the CPU."""

    def __init__(self, folder: Path, settings: JudgeSettings, adapter: Path | None = None) -> None:
        """Raises UserError for a checkpoint that is not whole, that transformers can't load, or that `settings` do not fit."""
        check_local(folder)
        check_thinking(folder, settings.thinking_budget)
        super().__init__(folder, settings, processor.load(folder))
        self._lock = Lock()
        self._dtype = getattr(torch, settings.dtype)
        self._model, notes = loading.load(folder, adapter, torch.device(settings.device), self._dtype, self._decoder)
        self.kernels = attention(self._model)
        unsplit = ["its tokenizer does not split numbers into digits: no distributions, no forced readout"]
        self.notes = [*notes, *(unsplit if self._known_score_tokens is None else [])]

    def prepare(self, questions: Sequence[Question]) -> PromptBatch:
        """Raises ValueError for pictures that the family's processor can't take."""
        texts = [self._prompt_text(question) for question in questions]
        images = [[self._bounded(image) for image in question.images] for question in questions]
        bos = self._decoder.bos_token
        with self._lock:
            inputs = self._processor(
                text=texts,
                images=images if any(images) else None,
                padding=True,
                return_tensors="pt",
                # Templates that write it themselves leave none to be added.
                add_special_tokens=not (bos and texts[0].startswith(bos)),
            )
        pad = self._decoder.pad_token_id
        return PromptBatch(questions, {name: value for name, value in inputs.items() if isinstance(value, Tensor)}, pad)

    @torch.inference_mode()
    def answer(self, prepared: PromptBatch, seeds: Sequence[int] | None = None) -> list[Reply]:
        batch = prepared.to(self._model.device, self._dtype)
        if self._thinking is not None:
            return self._think(self._thinking, batch, seeds or ())
        return self._answer(batch, seeds or ())

    @torch.inference_mode()
    def force(self, questions: Sequence[Question]) -> list[Reply] | None:
        if not self._can_force:
            return None
        return self._read_distributions(self.prepare(questions).to(self._model.device, self._dtype))

    def _bounded(self, image: Image.Image) -> Image.Image:
        """The image, or a smaller one where its area is above `max_pixels`."""
        scale = (self._settings.max_pixels / (image.width * image.height)) ** 0.5
        if scale >= 1:
            return image
        size = (max(int(image.width * scale), 1), max(int(image.height * scale), 1))
        return image.resize(size, Image.Resampling.BICUBIC)

    def _think(self, thinking: Thinking, batch: PromptBatch, seeds: Sequence[int]) -> list[Reply]:
        """The replies behind the thoughts of a batch. Rows whose thought does not end go along, and their answer is dropped."""
        chooser = TokenChooser(None, self._settings.temperature, seeds)
        token_ids = self._decode(batch, chooser, thinking.budget, thinking.end).tolist()
        thoughts = [thinking.whole(row) for row in token_ids]
        behind = [
            thinking.before_answer(thought or [], question.answer_prefix)
            for thought, question in zip(thoughts, batch.questions, strict=True)
        ]
        drawn = [thinking.answer_seed(seed) for seed in seeds]
        answers = self._answer(batch.followed_by(behind), drawn) if any(thoughts) else []
        return thinking.replies(token_ids, {row: answer for row, answer in enumerate(answers) if thoughts[row] is not None})

    def _decode(self, batch: PromptBatch, choose: Callable[[Tensor], Tensor], limit: int, *stop: int) -> Tensor:
        """Token ids (rows, steps) behind the prompts, at most `limit`. `stop`: further tokens that end a row."""
        eos = [*self._model.generation_config.eos_token_id, *stop]
        output = self._model.generate(
            **batch.inputs, logits_processor=[_Dictating(choose)], max_new_tokens=limit, eos_token_id=eos, use_cache=True
        )
        return output[:, batch.columns :]

    def _read_distributions(self, batch: PromptBatch) -> list[Reply]:
        ten = any(reaches_ten(question.criteria[0]) for question in batch.questions)
        return self._distributed(batch.questions, self._digits_and_behind_one(batch, 2 if ten else 1))

    def _digits_and_behind_one(self, batch: PromptBatch, steps: int = 2) -> Tensor:
        """Probabilities of the digits behind the prompts, and in a second step behind a "1": (rows, steps, 10)."""
        chooser = _Ones(self._score_tokens)
        self._decode(batch, chooser, steps)
        return torch.stack(chooser.digits, 1)

    def _generate(self, batch: PromptBatch, seeds: Sequence[int]) -> list[Reply]:
        chooser = TokenChooser(self._known_score_tokens, self._settings.temperature, seeds)
        output = self._decode(batch, chooser, self._settings.max_new_tokens)

        def zeros(steps: AnswerSteps, digits: Tensor) -> dict[int, float]:
            return self._zeros_behind_one(batch, output.tolist(), steps, digits)

        return self._written(batch.questions, output, chooser, zeros)

    def _zeros_behind_one(
        self, batch: PromptBatch, token_ids: Sequence[Sequence[int]], steps: AnswerSteps, digits: Tensor
    ) -> dict[int, float]:
        """By row, P("0" | "1") at its step: from the next step where a "1" was written, else by reading the batch once more."""
        zeros, unknown = dict.fromkeys(steps, 0.0), []
        for row, (criterion, step) in steps.items():
            if not reaches_ten(criterion):
                continue
            if token_ids[row][step] == self._score_tokens.one and step + 1 < digits.shape[1]:
                zeros[row] = digits[row, step + 1, 0].item()
            elif digits[row, step, 1].item() > NEGLIGIBLE:
                unknown.append(row)
        if unknown:
            before = [token_ids[row][: steps[row][1]] if row in unknown else [] for row in range(len(batch.questions))]
            again = self._digits_and_behind_one(batch.followed_by(before))
            zeros |= {row: again[row, 1, 0].item() for row in unknown}
        return zeros


class _Dictating(LogitsProcessor):
    """Leaves `generate` only the tokens that `choose` takes, (rows,), from the logits, (rows, vocabulary)."""

    def __init__(self, choose: Callable[[Tensor], Tensor]) -> None:
        self._choose = choose

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        del input_ids
        chosen = self._choose(scores)
        return torch.full_like(scores, -torch.inf).scatter_(1, chosen[:, None], 0.0)


class _Ones(TokenChooser):
    """Notes the digits, and always takes the "1"."""

    def __init__(self, score_tokens: ScoreTokens) -> None:
        super().__init__(score_tokens)
        self._one = score_tokens.one

    def __call__(self, logits: Tensor) -> Tensor:
        super().__call__(logits)
        return torch.full((len(logits),), self._one, device=logits.device)
