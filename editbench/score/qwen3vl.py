"""Qwen3-VL as a judge, dense and mixture of experts, through transformers.

A batch is padded on the left, so every row's next token is at the same place. Pictures come first in the user's turn, then
the text; the answer begins with the question's prefix. One kind of hardware and one batch give one answer.

Where a reply is written its answers' distributions are read as well, at the place where each answer stands. All but one of the
probabilities come with the reply; P("0" | "1") takes one more step on the reply's own cache, with all that was written from
that place on hidden.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import pad
from transformers import AutoModelForImageTextToText, GenerationConfig, LogitsProcessorList, Qwen3VLProcessor
from transformers.utils import is_flash_attn_2_available

from editbench.errors import StageError, UserError
from editbench.processors import load_processor
from editbench.score.decode import Steps, step_of_place
from editbench.score.judge import THREADS, Judge, JudgeSettings, Question, Reply, check_local
from editbench.score.locate import answer_places
from editbench.score.readout import ScoreTokens, distribution, reaches_ten

if TYPE_CHECKING:
    from PIL import Image
    from transformers import Cache, PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Batch:
    """`inputs`: what the model takes, on the CPU."""

    inputs: dict[str, torch.Tensor]
    questions: tuple[Question, ...]


class Qwen3VLJudge(Judge):
    def __init__(self, folder: Path, settings: JudgeSettings) -> None:
        """Raises UserError for a folder that is not a whole Qwen3-VL checkpoint, or one that `settings` do not fit."""
        check_local(folder)
        self._settings = settings
        areas = {"shortest_edge": settings.min_pixels, "longest_edge": settings.max_pixels}
        self._processor = load_processor(folder, Qwen3VLProcessor, size=areas)
        tokenizer = self._processor.tokenizer
        self._control_tokens = _pattern(tokenizer)
        self._scores = ScoreTokens.of(tokenizer)
        if self._scores is None and settings.readout == "expected":
            raise UserError(
                "this judge's tokenizer does not split numbers into digits, so scores can't be read from its distribution",
                "Use readout generate, or another judge.",
            )
        self._refuse_thinking(folder)
        # `prepare` runs in other threads, and a tokenizer can't be borrowed by two.
        self._decoder, self._forcer = copy.deepcopy(tokenizer), copy.deepcopy(tokenizer)
        self._pool = ThreadPoolExecutor(THREADS, "picture")
        self._model = _load(folder, settings, tokenizer)

    def prepare(self, questions: Sequence[Question]) -> Batch:
        """Raises ValueError for a picture more than 200 times as long as wide, which the model can't take."""
        return self._lay_out(questions, self._processor.tokenizer, expected=self._settings.readout == "expected")

    @torch.inference_mode()
    def answer(self, prepared: Batch, seeds: Sequence[int] | None = None) -> list[Reply]:
        """Raises StageError when the model's probabilities are not numbers."""
        if self._settings.readout == "expected":
            return self._read(prepared)
        return self._write(prepared, seeds or ())

    @torch.inference_mode()
    def force(self, questions: Sequence[Question]) -> list[Reply] | None:
        if self._scores is None:
            return None
        return self._read(self._lay_out(questions, self._forcer, expected=True))

    def _lay_out(self, questions: Sequence[Question], tokenizer: PreTrainedTokenizerBase, *, expected: bool) -> Batch:
        images = [image for question in questions for image in question.images]
        pixels = self._patches(images) if images else {}
        prompts = _expand([self._prompt(question) for question in questions], self._processor.image_token, self._sizes(pixels))
        words = tokenizer(prompts, padding=True, return_tensors="pt")
        inputs = {name: words[name] for name in ("input_ids", "attention_mask")}
        inputs["mm_token_type_ids"] = (inputs["input_ids"] == self._processor.image_token_id).int()
        inputs |= pixels
        if expected and _read_ten(questions):
            inputs = _append(inputs, self._scores.one)
        return Batch(inputs, tuple(questions))

    def _patches(self, images: Sequence[Image.Image]) -> dict[str, torch.Tensor]:
        """The pictures' patches one behind the other, as the model takes them, and each one's grid."""
        process = self._processor.image_processor
        made = list(self._pool.map(lambda image: process(images=[image], return_tensors="pt"), images))
        # The model would cast them itself; half the bytes to copy.
        dtype = getattr(torch, self._settings.dtype)
        values = torch.cat([entry["pixel_values"].to(dtype) for entry in made])
        return {"pixel_values": values, "image_grid_thw": torch.cat([entry["image_grid_thw"] for entry in made])}

    def _sizes(self, pixels: Mapping[str, torch.Tensor]) -> list[int]:
        """Tokens of each picture."""
        merged = self._processor.image_processor.merge_size**2
        return [int(grid.prod()) // merged for grid in pixels.get("image_grid_thw", ())]

    def _inputs(self, batch: Batch) -> dict[str, torch.Tensor]:
        return {name: tensor.to(self._model.device) for name, tensor in batch.inputs.items()}

    def _read(self, batch: Batch) -> list[Reply]:
        """Each question's only criterion, read off behind its prompt."""
        ten = _read_ten(batch.questions)
        logits = self._model(**self._inputs(batch), logits_to_keep=2 if ten else 1, use_cache=False).logits
        digits = self._scores.probabilities(logits)
        zeros = digits[:, -1, 0] if ten else torch.zeros(len(digits))
        self._check(digits)
        found = zip(batch.questions, digits[:, 0].tolist(), zeros.tolist(), strict=True)
        return [
            Reply("", {(only := question.criteria[0]).name: distribution(only, row, zero)}) for question, row, zero in found
        ]

    def _write(self, batch: Batch, seeds: Sequence[int]) -> list[Reply]:
        inputs, steps = self._inputs(batch), Steps(self._scores, self._settings.temperature, seeds)
        made = self._model.generate(**inputs, logits_processor=LogitsProcessorList([steps]), return_dict_in_generate=True)
        tokens = made.sequences[:, inputs["input_ids"].shape[1] :].tolist()
        # Rows that ended early are filled with the pad token, which is special and so is left out.
        written = self._decoder.batch_decode(tokens, skip_special_tokens=True)
        texts = [question.answer_prefix + text for question, text in zip(batch.questions, written, strict=True)]
        if self._scores is None:
            return [Reply(text) for text in texts]
        at = [self._answered_at(*row) for row in zip(batch.questions, texts, written, tokens, strict=True)]
        found = self._noted(batch, steps, at, made.past_key_values, inputs["attention_mask"])
        return [Reply(text, distributions) for text, distributions in zip(texts, found, strict=True)]

    def _answered_at(self, question: Question, text: str, written: str, tokens: Sequence[int]) -> dict[str, int]:
        """By criterion, the step at which the first digit of its answer was written."""
        places = answer_places(text, question.criteria)
        steps = step_of_place(tokens, written, self._scores.digits) if places else {}
        offset = len(text) - len(written)
        return {name: steps[place - offset] for name, place in places.items() if place - offset in steps}

    def _noted(
        self, batch: Batch, steps: Steps, at: Sequence[Mapping[str, int]], cache: Cache, mask: torch.Tensor
    ) -> list[dict[str, tuple[float, ...]]]:
        """By row and criterion, the distribution at the step its answer was written at."""
        found: list[dict[str, tuple[float, ...]]] = [{} for _ in at]
        for place in range(max(len(question.criteria) for question in batch.questions)):
            asked = [question.criteria[place] if place < len(question.criteria) else None for question in batch.questions]
            rows = [row for row, entry in enumerate(asked) if entry and entry.name in at[row]]
            if not rows:
                continue
            where = [at[row][asked[row].name] if row in rows else 0 for row in range(len(asked))]
            ten = any(reaches_ten(asked[row]) for row in rows)
            zeros = self._zero_after_one(cache, mask, where) if ten else torch.zeros(len(asked))
            digits = torch.stack([steps.digits[where[row]][row] for row in rows])
            self._check(digits)
            for row, values in zip(rows, digits.tolist(), strict=True):
                found[row][asked[row].name] = distribution(asked[row], values, zeros[row].item())
        return found

    def _zero_after_one(self, cache: Cache, mask: torch.Tensor, steps: Sequence[int]) -> torch.Tensor:
        """P("0" | "1") where a row wrote the token of its step: (rows,). `mask`: of the prompts.

        The cache grows by one place, which the next call hides as it hides what was written.
        """
        length, device = cache.get_seq_length(), mask.device
        ends = mask.shape[1] + torch.tensor(steps, device=device)
        seen = torch.arange(length, device=device) < ends[:, None]
        seen[:, : mask.shape[1]] &= mask.bool()
        places = seen.sum(1)
        spatial = places + self._model.model.rope_deltas[:, 0].to(device)
        token = torch.full((len(steps), 1), self._scores.one, device=device)
        logits = self._model(
            input_ids=token,
            attention_mask=torch.cat([seen, torch.ones_like(token, dtype=torch.bool)], 1).long(),
            position_ids=torch.stack([places, spatial, spatial, spatial])[..., None],
            past_key_values=cache,
            use_cache=True,
        ).logits
        return self._scores.probabilities(logits[:, -1])[:, 0]

    def _check(self, probabilities: torch.Tensor) -> None:
        if not torch.isfinite(probabilities).all():
            message = f"the judge's probabilities are not numbers in {self._settings.dtype}"
            raise StageError(message, "Try --dtype bfloat16 or float32.")

    def _prompt(self, question: Question) -> str:
        text = self._control_tokens.sub(_defuse, question.text)
        content = [*({"type": "image"} for _ in question.images), {"type": "text", "text": text}]
        conversation = [{"role": "user", "content": content}]
        prompt = self._processor.apply_chat_template(conversation, add_generation_prompt=True, tokenize=False)
        return prompt + question.answer_prefix + self._control_tokens.sub(_defuse, question.said)

    def _refuse_thinking(self, folder: Path) -> None:
        if self._prompt(Question("", (), "", "")).rstrip().endswith("<think>"):
            raise UserError(f"{folder} is a model that thinks before it answers", "Name the Instruct variant of the judge.")


def _load(folder: Path, settings: JudgeSettings, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    device = torch.device(settings.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    placement = None if device.type == "cpu" else {"": device}
    dtype = getattr(torch, settings.dtype)
    model = AutoModelForImageTextToText.from_pretrained(
        folder, dtype=dtype, device_map=placement, local_files_only=True, **_implementations(device, dtype)
    )
    model.generation_config = _greedy(model.generation_config, tokenizer, settings.max_new_tokens)
    return model.eval()


def _implementations(device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    """Flash attention takes all pictures of a batch in one call, sdpa goes through them one by one: it is used where it is
    installed and works. The text keeps sdpa, which takes the masks of padded batches as they are."""
    flash = device.type == "cuda" and dtype != torch.float32 and is_flash_attn_2_available()
    return {"attn_implementation": {"text_config": "sdpa", "vision_config": "flash_attention_2" if flash else "sdpa"}}


def _read_ten(questions: Sequence[Question]) -> bool:
    return any(reaches_ten(question.criteria[0]) for question in questions)


def _expand(prompts: Sequence[str], token: str, sizes: Sequence[int]) -> list[str]:
    """Each picture's one token repeated as often as it has tokens. `sizes`: of the pictures, prompt by prompt."""
    left = iter(sizes)
    return [re.sub(re.escape(token), lambda match: match[0] * next(left), prompt) for prompt in prompts]


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
