"""How Qwen3-VL reads prompts: each image once, and what prompts about the same images begin with once.

The vision tower's output is kept for images that a later question shows too (`Question.reused`), and the KV cache behind a
prompt whose question is `shared`, both for as long as the image objects live. The next prompt about the same images goes on
from the cache: its tokens are read from the first one on that differs, padded on the left, and the rest of the earlier prompt
is masked. Sharing moves the last bits of a result and no more.

A pair (2 x 1,024 visual and 600 text tokens) takes Qwen3-VL-30B-A3B 28.6 TFLOP, of which 11.4 are the vision tower's and 12.8
the language model's before the text: a further question takes 4.4 (counted by `operations` in tests/gpu/judge.py). Measured on
one CPU thread with random weights in the 8B's proportions, 3 questions about 2 pairs, 600 tokens of text that differ from the
first on: 2.53 times as fast in readout `expected`, 2.35 in `generate` with 32 tokens written; 1.80 and 1.59 with `--side 512`.
Three votes on one question, whose whole prompt is the same, with `--side 512`: 2.2 times as fast.

    python tests/gpu/judge.py --shape small --batch 2 --device cpu --dtype float32 --new-tokens 32 --repeats 1
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache

from editbench.score.in_process import head
from editbench.score.qwen3vl.decode_cache import DecodeCache
from editbench.score.qwen3vl.patches import Pixels
from editbench.score.qwen3vl.per_image import ImageCache

if TYPE_CHECKING:
    from PIL import Image
    from transformers import Cache, PreTrainedModel

    from editbench.score.judge import Question

Layers = Sequence[tuple[Tensor, Tensor]]
"""Keys and values of each layer: (rows, heads, columns, head size)."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A tokenised question on the CPU. `input_ids`: (n,). `position_ids`: (3, n), for the rotary embedding in time, height and
    width. `pixels`: of the question's images."""

    question: Question
    input_ids: Tensor
    position_ids: Tensor
    pixels: tuple[Pixels, ...]

    def __len__(self) -> int:
        return len(self.input_ids)

    @property
    def rope_delta(self) -> int:
        """What is added to the index of a text token behind the images for its position id."""
        return int(self.position_ids[0, -1]) + 1 - len(self)

    def followed_by(self, token_ids: Sequence[int]) -> Prompt:
        """The prompt with more text tokens."""
        input_ids = torch.cat([self.input_ids, self.input_ids.new_tensor(token_ids)])
        position_ids = torch.cat([self.position_ids, self.position_ids[:, -1:] + torch.arange(1, len(token_ids) + 1)], 1)
        return Prompt(self.question, input_ids, position_ids, self.pixels)


@dataclass(frozen=True, slots=True)
class Prefill:
    """What reading a batch of prompts gave. `logits`: (rows, last, vocabulary), of the last tokens. `cache`: empty where no
    token will be decoded behind them."""

    logits: Tensor
    cache: DynamicCache
    attention_mask: Tensor
    """(rows, columns of the cache) on the CPU, true where a column is the row's own."""
    rope_deltas: Tensor
    """(rows,) on the CPU, of the prompts."""

    def decode_cache(self, *, recordable: bool = False) -> DecodeCache:
        """The cache to decode with, which takes the place of `cache`."""
        return DecodeCache(self.cache, self.attention_mask, self.rope_deltas, recordable=recordable)


@dataclass(frozen=True, slots=True)
class VisionFeatures:
    """The vision tower's output for one image: what stands for its tokens, and what DeepStack adds to them in each of the
    first layers; (tokens, hidden size) each."""

    embeddings: Tensor
    deepstack: Sequence[Tensor]


@dataclass(frozen=True, slots=True)
class _CachedPrefix:
    """The KV cache of prompts that were read together, padded on the left. `input_ids`: of each prompt, unpadded."""

    layers: Layers
    input_ids: Sequence[Tensor]

    def common_length(self, row: int, prompt: Prompt, limit: int) -> int:
        """Tokens that a cached prompt and another one begin with in common, at most `limit`."""
        length = min(len(self.input_ids[row]), limit)
        different = (self.input_ids[row][:length] != prompt.input_ids[:length]).nonzero()
        return int(different[0]) if len(different) else length


_Group = tuple[_CachedPrefix | None, list[int], list[int]]
"""A cached prefix, or None; the rows of the batch that go on from it; and the row of the prefix that each goes on from."""


class PrefixCache:
    """The forward passes of a judge, and the caches of what its prompts begin with. Not for several threads."""

    def __init__(self, model: PreTrainedModel, pad_token_id: int, patchify: Callable[[Sequence[Pixels]], Tensor]) -> None:
        """`patchify`: gives the patches of several images, on the device."""
        self._model, self._pad_token_id, self._patchify = model, pad_token_id, patchify
        self._image_token_id = model.config.image_token_id
        self._features = ImageCache[VisionFeatures]()
        self._prefixes = ImageCache[tuple[_CachedPrefix, int]]()
        self.enabled = True
        """Whether anything is kept from prompt to prompt."""

    def release(self) -> bool:
        """Drop all that is kept; False when nothing was."""
        kept = len(self._prefixes) + len(self._features) > 0
        self._prefixes.clear()
        self._features.clear()
        return kept

    def prefill(self, prompts: Sequence[Prompt], *, last: int = 1, caching: bool = False) -> Prefill:
        """Read prompts: the logits of the `last` tokens of each, and with `caching` what `decode_step` needs."""
        groups = self._groups(prompts, last)
        parts = [
            self._prefill_whole([prompts[row] for row in rows], last, caching)
            if prefix is None
            else self._prefill_suffixes(prefix, prefix_rows, [prompts[row] for row in rows], last)
            for prefix, rows, prefix_rows in groups
        ]
        for prompt in prompts:
            if not prompt.question.shared:
                self._prefixes.drop(*prompt.question.images)
        return parts[0] if len(parts) == 1 else _merged([row for _, rows, _ in groups for row in rows], parts, caching)

    def decode_step(self, cache: DecodeCache, token_ids: Tensor) -> Tensor:
        """Logits (rows, vocabulary) behind the tokens of the step that the cache has begun, `token_ids` (rows,)."""
        return self._forward(self._embed(token_ids[:, None]), cache.attention_mask, cache.position_ids, cache)[:, -1]

    def _groups(self, prompts: Sequence[Prompt], last: int) -> list[_Group]:
        """The rows of a batch by the cached prefix that they go on from."""
        groups: dict[int, _Group] = {}
        for row, prompt in enumerate(prompts):
            prefix, prefix_row = self._prefixes.get(*prompt.question.images) or (None, row)
            if prefix is not None:
                length = prefix.common_length(prefix_row, prompt, len(prompt) - last)
                prefix = None if (prompt.input_ids[length:] == self._image_token_id).any() else prefix
            _, rows, prefix_rows = groups.setdefault(id(prefix), (prefix, [], []))
            rows.append(row)
            prefix_rows.append(prefix_row)
        return [*groups.values()]

    def _prefill_whole(self, prompts: Sequence[Prompt], last: int, caching: bool) -> Prefill:
        device = self._model.device
        input_ids, attention_mask = self._pad([prompt.input_ids for prompt in prompts])
        position_ids = _pad_position_ids([prompt.position_ids for prompt in prompts])
        keeping = self.enabled and any(prompt.question.shared for prompt in prompts)
        cache = DynamicCache()
        embeddings, visual = self._embed_with_images(input_ids, prompts)
        # Without padding nothing has to be masked, and attention may take a quicker kernel.
        mask = None if attention_mask.all() else attention_mask.long().to(device)
        used = cache if keeping or caching else None
        logits = self._forward(embeddings, mask, position_ids.to(device), used, last, **visual)
        if keeping:
            self._keep(prompts, cache)
        return Prefill(logits, cache, attention_mask, _rope_deltas(prompts))

    def _prefill_suffixes(
        self, prefix: _CachedPrefix, prefix_rows: Sequence[int], prompts: Sequence[Prompt], last: int
    ) -> Prefill:
        """Read prompts from the first token on that differs from what is cached; the rest of the cached prompt is masked."""
        device = self._model.device
        lengths = [
            prefix.common_length(row, prompt, len(prompt) - last) for row, prompt in zip(prefix_rows, prompts, strict=True)
        ]
        width = max(map(len, prefix.input_ids))
        starts = torch.tensor([width - len(prefix.input_ids[row]) for row in prefix_rows])
        ends = starts + torch.tensor(lengths)
        first, end = int(starts.min()), int(ends.max())
        columns = torch.arange(first, end)
        prefix_mask = (columns >= starts[:, None]) & (columns < ends[:, None])
        pairs = [*zip(prompts, lengths, strict=True)]
        input_ids, suffix_mask = self._pad([prompt.input_ids[length:] for prompt, length in pairs])
        position_ids = _pad_position_ids([prompt.position_ids[:, length:] for prompt, length in pairs])
        cache = _cache((keys[prefix_rows, :, first:end], values[prefix_rows, :, first:end]) for keys, values in prefix.layers)
        attention_mask = torch.cat([prefix_mask, suffix_mask], 1)
        embeddings, mask = self._embed(input_ids.to(device)), attention_mask.long().to(device)
        logits = self._forward(embeddings, mask, position_ids.to(device), cache, last)
        return Prefill(logits, cache, attention_mask, _rope_deltas(prompts))

    def _forward(
        self,
        embeddings: Tensor,
        attention_mask: Tensor | None,
        position_ids: Tensor,
        cache: Cache | None,
        last: int = 1,
        **visual: Any,
    ) -> Tensor:
        """Logits (rows, last, vocabulary), float32. The head of so many words is for the last tokens alone.

        `attention_mask`: (rows, columns) of whole numbers, or as `DecodeCache` has it, which transformers takes as it is.
        """
        hidden = self._model.model.language_model(
            inputs_embeds=embeddings,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=cache is not None,
            **visual,
        ).last_hidden_state
        return head.logits(self._model.lm_head, hidden[:, -last:])

    def _embed(self, input_ids: Tensor) -> Tensor:
        return self._model.get_input_embeddings()(input_ids)

    def _embed_with_images(self, input_ids: Tensor, prompts: Sequence[Prompt]) -> tuple[Tensor, dict[str, Any]]:
        """Embeddings (rows, columns, hidden size) with the images' features in them, and what the language model's first
        layers add there."""
        input_ids = input_ids.to(self._model.device)
        embeddings = self._embed(input_ids)
        images = self._vision_features(prompts)
        if not images:
            return embeddings, {}
        image_mask = input_ids == self._image_token_id
        features = torch.cat([image.embeddings for image in images]).to(embeddings.dtype)
        deepstack = [torch.cat(level) for level in zip(*(image.deepstack for image in images), strict=True)]
        embeddings = embeddings.masked_scatter(image_mask[..., None], features)
        return embeddings, {"visual_pos_masks": image_mask, "deepstack_visual_embeds": deepstack}

    def _vision_features(self, prompts: Sequence[Prompt]) -> list[VisionFeatures]:
        """Features of all images, prompt by prompt; those that are not known yet are computed in one call, and kept where a
        question that follows shows the image too."""
        images = [image for prompt in prompts for image in prompt.question.images]
        known = {id(image): features for image in images if (features := self._features.get(image)) is not None}
        new: dict[int, tuple[Image.Image, Pixels, bool]] = {}
        for prompt in prompts:
            for index, (image, pixels) in enumerate(zip(prompt.question.images, prompt.pixels, strict=True)):
                if id(image) not in known:
                    new[id(image)] = (image, pixels, index in prompt.question.reused)
        if new:
            computed = self._run_vision_tower([pixels for _, pixels, _ in new.values()])
            for (image, _, reused), features in zip(new.values(), computed, strict=True):
                known[id(image)] = features
                if self.enabled and reused:
                    self._features.put(features, image)
        return [known[id(image)] for image in images]

    def _run_vision_tower(self, images: Sequence[Pixels]) -> list[VisionFeatures]:
        pixel_values = self._patchify(images)
        grid_thw = torch.cat([image.grid_thw for image in images]).to(self._model.device)
        output = self._model.model.get_image_features(pixel_values, grid_thw, return_dict=True)
        sizes = [len(embeddings) for embeddings in output.pooler_output]
        # transformers 5.23 splits them by image, 5.4 does not.
        deepstack = [level.split(sizes) if isinstance(level, Tensor) else level for level in output.deepstack_features]
        levels = zip(*deepstack, strict=True) if deepstack else [()] * len(sizes)
        return [VisionFeatures(*entry) for entry in zip(output.pooler_output, levels, strict=True)]

    def _keep(self, prompts: Sequence[Prompt], cache: Cache) -> None:
        layers = [(layer.keys, layer.values) for layer in cache.layers]
        prefix = _CachedPrefix(layers, [prompt.input_ids for prompt in prompts])
        for row, prompt in enumerate(prompts):
            if prompt.question.shared:
                self._prefixes.put((prefix, row), *prompt.question.images)

    def _pad(self, rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Token ids padded on the left and their attention mask, (rows, longest) each."""
        input_ids = pad_sequence(rows, batch_first=True, padding_value=self._pad_token_id, padding_side="left")
        sizes = torch.tensor([len(row) for row in rows])
        return input_ids, torch.arange(input_ids.shape[1]) >= input_ids.shape[1] - sizes[:, None]


def _rope_deltas(prompts: Sequence[Prompt]) -> Tensor:
    return torch.tensor([prompt.rope_delta for prompt in prompts])


def _pad_position_ids(rows: Sequence[Tensor]) -> Tensor:
    """(3, n) each, padded on the left to (3, rows, longest)."""
    return pad_sequence([row.T for row in rows], batch_first=True, padding_side="left").permute(2, 0, 1)


def _cache(layers: Iterable[tuple[Tensor, Tensor]]) -> DynamicCache:
    cache = DynamicCache()
    for index, (keys, values) in enumerate(layers):
        cache.update(keys, values, index)
    return cache


def _merged(rows: Sequence[int], parts: Sequence[Prefill], caching: bool) -> Prefill:
    """Groups that were read apart as if they had been read together. `rows`: of the batch, group by group."""
    order = torch.tensor(rows).argsort()
    width = max(part.attention_mask.shape[1] for part in parts)
    masks = [pad(part.attention_mask, (width - part.attention_mask.shape[1], 0), value=False) for part in parts]
    on_device = order.to(parts[0].logits.device)
    logits = torch.cat([part.logits for part in parts])[on_device]
    cache = _merged_caches([part.cache for part in parts], width, on_device) if caching else DynamicCache()
    return Prefill(logits, cache, torch.cat(masks)[order], torch.cat([part.rope_deltas for part in parts])[order])


def _merged_caches(caches: Sequence[DynamicCache], width: int, order: Tensor) -> DynamicCache:
    def concatenated(tensors: Iterable[Tensor]) -> Tensor:
        return torch.cat([pad(tensor, (0, 0, width - tensor.shape[2], 0)) for tensor in tensors])[order]

    layers = zip(*(cache.layers for cache in caches), strict=True)
    return _cache((concatenated(kv.keys for kv in level), concatenated(kv.values for kv in level)) for level in layers)
