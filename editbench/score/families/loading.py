"""Loads a model of any family that transformers has as image-text-to-text, as the library itself sets it up."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn
from transformers import AutoModelForImageTextToText, GenerationConfig

from editbench.errors import UserError
from editbench.score import adapters
from editbench.score.in_process import head
from editbench.score.in_process.decoding import StopTokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load(
    folder: Path, adapter: Path | None, device: torch.device, dtype: torch.dtype, tokenizer: PreTrainedTokenizerBase
) -> tuple[PreTrainedModel, list[str]]:
    """The model, which generates as it is told and never as its checkpoint suggests; and notes for the user.

    Raises UserError where transformers, or a package that it wants for this family, can't.
    """
    if device.type == "cuda":
        torch.cuda.set_device(device)
    placement = None if device.type == "cpu" else {"": device}
    try:
        model = AutoModelForImageTextToText.from_pretrained(folder, dtype=dtype, device_map=placement, local_files_only=True)
    except ImportError as error:
        raise UserError(f"transformers can't load {folder}: {error}", "Install the package that it names.") from None
    model = adapters.merged(model, adapter) if adapter else model
    _widen(model.get_output_embeddings())
    stop = StopTokens.of(model.generation_config, tokenizer)
    model.generation_config = GenerationConfig(
        eos_token_id=[*stop.ids], pad_token_id=stop.pad_token_id, bos_token_id=tokenizer.bos_token_id, do_sample=False
    )
    attention = getattr(model.config, "_attn_implementation", "unknown")
    return model.eval(), [f"{model.config.model_type} through transformers' generate, attention {attention}"]


def _widen(output: nn.Module) -> None:
    """Have a model's head give logits in float32, as `head` does; one with a bias or of another class stays as it is."""
    if type(output) is nn.Linear and output.bias is None:
        output.forward = partial(head.logits, output)
