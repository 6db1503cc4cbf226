"""Qwen3-VL as a judge, dense and mixture of experts, through transformers.

A batch is padded on the left, so every row's next token has the same index. Images come first in the user's turn, then the
text; the answer begins with the question's prefix. One kind of hardware and one batch give one answer.

Where a reply is generated its answers' distributions are read as well, at the step that decoded each answer. All but one of
the probabilities come with the reply; P("0" | "1") takes one more step on the reply's own cache, with all that was decoded from
that step on masked.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from transformers import Qwen3VLProcessor

from editbench.kernels import attention
from editbench.processors import load_processor
from editbench.score.checkpoint import check_local, check_thinking
from editbench.score.in_process import decoding
from editbench.score.in_process.decoding import StopTokens, TokenChooser
from editbench.score.in_process.judge import AnswerSteps, CheckpointJudge
from editbench.score.judge import JudgeSettings, Question, Reply, threads
from editbench.score.qwen3vl import loading
from editbench.score.qwen3vl.cuda_graph import CapturedSteps
from editbench.score.qwen3vl.decode_cache import DecodeCache
from editbench.score.qwen3vl.patches import Patchifier, Pixels
from editbench.score.qwen3vl.per_image import ImageCache
from editbench.score.qwen3vl.prefix_cache import PrefixCache, Prompt
from editbench.score.readout import reaches_ten
from editbench.score.thinking import Thinking

if TYPE_CHECKING:
    from PIL import Image
    from transformers import PreTrainedTokenizerBase

_log = logging.getLogger(__name__)


class Qwen3VLJudge(CheckpointJudge):
    """The judge of a local checkpoint. What `prepare` returns is a batch of prompts on the CPU."""

    def __init__(self, folder: Path, settings: JudgeSettings, adapter: Path | None = None) -> None:
        """`adapter`: a folder as peft saves one.

        Raises UserError for a folder that is not a whole checkpoint, or one that `settings` or the adapter do not fit.
        """
        check_local(folder)
        check_thinking(folder, settings.thinking_budget)
        areas = {"shortest_edge": settings.min_pixels, "longest_edge": settings.max_pixels}
        super().__init__(folder, settings, load_processor(folder, Qwen3VLProcessor, size=areas))
        self._pool = ThreadPoolExecutor(threads(), "resize")
        self._pixels = ImageCache[Pixels]()
        device, dtype = torch.device(settings.device), getattr(torch, settings.dtype)
        self._model, self.notes = loading.load(folder, device, dtype, adapter)
        self.kernels = attention(self._model)
        self._patchifier = Patchifier(self._processor.image_processor, device, dtype)
        self._stop_tokens = StopTokens.of(self._model.generation_config, self._decoder)
        self._prefix_cache = PrefixCache(self._model, self._stop_tokens.pad_token_id, self._patchifier.patchify)

    def prepare(self, questions: Sequence[Question]) -> list[Prompt]:
        """Raises ValueError for a picture more than 200 times as long as wide, which the model can't take."""
        return self._prompts(questions, self._processor.tokenizer)

    @torch.inference_mode()
    def answer(self, prepared: Sequence[Prompt], seeds: Sequence[int] | None = None) -> list[Reply]:
        if self._thinking is not None:
            thinking = self._thinking
            return self._within_memory(lambda: self._think(thinking, prepared, seeds or ()))
        return self._within_memory(lambda: self._answer(prepared, seeds or ()))

    @torch.inference_mode()
    def force(self, questions: Sequence[Question]) -> list[Reply] | None:
        if not self._can_force:
            return None
        prompts = self._prompts(questions, self._decoder)
        return self._within_memory(lambda: self._read_distributions(prompts))

    def _within_memory(self, ask: Callable[[], list[Reply]]) -> list[Reply]:
        """The replies. What is kept of the images gives way before memory is taken to be too small, for this batch alone."""
        try:
            return ask()
        except torch.OutOfMemoryError:
            if not self._prefix_cache.release():
                raise
        # Outside the handler, which would keep the failed batch's tensors alive.
        torch.cuda.empty_cache()
        self._prefix_cache.enabled = False
        try:
            replies = ask()
        finally:
            self._prefix_cache.enabled = True
        _log.warning("nothing of the pictures was kept for a batch: it did not fit into memory")
        return [replace(reply, short_of_memory=True) for reply in replies]

    def _prompts(self, questions: Sequence[Question], tokenizer: PreTrainedTokenizerBase) -> list[Prompt]:
        by_image = self._resized([image for question in questions for image in question.images])
        pixels = [tuple(by_image[id(image)] for image in question.images) for question in questions]
        merged = self._processor.image_processor.merge_size**2
        counts = [int(image.grid_thw.prod()) // merged for images in pixels for image in images]
        texts = _expand([self._prompt_text(question) for question in questions], self._processor.image_token, counts)
        rows = map(torch.tensor, tokenizer(texts)["input_ids"])
        return [self._prompt(*entry) for entry in zip(questions, rows, pixels, strict=True)]

    def _prompt(self, question: Question, input_ids: Tensor, pixels: tuple[Pixels, ...]) -> Prompt:
        token_types = (input_ids == self._processor.image_token_id).int()
        grids = torch.cat([image.grid_thw for image in pixels]) if pixels else None
        position_ids, _ = self._model.model.get_rope_index(input_ids[None], token_types[None], image_grid_thw=grids)
        return Prompt(question, input_ids, position_ids[:, 0], pixels)

    def _resized(self, images: Sequence[Image.Image]) -> dict[int, Pixels]:
        """Each image as the judge sees it, by its id."""
        known = {id(image): pixels for image in images if (pixels := self._pixels.get(image)) is not None}
        new = [*{id(image): image for image in images if id(image) not in known}.values()]
        for image, pixels in zip(new, self._pool.map(self._patchifier.resize, new), strict=True):
            self._pixels.put(pixels, image)
            known[id(image)] = pixels
        return known

    def _think(self, thinking: Thinking, prompts: Sequence[Prompt], seeds: Sequence[int]) -> list[Reply]:
        """The replies behind the thoughts of all prompts. What was computed of the pictures is kept in between."""
        asked = [replace(prompt, question=replace(prompt.question, shared=True)) for prompt in prompts]
        stop = StopTokens((*self._stop_tokens.ids, thinking.end), self._stop_tokens.pad_token_id)
        chooser = TokenChooser(None, self._settings.temperature, seeds)
        decoded, _ = self._decode(asked, chooser, stop, thinking.budget)
        token_ids = decoded.tolist()
        thoughts = {row: thought for row, ids in enumerate(token_ids) if (thought := thinking.whole(ids)) is not None}
        behind = [
            prompts[row].followed_by(thinking.before_answer(thought, prompts[row].question.answer_prefix))
            for row, thought in thoughts.items()
        ]
        drawn = [thinking.answer_seed(seeds[row]) for row in thoughts] if seeds else []
        answers = self._answer(behind, drawn) if behind else []
        return thinking.replies(token_ids, dict(zip(thoughts, answers, strict=True)))

    def _read_distributions(self, batch: Sequence[Prompt]) -> list[Reply]:
        questions = [prompt.question for prompt in batch]
        ten = any(reaches_ten(question.criteria[0]) for question in questions)
        read = [prompt.followed_by([self._score_tokens.one]) for prompt in batch] if ten else batch
        logits = self._prefix_cache.prefill(read, last=2 if ten else 1).logits
        return self._distributed(questions, self._score_tokens.probabilities(logits))

    def _generate(self, batch: Sequence[Prompt], seeds: Sequence[int]) -> list[Reply]:
        chooser = TokenChooser(self._known_score_tokens, self._settings.temperature, seeds)
        output, cache = self._decode(batch, chooser, self._stop_tokens, self._settings.max_new_tokens)

        def zeros(steps: AnswerSteps, _digits: Tensor) -> dict[int, float]:
            return self._zeros_behind_one(cache, [steps[row][1] if row in steps else 0 for row in range(len(batch))])

        return self._written([prompt.question for prompt in batch], output, chooser, zeros)

    def _decode(
        self, prompts: Sequence[Prompt], chooser: TokenChooser, stop: StopTokens, limit: int
    ) -> tuple[Tensor, DecodeCache]:
        """Token ids (rows, steps), and the cache behind all of them but the last, or behind more."""
        prefill = self._prefix_cache.prefill(prompts, caching=True)
        logits, cache = prefill.logits[:, -1], prefill.decode_cache(recordable=self._settings.cuda_graph)

        def decode_step(token_ids: Tensor) -> Tensor:
            cache.advance()
            return self._prefix_cache.decode_step(cache, token_ids)

        step = CapturedSteps(self._prefix_cache.decode_step, cache) if self._settings.cuda_graph else decode_step
        every = 1 if cache.on_host else decoding.LOOK_EVERY
        with loading.decoding_experts(self._model, len(prompts)):
            token_ids = decoding.generate(logits, chooser, step, stop, limit, look_every=every)
        return token_ids, cache

    def _zeros_behind_one(self, cache: DecodeCache, steps: Sequence[int]) -> dict[int, float]:
        """By row, P("0" | "1") where it decoded the token of its step.

        The cache grows by one column, which the next call masks as it masks what was decoded.
        """
        cache.branch(steps)
        one = torch.full((len(steps),), self._score_tokens.one, device=self._model.device)
        digits = self._score_tokens.probabilities(self._prefix_cache.decode_step(cache, one))
        return dict(enumerate(digits[:, 0].tolist()))


def _expand(prompts: Sequence[str], image_token: str, counts: Sequence[int]) -> list[str]:
    """Each image's one token repeated as often as it has tokens. `counts`: of the images, prompt by prompt."""
    left = iter(counts)
    return [re.sub(re.escape(image_token), lambda match: match[0] * next(left), prompt) for prompt in prompts]
