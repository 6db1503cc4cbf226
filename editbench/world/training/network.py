"""The tiny judge's network: transformers' own Qwen3-VL, small, and its forward pass over many pairs at once.

`forward` gives what the class's own forward gives, for pictures of one size: pictures go through the vision tower in one batch
instead of one by one, and both readouts of a prompt share what they have in common.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration, Qwen3VLProcessor
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.qwen3_vl.modeling_qwen3_vl import apply_rotary_pos_emb_vision
from transformers.vision_utils import get_vision_interpolation_indices_and_weights, get_vision_position_ids

from editbench import tiny
from editbench.processors import still_images_only
from editbench.world.scene import SIDE
from editbench.world.training.tokens import TRUNK, tokenizer

if TYPE_CHECKING:
    from transformers import ProcessorMixin

MERGE = 2
CENTRES = 4
"""Numbers learned behind each prompt: across and down of the middle of what was meant, and of what changed."""
MATCHES = 2
"""Whether the thing that changed is the one that was meant, and whether it changed as was meant."""
SEEN = 7
"""Numbers learned of each token of the second picture: how much changed there, and the mean colours before and after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Of the network. `patch`: pixels of a patch's side."""

    hidden: int = 128
    layers: int = 6
    inner: int = 256
    heads: int = 4
    vision_hidden: int = 64
    vision_layers: int = 2
    patch: int = 16

    @property
    def grid(self) -> int:
        """Patches a side of a picture."""
        return SIDE // self.patch

    @property
    def tokens(self) -> int:
        """Of a picture."""
        return (self.grid // MERGE) ** 2


def processor(sizes: Sizes) -> ProcessorMixin:
    normal = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    images = Qwen2VLImageProcessorPil(patch_size=sizes.patch, merge_size=MERGE, size=tiny.AREA, **normal)
    return still_images_only(Qwen3VLProcessor)(images, tokenizer(), chat_template=tiny.CHAT_TEMPLATE)


def network(sizes: Sizes, made: ProcessorMixin) -> Qwen3VLForConditionalGeneration:
    """With random weights."""
    config = Qwen3VLConfig(
        text_config=_text(sizes, made.tokenizer),
        vision_config=_vision(sizes),
        tie_word_embeddings=True,
        image_token_id=made.image_token_id,
        video_token_id=made.video_token_id,
        vision_start_token_id=made.vision_start_token_id,
        vision_end_token_id=made.vision_end_token_id,
    )
    config._attn_implementation = "sdpa"  # noqa: SLF001 - what from_pretrained sets
    return Qwen3VLForConditionalGeneration(config)


def _text(sizes: Sizes, tokens: Any) -> dict[str, Any]:
    half = sizes.hidden // sizes.heads // 2
    # Time, row and column take turns. Sections that name more rotations of one than there are mean another thing to each
    # engine: transformers gives what is left the time, llama.cpp no position at all.
    sections = [len(range(axis, half, 3)) for axis in range(3)]
    # Prompts have some 200 positions, not some 100,000: slow rotations would tell nothing.
    rope = {"rope_type": "default", "rope_theta": 1000.0, "mrope_interleaved": True}
    return {
        "hidden_size": sizes.hidden,
        "intermediate_size": sizes.inner,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "num_key_value_heads": sizes.heads,
        "head_dim": sizes.hidden // sizes.heads,
        "vocab_size": len(tokens),
        "bos_token_id": None,
        "eos_token_id": tokens.eos_token_id,
        "pad_token_id": tokens.pad_token_id,
        "rope_parameters": {**rope, "mrope_section": sections},
        "tie_word_embeddings": True,
    }


def _vision(sizes: Sizes) -> dict[str, Any]:
    return {
        "depth": sizes.vision_layers,
        "hidden_size": sizes.vision_hidden,
        "intermediate_size": 3 * sizes.vision_hidden,
        "num_heads": 2,
        "out_hidden_size": sizes.hidden,
        "patch_size": sizes.patch,
        "spatial_merge_size": MERGE,
        "deepstack_visual_indexes": [0],
        "num_position_embeddings": sizes.grid**2,
    }


class Batch(NamedTuple):
    """`pixels`: (pictures, patches, 3 * patch ** 2), bytes. `pairs`: (rows, 2), the pictures of each row. `seen`: (rows, tokens
    of a picture, SEEN), what there is to be seen. `centres`: (rows, CENTRES). `matched`: (rows, MATCHES), -1 where nothing is
    learned. The rest: (rows, width), see `tokens.Rows`."""

    pixels: Tensor
    pairs: Tensor
    tokens: Tensor
    labels: Tensor
    branches: Tensor
    position_ids: Tensor
    seen: Tensor
    centres: Tensor
    matched: Tensor


class Learned(NamedTuple):
    """What the forward pass of a batch gives. `logits`: of the tokens before those that have labels, row by row. The others, as
    in `Batch`, are what the thrown away parts tell; `matched` as a logit."""

    logits: Tensor
    seen: Tensor
    centres: Tensor
    matched: Tensor


class Learner(nn.Module):
    """The network with the fast forward pass, and parts that are thrown away.

    `seer` tells from the hidden states of the second picture what changed, so that looking is learned before judging. `locator`
    tells behind the prompt where the thing is that was meant and where the change is, and `matcher` a layer later whether that
    is the same, and whether the change is the one that was asked for: without them a judge knew after 3,500 steps everything
    but which thing was meant, and after 6,900 hardly a meadow from a desert.
    """

    def __init__(self, sizes: Sizes, *, seeing_layer: int = 2, locating_layer: int = 4) -> None:
        super().__init__()
        self.sizes, self._seeing, self._locating = sizes, seeing_layer, locating_layer
        self._run: Callable[..., tuple[Tensor, ...]] = self._read
        self.processor = processor(sizes)
        self.net = network(sizes, self.processor)
        self.seer = nn.Linear(sizes.hidden, SEEN)
        self.locator = nn.Linear(sizes.hidden, CENTRES)
        self.matcher = nn.Linear(sizes.hidden, MATCHES)
        nn.init.zeros_(self.matcher.weight)
        grid = torch.tensor([[1, sizes.grid, sizes.grid]])
        visual = self.net.model.visual
        layout = {"num_grid_per_side": visual.num_grid_per_side, "mode": visual.interpolation_mode}
        layout |= {"align_corners": visual.interpolation_align_corners, "spatial_merge_size": MERGE}
        indices, weights = get_vision_interpolation_indices_and_weights(grid, **layout, kwargs={})
        self._interpolation = indices, weights
        self._turns = visual.rotary_pos_emb(torch.zeros(1), get_vision_position_ids(grid, MERGE, kwargs={}))

    def forward(self, batch: Batch) -> Learned:
        features, deep = self._look(batch.pixels)
        shown = (batch.tokens == self.net.config.image_token_id) & (batch.branches == TRUNK)
        embedded = self.net.model.language_model.embed_tokens(batch.tokens)
        embedded = embedded.masked_scatter(shown[..., None], features[batch.pairs].to(embedded.dtype))
        deep = torch.zeros_like(embedded).masked_scatter(shown[..., None], deep[batch.pairs].to(embedded.dtype))
        second = int(shown[0].nonzero()[self.sizes.tokens])
        cosine, sine = self.net.model.language_model.rotary_emb(embedded, self._rotary_position_ids(batch, second))
        last = (batch.branches == TRUNK).sum(1) - 1
        hidden, seen, behind, later = self._run(embedded, deep, _mask(batch.branches), cosine, sine, second, last)
        rows, columns = (batch.labels >= 0).nonzero(as_tuple=True)
        before = columns - 1
        logits = self.net.lm_head(hidden[rows, before])
        return Learned(logits, self.seer(seen), self.locator(behind), self.matcher(later))

    def _look(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Each picture's tokens, and what DeepStack adds to them: (pictures, tokens, hidden) each."""
        visual = self.net.model.visual
        values = pixels.float() / 127.5 - 1
        # The processor repeats a still picture along time, so both halves of the kernel see the same.
        kernel = visual.patch_embed.proj.weight.sum(2).flatten(1)
        hidden = functional.linear(values, kernel, visual.patch_embed.proj.bias)
        indices, weights = self._interpolation
        hidden = hidden + (visual.pos_embed(indices) * weights[..., None]).sum(1)
        added = []
        for number, block in enumerate(visual.blocks):
            hidden = hidden + self._attend(block.attn, block.norm1(hidden))
            hidden = hidden + block.mlp(block.norm2(hidden))
            if number in visual.deepstack_visual_indexes:
                merger = visual.deepstack_merger_list[visual.deepstack_visual_indexes.index(number)]
                added.append(self._merged(merger, hidden))
        return self._merged(visual.merger, hidden), added[0]

    def _attend(self, attention: nn.Module, hidden: Tensor) -> Tensor:
        pictures, patches, size = hidden.shape
        states = attention.qkv(hidden).view(pictures, patches, 3, attention.num_heads, -1)
        query, key, value = states.unbind(2)
        query, key = apply_rotary_pos_emb_vision(query, key, *self._turns)
        query, key, value = (state.transpose(1, 2) for state in (query, key, value))
        attended = functional.scaled_dot_product_attention(query, key, value)
        return attention.proj(attended.transpose(1, 2).reshape(pictures, patches, size))

    def _merged(self, merger: nn.Module, hidden: Tensor) -> Tensor:
        return merger(hidden.flatten(0, 1)).view(len(hidden), self.sizes.tokens, -1)

    def _rotary_position_ids(self, batch: Batch, second: int) -> Tensor:
        """(3, rows, width). Pictures stand at the same positions in all rows; text goes on behind them."""
        begun = batch.tokens[:1, : second + self.sizes.tokens + 1]
        grids = torch.tensor([[1, self.sizes.grid, self.sizes.grid]] * 2)
        kinds = (begun == self.net.config.image_token_id).int()
        layout, _ = self.net.model.get_rope_index(begun, kinds, image_grid_thw=grids)
        offset = layout[0, 0, -1] + 1 - begun.shape[1]
        position_ids = (batch.position_ids + offset).expand(3, -1, -1).clone()
        position_ids[:, :, : begun.shape[1]] = layout
        return position_ids

    def _read(
        self, hidden: Tensor, deep: Tensor, mask: Tensor, cosine: Tensor, sine: Tensor, second: int, last: Tensor
    ) -> tuple[Tensor, ...]:
        """The last hidden states, those of the second picture behind the seeing layer, and those of each row's `last` token of
        the prompt behind the locating layer and behind the next one."""
        language, seen, ends = self.net.model.language_model, hidden, []
        for number, layer in enumerate(language.layers):
            hidden = layer(hidden, attention_mask=mask, position_embeddings=(cosine, sine))
            hidden = hidden + deep if number == 0 else hidden
            if number + 1 == self._seeing:
                seen = hidden[:, second : second + self.sizes.tokens]
            if number + 1 in (self._locating, self._locating + 1):
                ends.append(hidden[torch.arange(len(hidden)), last])
        return language.norm(hidden), seen, *ends

    def compile(self) -> None:
        """About twice as quick where there is a C++ compiler."""
        self._run = torch.compile(self._read, dynamic=False)

    def save(self, folder: Path) -> None:
        """As transformers saves it, with bfloat16 weights."""
        state = {name: value.to(torch.bfloat16) for name, value in self.net.state_dict().items()}
        self.net.save_pretrained(folder, state_dict=state)
        self.processor.save_pretrained(folder)


def _mask(branches: Tensor) -> Tensor:
    """(rows, 1, width, width): a token sees the trunk and its own branch, as far as they stand before it."""
    before = torch.ones(branches.shape[1], branches.shape[1], dtype=torch.bool).tril()
    own = (branches[:, None, :] == TRUNK) | (branches[:, :, None] == branches[:, None, :])
    return (before & own)[:, None]
