"""Which kernels a model runs on, where its library has a choice: they may differ in the last bits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def attention(*models: nn.Module) -> dict[str, str]:
    """The implementation of attention by class of model, as transformers (`sdpa`, `flash_attention_2`, `eager`) and diffusers
    (`native`, which is sdpa; `flash`, ...) name it. Models of transformers in a larger one stand for it."""
    told: dict[str, set[str]] = {}
    for model in models:
        for name, implementation in (*_of_transformers(model), *_of_diffusers(model)):
            told.setdefault(f"attention of {name}", set()).add(implementation)
    return {name: ", ".join(sorted(several)) for name, several in told.items()}


def enabled_sdpa() -> str:
    """The kernels that torch's scaled_dot_product_attention may choose from on CUDA devices, by shapes and masks."""
    import torch

    backends = torch.backends.cuda
    enabled = {
        "flash": backends.is_flash_attention_available() and backends.flash_sdp_enabled(),
        "memory-efficient": backends.mem_efficient_sdp_enabled(),
        "cuDNN": backends.cudnn_sdp_enabled(),
        "math": backends.math_sdp_enabled(),
    }
    return ", ".join(name for name, there in enabled.items() if there)


def _of_transformers(model: nn.Module) -> Iterator[tuple[str, str]]:
    from transformers import PreTrainedModel

    modules = [module for module in model.modules() if isinstance(module, PreTrainedModel)]
    for module in modules:
        if not any(inner is not module and isinstance(inner, PreTrainedModel) for inner in module.modules()):
            yield type(module).__name__, str(getattr(module.config, "_attn_implementation", "unknown"))


def _of_diffusers(model: nn.Module) -> Iterator[tuple[str, str]]:
    name = "_attention_backend"  # of a processor; None: the library's default
    processors = [getattr(module, "processor", None) for module in model.modules()]
    chosen = [getattr(processor, name) for processor in processors if hasattr(processor, name)]
    if chosen:
        from diffusers.models.attention_dispatch import _AttentionBackendRegistry

        default, _ = _AttentionBackendRegistry.get_active_backend()
        yield from (
            (type(model).__name__, str(getattr(backend, "value", backend))) for backend in (one or default for one in chosen)
        )
