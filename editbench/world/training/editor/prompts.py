"""The words of the editor: its tokenizer, its text encoder, and the pipeline's prompts through them.

The pipeline puts an instruction into a template and drops the first 64 tokens of what the text encoder makes of it, which is
all before the user's words. Here as in Qwen's tokenizer every word of that template is a token.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from editbench import tiny
from editbench.processors import still_images_only
from editbench.world.training.tokens import instructions, learned

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, ProcessorMixin

TEMPLATE = (
    "<|im_start|>system\nDescribe the key features of the input image (color, shape, size, texture, objects, background), then"
    " explain how the user's text instruction should alter or modify the image. Generate a new image that meets the user's"
    " requirements while maintaining consistency with the original input where appropriate.<|im_end|>\n<|im_start|>user\n{}"
    "<|im_end|>\n<|im_start|>assistant\n"
)
"""The pipeline's own."""
PICTURE = "Picture 1: <|vision_start|><|image_pad|><|vision_end|>"
DROPPED = 64
"""Tokens, by the pipeline."""
HIDDEN, INNER, LAYERS, HEADS = 96, 192, 2, 3
"""Of the text encoder."""
VISION: dict[str, Any] = {
    "depth": 1,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_heads": 2,
    "out_hidden_size": HIDDEN,
    "patch_size": 14,
    "window_size": 112,
    "fullatt_block_indexes": [0],
}
LENGTH = DROPPED + 46
"""Tokens of the longest prompt, and more."""
SIDE = 56
"""Pixels of a picture's side as the text encoder is shown it."""


def tokenizer() -> PreTrainedTokenizerBase:
    return learned([*instructions(), re.sub(r"<\|\w+\|>", "\n", TEMPLATE), "Picture 1: "])


def processor(made: PreTrainedTokenizerBase) -> ProcessorMixin:
    from transformers import Qwen2VLProcessor
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    images = Qwen2VLImageProcessorPil(patch_size=14, size={"shortest_edge": SIDE**2, "longest_edge": (SIDE + 8) ** 2})
    return still_images_only(Qwen2VLProcessor)(images, made, chat_template=tiny.CHAT_TEMPLATE)


def text_encoder(made: PreTrainedTokenizerBase) -> Any:
    """With random weights, and blind: the pipeline shows it the source, of which it passes nothing on. The source reaches the
    transformer as latents."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    numbers = {"image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>"}
    numbers |= {"vision_start_token_id": "<|vision_start|>", "vision_end_token_id": "<|vision_end|>"}
    config = Qwen2_5_VLConfig(
        text_config=_text_config(made),
        vision_config=VISION,
        tie_word_embeddings=True,
        **{name: made.convert_tokens_to_ids(token) for name, token in numbers.items()},
    )
    model = Qwen2_5_VLForConditionalGeneration(config).eval()
    for value in model.model.visual.merger.mlp[-1].parameters():
        torch.nn.init.zeros_(value)
    model.model.visual.requires_grad_(False)
    return model


def _text_config(made: PreTrainedTokenizerBase) -> dict[str, Any]:
    return {
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "head_dim": HIDDEN // HEADS,
        "vocab_size": len(made),
        "bos_token_id": None,
        "eos_token_id": made.eos_token_id,
        "pad_token_id": made.pad_token_id,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1000.0, "mrope_section": [4, 6, 6]},
        "tie_word_embeddings": True,
    }


class Prompts:
    """The pipeline's embeddings of many instructions at once."""

    def __init__(self, processor: ProcessorMixin, encoder: Any) -> None:
        self._processor, self._encoder = processor, encoder
        self._blank = Image.new("RGB", (SIDE, SIDE))
        before = processor.tokenizer(TEMPLATE.partition("{}")[0])["input_ids"]
        if len(before) != DROPPED:
            raise ValueError(f"{len(before)} tokens before the user's words, where the pipeline drops {DROPPED}")

    def __call__(self, sentences: Sequence[str]) -> tuple[Tensor, Tensor]:
        """(batch, tokens, HIDDEN), padded on the right, and its mask."""
        texts = [TEMPLATE.format(PICTURE + sentence) for sentence in sentences]
        inputs = self._processor(
            text=texts,
            images=[self._blank] * len(texts),
            padding="max_length",
            max_length=LENGTH,
            padding_side="right",
            return_tensors="pt",
        )
        used = {name: inputs[name] for name in ("input_ids", "attention_mask", "pixel_values", "image_grid_thw")}
        hidden = self._encoder.model(**used).last_hidden_state
        return hidden[:, DROPPED:], inputs["attention_mask"][:, DROPPED:].bool()
