"""Weights of a pipeline's transformer and text encoders in fewer bits, quantized while they are loaded.

nf4   4 bits (bitsandbytes): the least memory. Needs an accelerator.
int8  8 bits a weight, computing as before (torchao). Any device.
fp8   8 bits, weights and activations, one scale a row, computing in fp8 (torchao). Compute capability 8.9 or newer.

All of them change the pictures.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editbench.edit import index
from editbench.errors import UserError

FP8_CAPABILITY = (8, 9)
"""Compute capability of the oldest NVIDIA devices with fp8 (Ada; Hopper has 9.0)."""


@dataclass(frozen=True, slots=True)
class Method:
    """`package` makes it; `bits`: of a quantized weight, its share of the scales included."""

    package: str
    bits: float


METHODS = {"nf4": Method("bitsandbytes", 4.5), "int8": Method("torchao", 8.1), "fp8": Method("torchao", 8.1)}
"""Scales: nf4 has 32 bits for each 64 weights, the others 16 or 32 for each row of a thousand or more."""


def check(name: str | None, kind: str, dtype: str) -> None:
    """Make sure that quantized weights can be had on devices of the torch type `kind`, for a pipeline that computes in `dtype`.

    Raises:
        UserError: no such method, its package is missing, or the device can't compute with it.
    """
    if name is None:
        return
    if name not in METHODS:
        raise UserError(f"--quantize {name} is unknown", f"Choose {', '.join(METHODS)}.")
    if name == "nf4" and kind == "cpu":
        raise UserError("--quantize nf4 needs an accelerator, and there is none", "On a CPU choose int8.")
    package = METHODS[name].package
    if importlib.util.find_spec(package) is None:
        raise UserError(f"--quantize {name} needs the package {package}", "pip install 'editbench[quantize]'")
    if name == "fp8" and not _has_fp8(kind):
        oldest = ".".join(map(str, FP8_CAPABILITY))
        message = f"--quantize fp8 needs a CUDA device of compute capability {oldest} or newer, and this is none"
        raise UserError(message, "Choose int8.")
    if name == "fp8" and dtype not in ("auto", "bfloat16"):
        raise UserError(f"--quantize fp8 goes with --dtype bfloat16, not with {dtype}", "Leave --dtype out, or choose int8.")


def options(name: str | None, folder: Path, dtype: str) -> dict[str, Any]:
    """Arguments for `DiffusionPipeline.from_pretrained` of the pipeline in `folder`, which computes in `dtype`."""
    if name is None:
        return {}
    import diffusers
    import transformers

    libraries = {key: library for key, (library, _) in index.load(folder).components.items() if is_quantized(key)}
    owners = {key: transformers if library == "transformers" else diffusers for key, library in libraries.items()}
    configs = {key: _config(name, owner, dtype) for key, owner in owners.items()}
    return {"quantization_config": diffusers.PipelineQuantizationConfig(quant_mapping=configs)}


def is_quantized(component: str) -> bool:
    """Whether the component of a pipeline is one of the large ones: the denoiser, or a text encoder. By its name, which all
    pipelines of diffusers agree on."""
    return component.startswith(("transformer", "unet", "text_encoder"))


def _config(name: str, library: Any, dtype: str) -> Any:
    """Settings of the method for a model of `library` (diffusers or transformers), which have classes of one name each."""
    if name == "nf4":
        import torch

        # Left out, it would compute in float32 whatever the pipeline works in.
        computing = getattr(torch, dtype)
        return library.BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=computing)
    from torchao.quantization import Float8DynamicActivationFloat8WeightConfig, Int8WeightOnlyConfig, PerRow

    quantized = Int8WeightOnlyConfig() if name == "int8" else Float8DynamicActivationFloat8WeightConfig(granularity=PerRow())
    return library.TorchAoConfig(quantized)


def _has_fp8(kind: str) -> bool:
    if kind != "cuda":
        return False
    import torch

    return torch.cuda.get_device_capability() >= FP8_CAPABILITY
