from __future__ import annotations

import pytest
import torch
from diffusers import DiffusionPipeline
from transformers import AutoModelForImageTextToText

from editbench import kernels
from editbench.paths import TinyPaths


@pytest.mark.parametrize("implementation", ["sdpa", "eager"])
def test_attention_of_a_judge_is_told_by_part(checkpoints: TinyPaths, implementation: str) -> None:
    judge = AutoModelForImageTextToText.from_pretrained(
        checkpoints.judge, attn_implementation={"text_config": "sdpa", "vision_config": implementation}
    )
    assert kernels.attention(judge) == {
        "attention of Qwen3VLTextModel": "sdpa",
        "attention of Qwen3VLVisionModel": implementation,
    }


def test_attention_of_a_pipeline_is_told_by_component(checkpoints: TinyPaths) -> None:
    transformer = DiffusionPipeline.from_pretrained(checkpoints.editor, vae=None, text_encoder=None, processor=None).transformer
    (name,) = kernels.attention(transformer)
    assert kernels.attention(transformer) == {name: "native"}
    transformer.set_attention_backend("_native_math")
    assert kernels.attention(transformer, torch.nn.Linear(1, 1)) == {name: "_native_math"}
