"""How Qwen3-VL reads prompts: each picture once, and what prompts about the same pictures begin with once.

The vision tower's output is kept for pictures that are laid out for several prompts, and the cache of keys and values behind a
prompt whose question is `shared`, both for as long as the picture objects live. The next prompt about the same pictures goes on
from the cache: its tokens are read from the first one on that differs, padded on the left, and what the earlier prompt went on
with is hidden from them. Sharing moves the last bits of a result and no more.

A pair (2 x 1,024 visual and 600 text tokens) takes Qwen3-VL-30B-A3B 28.6 TFLOP, of which 11.4 are the vision tower's and 12.8
the language model's before the text: a further question takes 4.4 (counted by `operations` in tests/gpu/judge.py). Measured on
one CPU thread with random weights in the 8B's proportions, 3 questions about 2 pairs, 600 tokens of text that differ from the
first on: 2.53 times as fast in readout `expected`, 2.35 in `generate` with 32 tokens written; 1.80 and 1.59 with `--side 512`.
Three votes on one question, whose whole prompt is the same, with `--side 512`: 2.2 times as fast.

    python tests/gpu/judge.py --shape small --batch 2 --device cpu --dtype float32 --new-tokens 32 --repeats 1
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache

from editbench.score.qwen3vl.per_image import PerPictures

if TYPE_CHECKING:
    from transformers import Cache, PreTrainedModel

    from editbench.score.judge import Question

Layers = Sequence[tuple[torch.Tensor, torch.Tensor]]
"""Keys and values of each layer: (rows, heads, columns, size)."""


@dataclass(slots=True)
class Patches:
    """A picture as the vision tower takes it, on the CPU: `values` (patches, numbers), `grid` (1, 3): frames, rows, columns."""

    values: torch.Tensor
    grid: torch.Tensor
    prompts: int = 0
    """For so many prompts it was laid out."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question on the CPU. `tokens`: (n,). `places`: (3, n), the rotary places in time, height and width."""

    question: Question
    tokens: torch.Tensor
    places: torch.Tensor
    patches: tuple[Patches, ...]

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def offset(self) -> int:
        """What is added to a text token's place in the prompt, behind the pictures, for its rotary place."""
        return int(self.places[0, -1]) + 1 - len(self)

    def plus(self, token: int) -> Prompt:
        """With a text token more."""
        tokens = torch.cat([self.tokens, self.tokens.new_tensor([token])])
        return Prompt(self.question, tokens, torch.cat([self.places, self.places[:, -1:] + 1], 1), self.patches)


@dataclass(frozen=True, slots=True)
class Read:
    """Prompts that were read. `logits`: (rows, last, vocabulary), at the last places. `cache`: None where nothing goes on."""

    logits: torch.Tensor
    cache: Cache | None
    seen: torch.Tensor
    """(rows, columns), of the cache: the columns that are a row's own."""
    offsets: torch.Tensor
    """(rows,), of the prompts."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A picture's features: its tokens, and what DeepStack adds to them in the first layers; (tokens, size) each."""

    tokens: torch.Tensor
    deep: Sequence[torch.Tensor]


@dataclass(frozen=True, slots=True)
class _Kept:
    """The cache of prompts that were read together, padded on the left. `tokens`: of each."""

    layers: Layers
    tokens: Sequence[torch.Tensor]

    def common(self, row: int, prompt: Prompt, most: int) -> int:
        """Tokens at the beginning that are the same, at most `most`."""
        length = min(len(self.tokens[row]), most)
        differ = (self.tokens[row][:length] != prompt.tokens[:length]).nonzero()
        return int(differ[0]) if len(differ) else length


class Reader:
    """Not for several threads. `filler`: the token that pads."""

    def __init__(self, model: PreTrainedModel, filler: int) -> None:
        self._model, self._filler = model, filler
        self._image = model.config.image_token_id
        self._features = PerPictures[_Seen]()
        self._kept = PerPictures[tuple[_Kept, int]]()
        self.shares = True
        """Whether anything is kept."""

    def release(self) -> bool:
        """Forget what is kept; False when nothing was."""
        there = len(self._kept) + len(self._features) > 0
        self._kept.clear()
        self._features.clear()
        return there

    def read(self, prompts: Sequence[Prompt], *, last: int = 1, caching: bool = False) -> Read:
        """The logits at the `last` places of each prompt, and with `caching` what is needed to go on."""
        parts = []
        for kept, rows in self._groups(prompts, last):
            chosen = [prompts[row] for row, _ in rows]
            if kept is None:
                part = self._afresh(chosen, last, caching)
            else:
                part = self._further(kept, [place for _, place in rows], chosen, last)
            parts.append(([row for row, _ in rows], part))
        for prompt in prompts:
            if not prompt.question.shared:
                self._kept.drop(*prompt.question.images)
        return parts[0][1] if len(parts) == 1 else _joined(parts, caching)

    def step(self, cache: Cache, tokens: torch.Tensor, seen: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """One token more a row, (rows,), behind the columns of the cache that are `seen`: logits (rows, vocabulary).

        The cache grows by a column.
        """
        places = (seen.sum(1) + offsets)[None, :, None].expand(3, -1, -1)
        mask = pad(seen, (0, 1), value=True)
        return self._forward(self._embedded(tokens[:, None]), mask, places, cache)[:, -1]

    def _groups(self, prompts: Sequence[Prompt], last: int) -> list[tuple[_Kept | None, list[tuple[int, int]]]]:
        """(row, its place in the cache) of the prompts that go on from the same cache; None: those that begin afresh."""
        groups: dict[int, tuple[_Kept | None, list[tuple[int, int]]]] = {}
        for row, prompt in enumerate(prompts):
            kept, place = self._kept.get(*prompt.question.images) or (None, row)
            if kept is not None:
                begun = kept.common(place, prompt, len(prompt) - last)
                kept = None if (prompt.tokens[begun:] == self._image).any() else kept
            groups.setdefault(id(kept), (kept, []))[1].append((row, place))
        return [*groups.values()]

    def _afresh(self, prompts: Sequence[Prompt], last: int, caching: bool) -> Read:
        device = self._model.device
        tokens, seen = self._padded([prompt.tokens for prompt in prompts])
        places = _padded_places([prompt.places for prompt in prompts])
        keeping = self.shares and any(prompt.question.shared for prompt in prompts)
        cache = DynamicCache() if keeping or caching else None
        embedded, visual = self._with_pictures(tokens, prompts)
        # Without padding there is nothing to hide, and attention may take a quicker kernel.
        mask = None if seen.all() else seen.to(device)
        logits = self._forward(embedded, mask, places.to(device), cache, last, **visual)
        if keeping:
            self._keep(prompts, cache)
        return Read(logits, cache, seen.to(device), self._offsets(prompts))

    def _further(self, kept: _Kept, rows: Sequence[int], prompts: Sequence[Prompt], last: int) -> Read:
        device = self._model.device
        begun = [kept.common(row, prompt, len(prompt) - last) for row, prompt in zip(rows, prompts, strict=True)]
        width = max(map(len, kept.tokens))
        starts = torch.tensor([width - len(kept.tokens[row]) for row in rows])
        ends = starts + torch.tensor(begun)
        first, end = int(starts.min()), int(ends.max())
        columns = torch.arange(first, end)
        before = (columns >= starts[:, None]) & (columns < ends[:, None])
        tokens, own = self._padded([prompt.tokens[size:] for prompt, size in zip(prompts, begun, strict=True)])
        places = _padded_places([prompt.places[:, size:] for prompt, size in zip(prompts, begun, strict=True)])
        cache = _cache((keys[rows, :, first:end], values[rows, :, first:end]) for keys, values in kept.layers)
        seen = torch.cat([before, own], 1).to(device)
        logits = self._forward(self._embedded(tokens.to(device)), seen, places.to(device), cache, last)
        return Read(logits, cache, seen, self._offsets(prompts))

    def _forward(
        self,
        embedded: torch.Tensor,
        seen: torch.Tensor | None,
        places: torch.Tensor,
        cache: Cache | None,
        last: int = 1,
        **visual: Any,
    ) -> torch.Tensor:
        """(rows, last, vocabulary). The head of so many words is for the last places alone."""
        hidden = self._model.model.language_model(
            inputs_embeds=embedded,
            attention_mask=None if seen is None else seen.long(),
            position_ids=places,
            past_key_values=cache,
            use_cache=cache is not None,
            **visual,
        ).last_hidden_state
        return self._model.lm_head(hidden[:, -last:])

    def _embedded(self, tokens: torch.Tensor) -> torch.Tensor:
        return self._model.get_input_embeddings()(tokens)

    def _with_pictures(self, tokens: torch.Tensor, prompts: Sequence[Prompt]) -> tuple[torch.Tensor, dict[str, Any]]:
        """The tokens' embeddings with the pictures' features in their places, and what the first layers add there."""
        tokens = tokens.to(self._model.device)
        embedded = self._embedded(tokens)
        seen = self._see(prompts)
        if not seen:
            return embedded, {}
        where = tokens == self._image
        features = torch.cat([picture.tokens for picture in seen]).to(embedded.dtype)
        deep = [torch.cat(level) for level in zip(*(picture.deep for picture in seen), strict=True)]
        embedded = embedded.masked_scatter(where[..., None], features)
        return embedded, {"visual_pos_masks": where, "deepstack_visual_embeds": deep}

    def _see(self, prompts: Sequence[Prompt]) -> list[_Seen]:
        """Features of all pictures, prompt by prompt; those that are not known yet are made in one call."""
        shown = [pair for prompt in prompts for pair in zip(prompt.question.images, prompt.patches, strict=True)]
        found = {id(picture): self._features.get(picture) for picture, _ in shown}
        new = {id(picture): (picture, patches) for picture, patches in shown if found[id(picture)] is None}
        if new:
            made = self._look([patches for _, patches in new.values()])
            for (picture, patches), features in zip(new.values(), made, strict=True):
                found[id(picture)] = features
                if self.shares and patches.prompts > 1:
                    self._features.put(features, picture)
        return [found[id(picture)] for picture, _ in shown]

    def _look(self, pictures: Sequence[Patches]) -> list[_Seen]:
        device = self._model.device
        values = torch.cat([picture.values.to(device, non_blocking=True) for picture in pictures])
        grids = torch.cat([picture.grid for picture in pictures]).to(device)
        made = self._model.model.get_image_features(values, grids, return_dict=True)
        sizes = [len(tokens) for tokens in made.pooler_output]
        # transformers 5.23 splits them by picture, 5.4 does not.
        deep = [level.split(sizes) if isinstance(level, torch.Tensor) else level for level in made.deepstack_features]
        levels = zip(*deep, strict=True) if deep else [()] * len(sizes)
        return [_Seen(*entry) for entry in zip(made.pooler_output, levels, strict=True)]

    def _keep(self, prompts: Sequence[Prompt], cache: Cache) -> None:
        layers = [(layer.keys, layer.values) for layer in cache.layers]
        kept = _Kept(layers, [prompt.tokens for prompt in prompts])
        for row, prompt in enumerate(prompts):
            if prompt.question.shared:
                self._kept.put((kept, row), *prompt.question.images)

    def _padded(self, rows: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Padded on the left: (rows, longest); and which places are a row's own."""
        tokens = pad_sequence(rows, batch_first=True, padding_value=self._filler, padding_side="left")
        sizes = torch.tensor([len(row) for row in rows])
        return tokens, torch.arange(tokens.shape[1]) >= tokens.shape[1] - sizes[:, None]

    def _offsets(self, prompts: Sequence[Prompt]) -> torch.Tensor:
        return torch.tensor([prompt.offset for prompt in prompts], device=self._model.device)


def _padded_places(rows: Sequence[torch.Tensor]) -> torch.Tensor:
    """(3, n) each, to (3, rows, longest)."""
    return pad_sequence([row.T for row in rows], batch_first=True, padding_side="left").permute(2, 0, 1)


def _cache(layers: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> Cache:
    cache = DynamicCache()
    for number, (keys, values) in enumerate(layers):
        cache.update(keys, values, number)
    return cache


def _joined(parts: Sequence[tuple[Sequence[int], Read]], caching: bool) -> Read:
    """What was read apart as if it had been read together; each part with its rows."""
    reads = [read for _, read in parts]
    order = torch.tensor([row for rows, _ in parts for row in rows]).argsort().to(reads[0].logits.device)
    width = max(read.seen.shape[1] for read in reads)
    seen = torch.cat([pad(read.seen, (width - read.seen.shape[1], 0), value=False) for read in reads])[order]
    logits = torch.cat([read.logits for read in reads])[order]
    cache = _joined_caches([read.cache for read in reads], width, order) if caching else None
    return Read(logits, cache, seen, torch.cat([read.offsets for read in reads])[order])


def _joined_caches(caches: Sequence[Cache], width: int, order: torch.Tensor) -> Cache:
    def together(tensors: Iterable[torch.Tensor]) -> torch.Tensor:
        return torch.cat([pad(tensor, (0, 0, width - tensor.shape[2], 0)) for tensor in tensors])[order]

    layers = zip(*(cache.layers for cache in caches), strict=True)
    return _cache((together(one.keys for one in level), together(one.values for one in level)) for level in layers)
