"""Tiny checkpoints of other families than Qwen3-VL, with random weights, in the formats that are published."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import torch
import transformers
from tokenizers.pre_tokenizers import ByteLevel
from transformers import PreTrainedTokenizerBase, Qwen2Tokenizer

from editbench import tiny
from editbench.foreign_paths import CheckpointPaths

CHAT = (
    "{{ BOS }}{% for m in messages %}<|im_start|>{{ m.role }}\n{% for c in m.content %}"
    "{% if c.type == 'image' %}IMAGE{% else %}{{ c.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
AREA = {"shortest_edge": 28 * 28 * 4, "longest_edge": 28 * 28 * 64}
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


def tokenizer(*, split: bool = True, bos: str | None = None, **named: str) -> PreTrainedTokenizerBase:
    """Single bytes, `named` tokens that a family's processor asks for, and those around thoughts. Not `split`: "10" as well."""
    vocabulary = {token: index for index, token in enumerate(sorted(ByteLevel.alphabet()))}
    special = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "bos_token": bos}
    made = Qwen2Tokenizer(vocab=vocabulary, merges=[], extra_special_tokens=named, **special)
    made.add_tokens([*tiny.SPECIAL, *named.values()], special_tokens=True)
    made.add_tokens(["<think>", "</think>", *([] if split else ["10"])])
    return made


def text_config(of: PreTrainedTokenizerBase, **more: Any) -> dict[str, Any]:
    known = {**tiny._text_config(of, {"rope_theta": 1e4}), "bos_token_id": of.bos_token_id, "head_dim": 8}
    return {**known, **more}


def write(
    folder: Path,
    model: torch.nn.Module,
    processor_class: str,
    images: dict[str, Any],
    of: PreTrainedTokenizerBase,
    image: str,
    **processor: Any,
) -> Path:
    """As such a checkpoint is published: settings of pictures, tokenizer and chat template in files of their own."""
    paths = CheckpointPaths(folder)
    for weights in model.parameters():
        if weights.ndim > 1:  # the libraries' own are so small that a picture would hardly matter
            torch.nn.init.normal_(weights, std=0.1)
    model.eval().save_pretrained(folder)
    of.save_pretrained(folder)
    template = CHAT.replace("IMAGE", image).replace("{{ BOS }}", of.bos_token or "")
    paths.chat_template.write_text(template)
    paths.image_processor.write_bytes(orjson.dumps({**images, "processor_class": processor_class}))
    paths.processor.write_bytes(orjson.dumps({"processor_class": processor_class, **processor}))
    return folder


def qwen2_5_vl(folder: Path, **options: Any) -> Path:
    of = tokenizer(**options)
    config = transformers.Qwen2_5_VLConfig(
        text_config=tiny._text_config(of, {"mrope_section": [1, 1, 2], "rope_theta": 1e6}),
        vision_config=tiny._vision_config(fullatt_block_indexes=[1], patch_size=14, window_size=112),
        **tiny._token_ids(of),
    )
    model = transformers.Qwen2_5_VLForConditionalGeneration(config)
    images = {"image_processor_type": "Qwen2VLImageProcessorFast", "size": AREA, "patch_size": 14, "merge_size": 2}
    return write(folder, model, "Qwen2_5_VLProcessor", images, of, "<|vision_start|><|image_pad|><|vision_end|>")


def glm4v(folder: Path, **options: Any) -> Path:
    of = tokenizer(
        **options, image_token="<|image|>", video_token="<|video|>", begin="<|begin_of_image|>", end="<|end_of_image|>"
    )
    ids = {"image_token_id": "<|image|>", "video_token_id": "<|video|>"}
    ids |= {"image_start_token_id": "<|begin_of_image|>", "image_end_token_id": "<|end_of_image|>"}
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "out_hidden_size": 32,
        "image_size": 112,
        "patch_size": 14,
    }
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e4}
    text = {**tiny._text_config(of, rope), "partial_rotary_factor": 1.0}
    config = transformers.Glm4vConfig(
        text_config=text, vision_config=vision, **{name: of.convert_tokens_to_ids(token) for name, token in ids.items()}
    )
    images = {"image_processor_type": "Glm4vImageProcessor", "size": AREA, "patch_size": 14, "merge_size": 2}
    return write(
        folder,
        transformers.Glm4vForConditionalGeneration(config),
        "Glm4vProcessor",
        images,
        of,
        "<|begin_of_image|><|image|><|end_of_image|>",
    )


def internvl(folder: Path, **options: Any) -> Path:
    named = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    of = tokenizer(**options, **named)
    config = transformers.InternVLConfig(
        text_config={"model_type": "qwen2", **text_config(of)},
        vision_config={**VISION, "image_size": [56, 56], "patch_size": [14, 14]},
        image_token_id=of.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    images = {"image_processor_type": "GotOcr2ImageProcessorFast", "size": {"height": 56, "width": 56}, "max_patches": 4}
    model = transformers.InternVLForConditionalGeneration(config)
    return write(folder, model, "InternVLProcessor", images, of, "<IMG_CONTEXT>\n", image_seq_length=4)


def gemma3(folder: Path, **options: Any) -> Path:
    named = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}
    of = tokenizer(**{"bos": "<bos>", **options}, **named)
    ids = {"boi_token_index": "boi_token", "eoi_token_index": "eoi_token", "image_token_index": "image_token"}
    config = transformers.Gemma3Config(
        text_config={**text_config(of, sliding_window=64), "rope_parameters": None},
        vision_config={**VISION, "image_size": 56, "patch_size": 14},
        mm_tokens_per_image=4,
        **{name: of.convert_tokens_to_ids(named[token]) for name, token in ids.items()},
    )
    images = {"image_processor_type": "Gemma3ImageProcessor", "size": {"height": 56, "width": 56}}
    model = transformers.Gemma3ForConditionalGeneration(config)
    return write(folder, model, "Gemma3Processor", images, of, "<start_of_image>", image_seq_length=4)


def llava(folder: Path, **options: Any) -> Path:
    of = tokenizer(**options, image_token="<image>")
    config = transformers.LlavaConfig(
        text_config={"model_type": "llama", **text_config(of)},
        vision_config={"model_type": "clip_vision_model", **VISION, "image_size": 56, "patch_size": 14, "projection_dim": 32},
        image_token_index=of.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
    )
    size = {"size": {"height": 56, "width": 56}, "crop_size": {"height": 56, "width": 56}}
    images = {"image_processor_type": "CLIPImageProcessor", **size}
    model = transformers.LlavaForConditionalGeneration(config)
    more = {"patch_size": 14, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    return write(folder, model, "LlavaProcessor", images, of, "<image>\n", **more)


FAMILIES: dict[str, Callable[..., Path]] = {one.__name__: one for one in (qwen2_5_vl, glm4v, internvl, gemma3, llava)}
