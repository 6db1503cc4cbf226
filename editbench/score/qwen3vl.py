"""Qwen3-VL as a judge, dense and mixture of experts, through transformers.

A batch is padded on the left, so every row's next token is at the same place. Pictures come first in the user's turn, then
the text; the answer begins with the question's prefix. Greedy: one kind of hardware and one batch give one answer.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import pad
from transformers import AutoModelForImageTextToText, GenerationConfig, Qwen3VLProcessor

from editbench.errors import StageError, UserError
from editbench.processors import load_processor
from editbench.score.judge import Judge, JudgeSettings, Question, Reply, check_local
from editbench.score.readout import ScoreTokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Batch:
    """`inputs`: what the model takes, on the CPU; `prefixes`: how each row's answer begins."""

    inputs: dict[str, torch.Tensor]
    prefixes: tuple[str, ...]


class Qwen3VLJudge(Judge):
    def __init__(self, folder: Path, settings: JudgeSettings) -> None:
        """Raises UserError for a folder that is not a whole Qwen3-VL checkpoint, or one that `settings` do not fit."""
        check_local(folder)
        self._settings = settings
        areas = {"shortest_edge": settings.min_pixels, "longest_edge": settings.max_pixels}
        self._processor = load_processor(folder, Qwen3VLProcessor, size=areas)
        tokenizer = self._processor.tokenizer
        self._control_tokens = _pattern(tokenizer)
        self._scores = ScoreTokens.of(tokenizer, settings.scale) if settings.readout == "expected" else None
        self._refuse_thinking(folder)
        # `prepare` runs in other threads, and a tokenizer can't be borrowed by two.
        self._decoder = copy.deepcopy(tokenizer)
        self._model = _load(folder, settings, tokenizer)

    def prepare(self, questions: Sequence[Question]) -> Batch:
        """Raises ValueError for a picture more than 200 times as long as wide, which the model can't take."""
        prompts = [self._prompt(question) for question in questions]
        images = [image for question in questions for image in question.images]
        inputs = dict(self._processor(text=prompts, images=images or None, padding=True, return_tensors="pt"))
        if images:  # The model would cast them itself; half the bytes to copy.
            inputs["pixel_values"] = inputs["pixel_values"].to(getattr(torch, self._settings.dtype))
        if self._scores and self._scores.one is not None:
            inputs = _append(inputs, self._scores.one)
        return Batch(inputs, tuple(question.answer_prefix for question in questions))

    @torch.inference_mode()
    def answer(self, prepared: Batch) -> list[Reply]:
        """Raises StageError when the model's probabilities are not numbers."""
        inputs = {name: tensor.to(self._model.device) for name, tensor in prepared.inputs.items()}
        if self._scores:
            return self._read(inputs, self._scores)
        tokens = self._model.generate(**inputs)[:, inputs["input_ids"].shape[1] :]
        # Rows that ended early are filled with the pad token, which is special and so is left out.
        written = self._decoder.batch_decode(tokens, skip_special_tokens=True)
        return [Reply(prefix + text) for prefix, text in zip(prepared.prefixes, written, strict=True)]

    def _read(self, inputs: dict[str, torch.Tensor], scores: ScoreTokens) -> list[Reply]:
        logits = self._model(**inputs, logits_to_keep=scores.positions, use_cache=False).logits
        distributions = scores.distribution(logits)
        if not torch.isfinite(distributions).all():
            message = f"the judge's probabilities are not numbers in {self._settings.dtype}"
            raise StageError(message, "Try --dtype bfloat16 or float32.")
        rows = [tuple(row) for row in distributions.tolist()]
        return [Reply("", row, sum(row)) for row in rows]

    def _prompt(self, question: Question) -> str:
        text = self._control_tokens.sub(_defuse, question.text)
        content = [*({"type": "image"} for _ in question.images), {"type": "text", "text": text}]
        conversation = [{"role": "user", "content": content}]
        prompt = self._processor.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False)
        return prompt + question.answer_prefix

    def _refuse_thinking(self, folder: Path) -> None:
        if self._prompt(Question("", (), "", "")).rstrip().endswith("<think>"):
            raise UserError(f"{folder} is a model that thinks before it answers", "Name the Instruct variant of the judge.")


def _load(folder: Path, settings: JudgeSettings, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    device = torch.device(settings.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    placement = None if device.type == "cpu" else {"": device}
    model = AutoModelForImageTextToText.from_pretrained(
        folder, dtype=getattr(torch, settings.dtype), device_map=placement, local_files_only=True
    )
    model.generation_config = _greedy(model.generation_config, tokenizer, settings.max_new_tokens)
    return model.eval()


def _greedy(published: GenerationConfig, tokenizer: PreTrainedTokenizerBase, max_new_tokens: int) -> GenerationConfig:
    """Greedy decoding, and nothing of the checkpoint's sampling settings but the tokens that end an answer."""
    ends = published.eos_token_id if published.eos_token_id is not None else tokenizer.eos_token_id
    filler = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id
    return GenerationConfig(do_sample=False, max_new_tokens=max_new_tokens, eos_token_id=ends, pad_token_id=filler)


def _pattern(tokenizer: PreTrainedTokenizerBase) -> re.Pattern[str]:
    longest_first = sorted(tokenizer.get_added_vocab(), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)))


def _defuse(match: re.Match[str]) -> str:
    """A control token as text: a zero-width space behind its first character keeps the tokenizer from seeing it.

    transformers 5.23 has sanitize_control_tokens, 5.17 does not, and neither has it where an answer's beginning is appended.
    """
    token = match.group()
    return f"{token[0]}\u200b{token[1:]}"


def _append(inputs: dict[str, torch.Tensor], token: int) -> dict[str, torch.Tensor]:
    """One text token more at the end of every row."""
    added = {"input_ids": token, "attention_mask": 1, "mm_token_type_ids": 0}
    return {**inputs, **{name: pad(inputs[name], (0, 1), value=value) for name, value in added.items()}}
