"""Loads Qwen3-VL with the quickest forms of attention and of the experts that work here.

Pictures: flash attention takes all pictures of a batch in one call where sdpa goes through them one by one. Being installed is
not working (a wheel for another GPU, another torch), so it is tried before it is chosen. Text keeps sdpa, which takes the masks
of padded batches as they are.

Experts (Qwen3-VL-MoE): `grouped_mm`, transformers' default, reads the weights of each expert once. While replies are written,
`batched_mm` is quicker for few rows. It copies the weights of each token's experts, 75 MB a token and layer for 30B-A3B: it
is not used where the rows ask for more than a quarter of the experts; more than half where torch has no kernel for all experts
(`has_grouped_kernel`), for there a layer waits for the device twice and then makes two launches an expert [both estimated;
tests/gpu/judge.py measures both forms]. Prompts are read with `grouped_mm` everywhere: their tokens need all experts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from transformers import AutoConfig, AutoModelForImageTextToText
from transformers.utils import is_flash_attn_2_available

from editbench.score import adapters

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

GROUPED, BATCHED = "grouped_mm", "batched_mm"
FLASH, SDPA = "flash_attention_2", "sdpa"
MAX_SHARE, MAX_SHARE_OF_LOOP = 0.25, 0.5
"""Up to what share of a layer's experts `batched_mm` is taken for a step's rows; and that where torch has no grouped kernel."""


def load(
    folder: Path, device: torch.device, dtype: torch.dtype, adapter: Path | None = None
) -> tuple[PreTrainedModel, list[str]]:
    """The model, with an adapter merged into it, and what to tell the user of how it runs: nothing on a CPU, where there is
    nothing to choose."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
    implementations, note = attention(AutoConfig.from_pretrained(folder, local_files_only=True), device, dtype)
    placement = None if device.type == "cpu" else {"": device}
    model = AutoModelForImageTextToText.from_pretrained(
        folder, dtype=dtype, device_map=placement, local_files_only=True, attn_implementation=implementations
    )
    model = adapters.merged(model, adapter) if adapter else model
    return model.eval(), [] if device.type == "cpu" else [note, *experts(model)]


def attention(config: PretrainedConfig, device: torch.device, dtype: torch.dtype) -> tuple[dict[str, str], str]:
    """`attn_implementation` for transformers (the class of each part to its kernel), and a note for the user about it."""
    vision, why = _vision_attention(config, device, dtype)
    return {"text_config": SDPA, "vision_config": vision}, f"attention: pictures {vision}{why}, text {SDPA}"


def experts(model: PreTrainedModel) -> list[str]:
    """A note about how the experts run; none where there are none."""
    form = _experts_implementation(model)
    loop = " (one expert after the other: torch has no kernel for all of them here)"
    how = loop if form == GROUPED and model.device.type != "cpu" and not _grouped_kernel(model) else ""
    few = f", {BATCHED} while few replies are written" if _prefers_batched(model, 1) else ""
    return [f"experts: {form}{how}{few}"] if form else []


@contextmanager
def decoding_experts(model: PreTrainedModel, rows: int) -> Iterator[None]:
    """The quicker form of the experts, while so many replies are decoded together."""
    if not _prefers_batched(model, rows):
        yield
        return
    model.set_experts_implementation(BATCHED)
    try:
        yield
    finally:
        model.set_experts_implementation(GROUPED)


def _vision_attention(config: PretrainedConfig, device: torch.device, dtype: torch.dtype) -> tuple[str, str]:
    """The kernel for pictures, and why it is not flash attention where it might be."""
    if device.type != "cuda" or dtype == torch.float32:
        return SDPA, ""
    if not is_flash_attn_2_available():
        return SDPA, " (flash-attn is not installed)"
    size = config.vision_config.hidden_size // config.vision_config.num_heads
    problem = flash_problem(device, dtype, size)
    return (SDPA, f" (flash-attn does not work here: {problem})") if problem else (FLASH, "")


def flash_problem(device: torch.device, dtype: torch.dtype, size: int) -> str:
    """How a call of flash attention with heads of that size fails; "" when it works."""
    try:
        from flash_attn import flash_attn_varlen_func

        states = torch.zeros(8, 1, size, device=device, dtype=dtype)
        ends = torch.tensor([0, 3, 8], device=device, dtype=torch.int32)
        output = flash_attn_varlen_func(states, states, states, ends, ends, 5, 5)
        return "" if bool(output.isfinite().all()) else "its results are not numbers"
    except (ImportError, OSError, RuntimeError) as error:  # no wheel for this torch or this GPU
        return " ".join(f"{type(error).__name__}: {error}".split())[:160]


def has_grouped_kernel(capability: tuple[int, int], dtype: torch.dtype) -> bool:
    """Whether torch computes the products of all experts in one kernel on a CUDA device of this compute capability.

    It does for bfloat16 on Hopper (9.x) and the Blackwell of data centres (10.x): `_grouped_mm_cuda` in ATen's GroupedBlas.cpp.
    Elsewhere it copies the experts' numbers of tokens to the host and goes through the experts one by one.
    """
    return capability[0] in (9, 10) and dtype == torch.bfloat16


def _grouped_kernel(model: PreTrainedModel) -> bool:
    if model.device.type != "cuda" or torch.version.hip is not None:  # ROCm calls itself cuda, and counts otherwise.
        return False
    return has_grouped_kernel(torch.cuda.get_device_capability(model.device), model.dtype)


def _experts_implementation(model: PreTrainedModel) -> str:
    """How the experts run; "" where there are none."""
    text = model.config.text_config
    return getattr(text, "_experts_implementation", None) or "eager" if hasattr(text, "num_experts") else ""


def _prefers_batched(model: PreTrainedModel, rows: int) -> bool:
    """Whether `batched_mm` is quicker for a step of so many rows. Not on a CPU, where transformers found grouped_mm better."""
    text = model.config.text_config
    if model.device.type == "cpu" or _experts_implementation(model) != GROUPED:
        return False
    share = MAX_SHARE if _grouped_kernel(model) else MAX_SHARE_OF_LOOP
    return rows * text.num_experts_per_tok <= share * text.num_experts
