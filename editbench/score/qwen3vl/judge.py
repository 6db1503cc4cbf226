"""Qwen3-VL as a judge, dense and mixture of experts, through transformers.

A batch is padded on the left, so every row's next token is at the same place. Pictures come first in the user's turn, then
the text; the answer begins with the question's prefix. One kind of hardware and one batch give one answer.

Where a reply is written its answers' distributions are read as well, at the place where each answer stands. All but one of the
probabilities come with the reply; P("0" | "1") takes one more step on the reply's own cache, with all that was written from
that place on hidden.
"""

from __future__ import annotations

import copy
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import Qwen3VLProcessor

from editbench.errors import UserError
from editbench.processors import load_processor
from editbench.records import EXPECTED
from editbench.score.judge import THREADS, Judge, JudgeSettings, Question, Reply, check_local
from editbench.score.qwen3vl import decoding, loading
from editbench.score.qwen3vl.chat_template import ChatTemplate
from editbench.score.qwen3vl.decoding import Ending, Steps, step_of_place
from editbench.score.qwen3vl.per_image import PerPictures
from editbench.score.qwen3vl.prefix_cache import Patches, Prompt, Read, Reader
from editbench.score.readout import ScoreTokens, distribution, reaches_ten
from editbench.score.replies.positions import answer_places

if TYPE_CHECKING:
    from PIL import Image
    from transformers import PreTrainedTokenizerBase

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """Prompts on the CPU."""

    prompts: tuple[Prompt, ...]


class Qwen3VLJudge(Judge):
    def __init__(self, folder: Path, settings: JudgeSettings) -> None:
        """Raises UserError for a folder that is not a whole Qwen3-VL checkpoint, or one that `settings` do not fit."""
        check_local(folder)
        self._settings = settings
        areas = {"shortest_edge": settings.min_pixels, "longest_edge": settings.max_pixels}
        self._processor = load_processor(folder, Qwen3VLProcessor, size=areas)
        tokenizer = self._processor.tokenizer
        self._chat = ChatTemplate(self._processor)
        self._scores = ScoreTokens.of(tokenizer)
        if self._scores is None and settings.readout == EXPECTED:
            raise UserError(
                "this judge's tokenizer does not split numbers into digits, so scores can't be read from its distribution",
                "Use readout generate, or another judge.",
            )
        self._refuse_thinking(folder)
        # `prepare` runs in other threads, and a tokenizer can't be borrowed by two.
        self._decoder, self._forcer = copy.deepcopy(tokenizer), copy.deepcopy(tokenizer)
        self._pool = ThreadPoolExecutor(THREADS, "picture")
        self._patches = PerPictures[Patches]()
        self._model, self.notes = loading.load(folder, torch.device(settings.device), getattr(torch, settings.dtype))
        self._ending = Ending.of(self._model.generation_config, tokenizer)
        self._reader = Reader(self._model, self._ending.filler)

    def prepare(self, questions: Sequence[Question]) -> Batch:
        """Raises ValueError for a picture more than 200 times as long as wide, which the model can't take."""
        return self._lay_out(questions, self._processor.tokenizer)

    @torch.inference_mode()
    def answer(self, prepared: Batch, seeds: Sequence[int] | None = None) -> list[Reply]:
        if self._settings.readout == EXPECTED:
            return self._fitting(lambda: self._read(prepared.prompts))
        return self._fitting(lambda: self._write(prepared.prompts, seeds or ()))

    @torch.inference_mode()
    def force(self, questions: Sequence[Question]) -> list[Reply] | None:
        if self._scores is None:
            return None
        prompts = self._lay_out(questions, self._forcer).prompts
        return self._fitting(lambda: self._read(prompts))

    def _fitting(self, ask: Callable[[], list[Reply]]) -> list[Reply]:
        """The replies. What is kept of the pictures gives way before memory is taken to be too small."""
        try:
            return ask()
        except torch.OutOfMemoryError:
            if not self._reader.release():
                raise
        # Outside the handler, which would keep the failed batch's tensors alive.
        torch.cuda.empty_cache()
        self._reader.shares = False
        try:
            replies = ask()
        except torch.OutOfMemoryError:  # not because of what was kept
            self._reader.shares = True
            raise
        _log.warning("nothing of the pictures is kept from question to question any more: it did not fit into memory")
        return replies

    def _lay_out(self, questions: Sequence[Question], tokenizer: PreTrainedTokenizerBase) -> Batch:
        patches = self._patched([image for question in questions for image in question.images])
        shown = [tuple(patches[id(image)] for image in question.images) for question in questions]
        sizes = [self._size(picture) for pictures in shown for picture in pictures]
        texts = _expand([self._prompt(question) for question in questions], self._processor.image_token, sizes)
        found = tokenizer(texts)["input_ids"]
        return Batch(tuple(map(self._placed, questions, map(torch.tensor, found), shown)))

    def _placed(self, question: Question, tokens: torch.Tensor, patches: tuple[Patches, ...]) -> Prompt:
        kinds = (tokens == self._processor.image_token_id).int()
        grids = torch.cat([picture.grid for picture in patches]) if patches else None
        places, _ = self._model.model.get_rope_index(tokens[None], kinds[None], image_grid_thw=grids)
        for picture in patches:
            picture.prompts += 1
        return Prompt(question, tokens, places[:, 0], patches)

    def _patched(self, images: Sequence[Image.Image]) -> dict[int, Patches]:
        """Each picture's patches, by its id."""
        found = {id(image): (image, self._patches.get(image)) for image in images}
        new = [image for image, patches in found.values() if patches is None]
        for image, patches in zip(new, self._pool.map(self._cut, new), strict=True):
            self._patches.put(patches, image)
            found[id(image)] = (image, patches)
        return {key: patches for key, (_, patches) in found.items()}

    def _cut(self, image: Image.Image) -> Patches:
        made = self._processor.image_processor(images=[image], return_tensors="pt")
        # The model would cast them itself; half the bytes to copy. From pinned memory they are copied while the device works.
        values = made["pixel_values"].to(getattr(torch, self._settings.dtype))
        on_gpu = self._model.device.type == "cuda"
        return Patches(values.pin_memory() if on_gpu else values, made["image_grid_thw"])

    def _size(self, patches: Patches) -> int:
        """Tokens of a picture."""
        return int(patches.grid.prod()) // self._processor.image_processor.merge_size**2

    def _read(self, prompts: Sequence[Prompt]) -> list[Reply]:
        """Each question's only criterion, read off behind its prompt."""
        questions = [prompt.question for prompt in prompts]
        ten = any(reaches_ten(question.criteria[0]) for question in questions)
        asked = [prompt.plus(self._scores.one) for prompt in prompts] if ten else prompts
        digits = self._scores.probabilities(self._reader.read(asked, last=2 if ten else 1).logits)
        zeros = digits[:, -1, 0] if ten else torch.zeros(len(digits))
        found = zip(questions, digits[:, 0].tolist(), zeros.tolist(), strict=True)
        replies = [
            Reply("", {(only := question.criteria[0]).name: distribution(only, row, zero)}) for question, row, zero in found
        ]
        return self._checked(replies, digits.isfinite().flatten(1).all(1))

    def _write(self, prompts: Sequence[Prompt], seeds: Sequence[int]) -> list[Reply]:
        questions = [prompt.question for prompt in prompts]
        read, steps = self._reader.read(prompts, caching=True), Steps(self._scores, self._settings.temperature, seeds)
        made = self._written(read, steps)
        tokens = made.tolist()
        # Rows that ended early are filled with the pad token, which is special and so is left out.
        written = self._decoder.batch_decode(tokens, skip_special_tokens=True)
        texts = [question.answer_prefix + text for question, text in zip(questions, written, strict=True)]
        if self._scores is None:
            return [Reply(text) for text in texts]
        at = [self._answered_at(*row) for row in zip(questions, texts, written, tokens, strict=True)]
        found = self._noted(questions, steps, at, read)
        replies = [Reply(text, distributions) for text, distributions in zip(texts, found, strict=True)]
        return self._checked(replies, torch.stack(steps.digits, 1).isfinite().flatten(1).all(1))

    def _written(self, read: Read, steps: Steps) -> torch.Tensor:
        """Tokens, (rows, steps). The cache grows by all of them but the last."""
        seen = read.seen

        def step(tokens: torch.Tensor) -> torch.Tensor:
            nonlocal seen
            logits = self._reader.step(read.cache, tokens, seen, read.offsets)
            seen = torch.nn.functional.pad(seen, (0, 1), value=True)
            return logits

        with loading.writing(self._model, len(seen)):
            return decoding.write(read.logits[:, -1], steps, step, self._ending, self._settings.max_new_tokens)

    def _answered_at(self, question: Question, text: str, written: str, tokens: Sequence[int]) -> dict[str, int]:
        """By criterion, the step at which the first digit of its answer was written."""
        places = answer_places(text, question.criteria)
        steps = step_of_place(tokens, written, self._scores.digits) if places else {}
        offset = len(text) - len(written)
        return {name: steps[place - offset] for name, place in places.items() if place - offset in steps}

    def _noted(
        self, questions: Sequence[Question], steps: Steps, at: Sequence[Mapping[str, int]], read: Read
    ) -> list[dict[str, tuple[float, ...]]]:
        """By row and criterion, the distribution at the step its answer was written at."""
        found: list[dict[str, tuple[float, ...]]] = [{} for _ in at]
        for place in range(max(len(question.criteria) for question in questions)):
            asked = [question.criteria[place] if place < len(question.criteria) else None for question in questions]
            rows = [row for row, entry in enumerate(asked) if entry and entry.name in at[row]]
            if not rows:
                continue
            where = [at[row][asked[row].name] if row in rows else 0 for row in range(len(asked))]
            ten = any(reaches_ten(asked[row]) for row in rows)
            zeros = self._zero_after_one(read, where) if ten else torch.zeros(len(asked))
            digits = torch.stack([steps.digits[where[row]][row] for row in rows])
            for row, values in zip(rows, digits.tolist(), strict=True):
                found[row][asked[row].name] = distribution(asked[row], values, zeros[row].item())
        return found

    def _zero_after_one(self, read: Read, steps: Sequence[int]) -> torch.Tensor:
        """P("0" | "1") where a row wrote the token of its step: (rows,).

        The cache grows by one column, which the next call hides as it hides what was written.
        """
        prompted, device = read.seen.shape[1], read.seen.device
        written = torch.arange(read.cache.get_seq_length() - prompted, device=device)
        seen = torch.cat([read.seen, written < torch.tensor(steps, device=device)[:, None]], 1)
        one = torch.full((len(steps),), self._scores.one, device=device)
        return self._scores.probabilities(self._reader.step(read.cache, one, seen, read.offsets))[:, 0]

    def _checked(self, replies: Sequence[Reply], sound: torch.Tensor) -> list[Reply]:
        """The replies, but an error for those whose probabilities, `sound` (rows,), are not numbers."""
        dtype = self._settings.dtype
        problem = f"the judge's probabilities are not numbers in {dtype}"
        problem += "; try --dtype float32" if dtype != "float32" else ""
        return [reply if fine else Reply("", error=problem) for reply, fine in zip(replies, sound.tolist(), strict=True)]

    def _prompt(self, question: Question) -> str:
        return self._chat.prompt(len(question.images), question.text, question.answer_prefix, question.said)

    def _refuse_thinking(self, folder: Path) -> None:
        if self._chat.prompt(0, "", "").rstrip().endswith("<think>"):
            raise UserError(f"{folder} is a model that thinks before it answers", "Name the Instruct variant of the judge.")


def _expand(prompts: Sequence[str], token: str, sizes: Sequence[int]) -> list[str]:
    """Each picture's one token repeated as often as it has tokens. `sizes`: of the pictures, prompt by prompt."""
    left = iter(sizes)
    return [re.sub(re.escape(token), lambda match: match[0] * next(left), prompt) for prompt in prompts]
