"""The editor's parts, and the folder that they are saved as."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from editbench import tiny
from editbench.world.training.editor import autoencoder, network, prompts

PAIRS, DECODER, WORDS, EDITOR = "pairs", "decoder.pt", "words.pt", "editor.pt"
"""Of a run's folder."""


class Parts(NamedTuple):
    tokenizer: Any
    processor: Any
    text_encoder: Any
    transformer: Any


def parts() -> Parts:
    """With the weights that training begins with."""
    tokenizer = prompts.tokenizer()
    return Parts(tokenizer, prompts.processor(tokenizer), prompts.text_encoder(tokenizer), network.transformer())


def write(out: Path, folder: Path) -> None:
    """The pipeline of a run, in bfloat16, to `folder`, its weights compressed as the package has them: `editbench tiny`
    decompresses them. Convolutions over time that never meet a second frame are zeros, a third of the bytes otherwise."""
    from diffusers import FlowMatchEulerDiscreteScheduler, QwenImageEditPlusPipeline

    made, vae = parts(), autoencoder.autoencoder()
    vae.decoder.load_state_dict(torch.load(out / DECODER, weights_only=True))
    autoencoder.finish(vae.decoder)
    both = nn.ModuleDict({"transformer": made.transformer, "text_encoder": made.text_encoder})
    both.load_state_dict(torch.load(out / EDITOR, weights_only=True))
    pipeline = QwenImageEditPlusPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), vae=vae, **made._asdict()
    )
    pipeline.to(torch.bfloat16).save_pretrained(folder)
    for weights in folder.rglob("*.safetensors"):
        weights.with_name(f"{weights.name}{tiny.PACKED}").write_bytes(lzma.compress(weights.read_bytes(), preset=9))
        weights.unlink()
