"""A judge of any family: the library's own processor makes the inputs, and its `generate` decodes.

A batch is padded on the left. What the judge writes is chosen step by step as for Qwen3-VL (`TokenChooser`), by a logits
processor that leaves `generate` no other choice; so the digits' probabilities are known at each step. A distribution is read by
having the judge write a "1" of ours, and looking at what it would have written there and behind it.

Pictures larger than `max_pixels` are made smaller; what comes then (tiles, a fixed size) is the family's own.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Lock

import torch
from PIL import Image
from torch import Tensor
from transformers import LogitsProcessor

from editbench.kernels import attention
from editbench.records import EXPECTED
from editbench.score.checkpoint import check_local, check_thinking
from editbench.score.criteria import Criterion
from editbench.score.families import loading, processor
from editbench.score.families.batch import PromptBatch
from editbench.score.judge import Judge, JudgeSettings, Question, Reply
from editbench.score.qwen3vl import decoding
from editbench.score.qwen3vl.chat_template import ChatTemplate
from editbench.score.qwen3vl.decoding import TokenChooser
from editbench.score.readout import ScoreTokens, distribution, reaches_ten
from editbench.score.thinking import Thinking, opened

NEGLIGIBLE = 1e-4
"""Where a judge gave "1" no more than that and wrote another digit, a 10 is left out of the distribution, which moves its mean
by less than 0.001: to know better, all of the batch would be read once more."""


class FamilyJudge(Judge):
    """The judge of a local checkpoint. What `prepare` returns is a `PromptBatch` on the CPU."""

    def __init__(self, folder: Path, settings: JudgeSettings, adapter: Path | None = None) -> None:
        """Raises UserError for a checkpoint that is not whole, that transformers can't load, or that `settings` do not fit."""
        check_local(folder)
        check_thinking(folder, settings.thinking_budget)
        self._settings = settings
        self._processor = processor.load(folder)
        # `prepare` runs in other threads, and a tokenizer can't be borrowed by two.
        self._lock, self._decoder = Lock(), copy.deepcopy(self._processor.tokenizer)
        self._thinking = Thinking.of(self._decoder, settings)
        self._chat_template = ChatTemplate(self._processor, thinking=self._thinking is not None)
        self._chat_template.check_thinking(folder)
        self._known_score_tokens = ScoreTokens.of(self._decoder)
        if settings.readout == EXPECTED:
            _ = self._score_tokens  # raises where it has none
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
        if self._known_score_tokens is None or self._thinking is not None:  # without its thought it is another judge
            return None
        return self._read_distributions(self.prepare(questions).to(self._model.device, self._dtype))

    @property
    def _score_tokens(self) -> ScoreTokens:
        return ScoreTokens.needed(self._known_score_tokens)

    def _prompt_text(self, question: Question) -> str:
        images = len(question.images)
        if self._thinking is not None:
            return opened(self._chat_template.prompt(images, question.text, ""))
        return self._chat_template.prompt(images, question.text, question.answer_prefix, question.said)

    def _bounded(self, image: Image.Image) -> Image.Image:
        """The image, or a smaller one where its area is above `max_pixels`."""
        scale = (self._settings.max_pixels / (image.width * image.height)) ** 0.5
        if scale >= 1:
            return image
        size = (max(int(image.width * scale), 1), max(int(image.height * scale), 1))
        return image.resize(size, Image.Resampling.BICUBIC)

    def _answer(self, batch: PromptBatch, seeds: Sequence[int]) -> list[Reply]:
        return self._read_distributions(batch) if self._settings.readout == EXPECTED else self._generate(batch, seeds)

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
        criteria = [question.criteria[0] for question in batch.questions]
        digits = self._digits_and_behind_one(batch, 2 if any(map(reaches_ten, criteria)) else 1)
        rows = zip(criteria, digits[:, 0].tolist(), digits[:, -1, 0].tolist(), strict=True)
        replies = [Reply("", {criterion.name: distribution(criterion, row, zero)}) for criterion, row, zero in rows]
        return decoding.checked(replies, digits.isfinite().flatten(1).all(1), self._settings.dtype)

    def _digits_and_behind_one(self, batch: PromptBatch, steps: int = 2) -> Tensor:
        """Probabilities of the digits behind the prompts, and in a second step behind a "1": (rows, steps, 10)."""
        chooser = _Ones(self._score_tokens)
        self._decode(batch, chooser, steps)
        return torch.stack(chooser.digits, 1)

    def _generate(self, batch: PromptBatch, seeds: Sequence[int]) -> list[Reply]:
        chooser = TokenChooser(self._known_score_tokens, self._settings.temperature, seeds)
        token_ids = self._decode(batch, chooser, self._settings.max_new_tokens).tolist()
        decoded = self._decoder.batch_decode(token_ids, skip_special_tokens=True)
        texts = [question.answer_prefix + text for question, text in zip(batch.questions, decoded, strict=True)]
        if self._known_score_tokens is None:
            return [Reply(text) for text in texts]
        ids = self._score_tokens.digits
        steps = [decoding.answer_steps(*row, ids) for row in zip(batch.questions, texts, decoded, token_ids, strict=True)]
        digits = torch.stack(chooser.digits, 1)
        distributions = self._distributions(batch, token_ids, steps, digits)
        replies = [Reply(*row) for row in zip(texts, distributions, strict=True)]
        return decoding.checked(replies, digits.isfinite().flatten(1).all(1), self._settings.dtype)

    def _distributions(
        self, batch: PromptBatch, token_ids: Sequence[Sequence[int]], answer_steps: Sequence[Mapping[str, int]], digits: Tensor
    ) -> list[dict[str, tuple[float, ...]]]:
        """By row and criterion, the distribution at the step that decoded its answer. `digits`: (rows, steps, 10)."""
        distributions: list[dict[str, tuple[float, ...]]] = [{} for _ in batch.questions]
        for index in range(max(len(question.criteria) for question in batch.questions)):
            nth = [question.criteria[index : index + 1] for question in batch.questions]
            steps = {
                row: (criterion, answer_steps[row][criterion.name])
                for row, only in enumerate(nth)
                for criterion in only
                if criterion.name in answer_steps[row]
            }
            zeros = self._zeros_behind_one(batch, token_ids, steps, digits)
            for row, (criterion, step) in steps.items():
                distributions[row][criterion.name] = distribution(criterion, digits[row, step].tolist(), zeros[row])
        return distributions

    def _zeros_behind_one(
        self,
        batch: PromptBatch,
        token_ids: Sequence[Sequence[int]],
        steps: Mapping[int, tuple[Criterion, int]],
        digits: Tensor,
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
