"""Weights in main memory, on the device only while they work, and pictures decoded in tiles: for devices with little memory.

model  one model of the pipeline at a time is on the device (accelerate): as fast as without, but for two moves a picture
group  one layer at a time, the next one on its way while it works (diffusers): the least memory, as fast as the bus

The same kernels work on the same numbers either way. (On a CPU last bits move: weights that were copied lie at other addresses
than those that were mapped from a file, and its kernels depend on that.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from editbench.edit import library
from editbench.errors import UserError

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

OFFLOADS = ("none", "model", "group")


def check(offload: str, quantize: str | None, kind: str) -> None:
    """Raises UserError for an unknown `offload`, one without use on devices of the torch type `kind`, or one that does not go
    with weights that are quantized by `quantize`."""
    if offload not in OFFLOADS:
        raise UserError(f"--offload {offload} is unknown", f"Choose {', '.join(OFFLOADS)}.")
    if offload != "none" and kind == "cpu":
        raise UserError(f"--offload {offload} needs an accelerator: on a CPU all weights are in main memory", "Leave it out.")
    if offload == "group" and quantize == "nf4":  # diffusers moves a weight's data, and bitsandbytes has more to it
        raise UserError("--offload group can't move the layers of --quantize nf4", "Choose --offload model, or int8.")


def check_tiling(pipeline: str, vae: str) -> None:
    """Raises UserError where the autoencoder, of the class `vae` of diffusers, can't work in tiles."""
    kind = library.declared(vae, library.AUTOENCODERS)
    if kind is None or "enable_tiling" not in kind.methods:
        raise UserError(f"{pipeline} has no autoencoder that works in tiles", "Leave --vae-tiling out.")


def apply(pipeline: DiffusionPipeline, device: str, *, offload: str, vae_tiling: bool) -> None:
    """Set up a loaded pipeline, whose weights are in main memory unless `offload` is none."""
    import torch

    if vae_tiling:
        pipeline.vae.enable_tiling()
    if offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    elif offload == "group":
        stream = torch.device(device).type in ("cuda", "xpu")
        pipeline.enable_group_offload(torch.device(device), offload_type="leaf_level", use_stream=stream)
