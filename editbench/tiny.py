"""Tiny checkpoints, in the real formats, for a machine without a GPU: an editor and two judges with random weights, and an
editor and a judge that were trained on the small world.

They show that a pipeline runs from end to end, on a CPU, in seconds and without a download. RANDOM WEIGHTS make pictures of
noise and scores that mean nothing. The trained ones come with the package; they know the pictures of the small world and the
rubric for it, and nothing else (see `world.training`).

    DIR/editor       QwenImageEditPlusPipeline (diffusers)
    DIR/judge        Qwen3VLForConditionalGeneration (transformers)
    DIR/judge-moe    Qwen3VLMoeForConditionalGeneration (transformers)
    DIR/editor-world QwenImageEditPlusPipeline (diffusers), trained
    DIR/judge-world  Qwen3VLForConditionalGeneration (transformers), trained

The same bytes each time, for one set of library versions. diffusers and transformers load them as they load published ones.
"""

from __future__ import annotations

import lzma
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from editbench import atomic
from editbench.errors import UserError
from editbench.foreign_paths import CheckpointPaths, PipelinePaths
from editbench.paths import TinyPaths
from editbench.processors import still_images_only

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, Qwen3VLConfig

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}"
    "{% if c.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% elif c.type == 'text' %}{{ c.text }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PACKED = ".xz"
"""Ends the name of a file that the package has compressed."""
AREA = {"shortest_edge": 65_536, "longest_edge": 1_048_576}
"""Bounds of a picture's area in pixels."""


def write(folder: Path) -> TinyPaths:
    """Write the tiny checkpoints into `folder`, whole or not at all; nothing is done when they are there.

    Raises:
        UserError: `folder` holds something else.
        OSError: the disk is full or read-only.
    """
    if _complete(folder):
        return TinyPaths(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and is not a whole set of tiny checkpoints", "Name a new folder, or remove this one.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with atomic.building(folder.resolve()) as building:
        _build(TinyPaths(building))
        try:
            os.replace(building, folder)
        except OSError:
            if not _complete(folder):  # else another process was faster, with the same bytes
                raise
    return TinyPaths(folder)


def _complete(folder: Path) -> bool:
    paths = TinyPaths(folder)
    markers = [CheckpointPaths(judge).config for judge in (paths.judge, paths.judge_moe, paths.judge_world)]
    markers += [PipelinePaths(editor).index for editor in (paths.editor, paths.editor_world)]
    return all(marker.is_file() for marker in markers)


def _build(paths: TinyPaths) -> None:
    import torch
    import transformers

    tokenizer = _tokenizer()
    parts, experts = _judge_parts(tokenizer), {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
    mixture = transformers.Qwen3VLMoeConfig(**{**parts, "text_config": parts["text_config"] | experts})
    with torch.random.fork_rng(devices=[]), _no_progress_bars():
        torch.manual_seed(0)
        _write_editor(paths.editor, tokenizer)
        torch.manual_seed(1)
        _write_judge(paths.judge, tokenizer, transformers.Qwen3VLForConditionalGeneration, _judge_config(tokenizer))
        torch.manual_seed(2)
        _write_judge(paths.judge_moe, tokenizer, transformers.Qwen3VLMoeForConditionalGeneration, mixture)
    trained = resources.files("editbench.world")
    _unpack(trained.joinpath("judge"), paths.judge_world)
    _write_video_processor(paths.judge_world, "Qwen3VLVideoProcessor", patch_size=16)
    _unpack(trained.joinpath("editor"), paths.editor_world)
    _write_video_processor(PipelinePaths(paths.editor_world).processor, "Qwen2VLVideoProcessor", patch_size=14)


@contextmanager
def _no_progress_bars() -> Iterator[None]:
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _tokenizer() -> PreTrainedTokenizerBase:
    """Qwen's tokenizer class over single bytes: no merges, so every digit is a token of its own, as in Qwen's."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    vocabulary = {byte: number for number, byte in enumerate(sorted(ByteLevel.alphabet()))}
    tokenizer = Qwen2Tokenizer(vocab=vocabulary, merges=[], eos_token="<|im_end|>")
    tokenizer.add_tokens(list(SPECIAL), special_tokens=True)
    return tokenizer


def _token_ids(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    named = {"image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>"}
    named |= {"vision_start_token_id": "<|vision_start|>", "vision_end_token_id": "<|vision_end|>"}
    return {name: tokenizer.convert_tokens_to_ids(token) for name, token in named.items()}


def _text_config(tokenizer: PreTrainedTokenizerBase, rope: dict[str, Any]) -> dict[str, Any]:
    return {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": len(tokenizer),
        "bos_token_id": None,
        "eos_token_id": tokenizer.convert_tokens_to_ids("<|im_end|>"),
        "pad_token_id": tokenizer.convert_tokens_to_ids("<|endoftext|>"),
        "rope_parameters": {"rope_type": "default", **rope},
    }


def _vision_config(**sizes: Any) -> dict[str, Any]:
    return {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32, **sizes}


def _write_editor(folder: Path, tokenizer: PreTrainedTokenizerBase) -> None:
    from diffusers import (
        AutoencoderKLQwenImage,
        FlowMatchEulerDiscreteScheduler,
        QwenImageEditPlusPipeline,
        QwenImageTransformer2DModel,
    )
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2VLProcessor
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    config = Qwen2_5_VLConfig(
        text_config=_text_config(tokenizer, {"mrope_section": [1, 1, 2], "rope_theta": 1e6}),
        vision_config=_vision_config(fullatt_block_indexes=[1], patch_size=14, window_size=112),
        **_token_ids(tokenizer),
    )
    vae = {"base_dim": 8, "z_dim": 16, "dim_mult": [1, 2, 2, 2], "num_res_blocks": 1}
    transformer = {"patch_size": 2, "in_channels": 64, "out_channels": 16, "num_layers": 2, "axes_dims_rope": (4, 6, 6)}
    transformer |= {"attention_head_dim": 16, "num_attention_heads": 2, "joint_attention_dim": 32}
    pipeline = QwenImageEditPlusPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=AutoencoderKLQwenImage(**vae, temperal_downsample=[False, True, True]),
        text_encoder=Qwen2_5_VLForConditionalGeneration(config).eval(),
        tokenizer=tokenizer,
        processor=still_images_only(Qwen2VLProcessor)(Qwen2VLImageProcessorPil(), tokenizer, chat_template=CHAT_TEMPLATE),
        transformer=QwenImageTransformer2DModel(**transformer),
    )
    pipeline.save_pretrained(folder)
    _write_video_processor(PipelinePaths(folder).processor, "Qwen2VLVideoProcessor", patch_size=14)


def _judge_parts(tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    rope = {"mrope_section": [3, 3, 2], "mrope_interleaved": True, "rope_theta": 5e6}
    return {
        "text_config": {**_text_config(tokenizer, rope), "head_dim": 16},
        "vision_config": _vision_config(patch_size=16, deepstack_visual_indexes=[0], num_position_embeddings=256),
        **_token_ids(tokenizer),
    }


def _judge_config(tokenizer: PreTrainedTokenizerBase) -> Qwen3VLConfig:
    from transformers import Qwen3VLConfig

    return Qwen3VLConfig(**_judge_parts(tokenizer))


def _write_judge(folder: Path, tokenizer: PreTrainedTokenizerBase, model: type, config: Any) -> None:
    from transformers import Qwen3VLProcessor
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    model(config).eval().save_pretrained(folder)
    images = Qwen2VLImageProcessorPil(patch_size=16, size=AREA)
    still_images_only(Qwen3VLProcessor)(images, tokenizer, chat_template=CHAT_TEMPLATE).save_pretrained(folder)
    _write_video_processor(folder, "Qwen3VLVideoProcessor", patch_size=16)


def _unpack(source: Traversable, folder: Path) -> None:
    """A copy of `source`, what is compressed in it decompressed."""
    folder.mkdir()
    for entry in source.iterdir():
        if entry.is_dir():
            _unpack(entry, folder / entry.name)
        elif entry.name.endswith(PACKED):
            (folder / entry.name.removesuffix(PACKED)).write_bytes(lzma.decompress(entry.read_bytes()))
        else:
            (folder / entry.name).write_bytes(entry.read_bytes())


def _write_video_processor(folder: Path, name: str, patch_size: int) -> None:
    """Published checkpoints have one, and the library's own processor class asks for it; here nothing reads it."""
    settings = {"video_processor_type": name, "patch_size": patch_size, "size": AREA}
    CheckpointPaths(folder).video_processor.write_bytes(orjson.dumps(settings, option=orjson.OPT_INDENT_2))
