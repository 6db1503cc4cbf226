"""`--attention`: the kernel that computes a pipeline's attention, by its name in diffusers' dispatcher.

Kernels give the same pictures but for their rounding. A kernel that was asked for is part of the identity; the one that `auto`
takes follows from the device, and is recorded as what it ran on is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from editbench.errors import UserError

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

AUTO = "auto"
NATIVE, CUDNN = "native", "_native_cudnn"
NAMES = (
    NATIVE,
    CUDNN,
    "_native_efficient",
    "_native_flash",
    "_native_math",
    "_native_npu",
    "_native_xla",
    "flex",
    "flash",
    "flash_varlen",
    "_flash_3",
    "_flash_varlen_3",
    "flash_hub",
    "flash_varlen_hub",
    "_flash_3_hub",
    "_flash_3_varlen_hub",
    "flash_4_hub",
    "aiter_fa2_hub",
    "xformers",
    "sage",
    "sage_varlen",
    "sage_hub",
    "sage_blackwell_hub",
    "_sage_qk_int8_pv_fp8_cuda",
    "_sage_qk_int8_pv_fp8_cuda_sm90",
    "_sage_qk_int8_pv_fp16_cuda",
    "_sage_qk_int8_pv_fp16_triton",
)
"""As in `diffusers.models.attention_dispatch.AttentionBackendName`, which can't be asked without importing torch. `_hub`: needs
the package `kernels`, and downloads."""
VARIABLE = "DIFFUSERS_ATTN_BACKEND"
"""Environment variable by which diffusers would take another kernel without a word."""
DENOISERS = ("transformer", "transformer_2", "unet")
"""Components of a pipeline that a denoising step runs."""
_HOPPER = 9
_WIDEST = 128
"""Channels a head that cuDNN's kernel takes on every Hopper GPU."""
_LENGTH = 64
"""Tokens of the trial."""


def check(name: str) -> None:
    """Raises UserError for a kernel that diffusers does not know."""
    if name not in (AUTO, *NAMES):
        raise UserError(f"--attention {name} is unknown", f"Choose {AUTO}, {', '.join(NAMES)}.")


def use(pipeline: DiffusionPipeline, asked: str, device: str) -> str:
    """Have the pipeline's denoising models compute attention by the kernel `asked`, and try it; returns the kernel's name.

    `auto`: cuDNN's on Hopper, in 16 bits, and torch's own choice elsewhere (`tests/gpu/editor.py` measures them).

    Raises:
        UserError: the kernel that was asked for can't run here.
    """
    models = [model for model in denoisers(pipeline) if _uses_dispatcher(model)]
    if asked == AUTO:
        suits = bool(models) and all(_suits_cudnn(model, device) for model in models)
        return CUDNN if suits and _failure(models, CUDNN, device) is None else NATIVE
    failure = _failure(models, asked, device) if models else f"{type(pipeline).__name__} has no model that can be told"
    if failure is not None:
        raise UserError(f"--attention {asked} can't run here: {failure}", f"Choose another, or leave it to --attention {AUTO}.")
    return asked


def denoisers(pipeline: DiffusionPipeline) -> list[Any]:
    """The models that a denoising step runs."""
    parts = (getattr(pipeline, name, None) for name in DENOISERS)
    return [part for part in parts if hasattr(part, "set_attention_backend")]


def _uses_dispatcher(model: Any) -> bool:
    """Whether the model's attention goes through diffusers' dispatcher, which that of a UNet does not."""
    return any(hasattr(getattr(module, "processor", None), "_attention_backend") for module in model.modules())


def _suits_cudnn(model: Any, device: str) -> bool:
    import torch

    width = model.config.get("attention_head_dim")
    return (
        device.startswith("cuda")
        and torch.version.cuda is not None
        and torch.cuda.get_device_capability(device)[0] == _HOPPER
        and model.dtype in (torch.bfloat16, torch.float16)
        and isinstance(width, int)
        and width <= _WIDEST
    )


def _failure(models: list[Any], name: str, device: str) -> str | None:
    """Why the kernel can't run on this device, None when it can, and is set. One that can't run leaves torch's own set."""
    import torch
    from diffusers.models.attention_dispatch import dispatch_attention_fn

    try:
        for model in models:
            model.set_attention_backend(name)
            width = model.config.get("attention_head_dim")
            shape = (1, _LENGTH, 2, width if isinstance(width, int) else _WIDEST)
            query = torch.zeros(shape, dtype=model.dtype, device=device)
            dispatch_attention_fn(query, query, query)
    except (RuntimeError, ValueError, TypeError, ImportError, OSError) as error:
        for model in models:
            model.set_attention_backend(NATIVE)
        return str(error).partition("\n")[0]
    return None
