"""Memory that a model's work takes beside its weights, for the estimates of `editbench.edit.memory`.

    python tests/benchmarks/activations.py [--size 1024]

Runs denoisers and autoencoders of published shapes, of which a few layers are enough, on tensors without data, in seconds and
on any machine, and counts the bytes that are alive at once. Prints, for each: gigabytes in bfloat16, and how many tensors of
(tokens, hidden size) or (pixels, channels of the last layer) that is. What kernels take to work in is not counted.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import diffusers
import torch
import typer
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

TEXT_TOKENS = 1500


class Alive(TorchDispatchMode):
    """Counts the bytes of tensors that operations make and that are still there; views of the model's weights are none."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.peak = 0
        self._sizes = {weight.untyped_storage()._cdata: 0 for weight in (*model.parameters(), *model.buffers())}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            storage = tensor.untyped_storage() if isinstance(tensor, torch.Tensor) else None
            if storage is not None and storage._cdata not in self._sizes:
                self._sizes[storage._cdata] = storage.nbytes()
                weakref.finalize(storage, self._sizes.pop, storage._cdata)
        self.peak = max(self.peak, sum(self._sizes.values()))
        return result


def peak(make: Callable[[], torch.nn.Module], run: Callable[[Any], object]) -> int:
    """Bytes alive at once while `run` works on the model, without its weights."""
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        torch.set_default_dtype(torch.bfloat16)
        model = make().eval()
        torch.set_default_dtype(torch.float32)
        with Alive(model) as alive:
            run(model)
    return alive.peak


def _zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(*shape, dtype=torch.bfloat16)


def _kl() -> torch.nn.Module:
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    return diffusers.AutoencoderKL(block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=16, **blocks)


def shapes(size: int) -> Iterator[tuple[str, int, int]]:
    """(what, bytes at the peak, bytes of one tensor) for edits of `size` x `size` pixels with one input of that size."""
    side, latent = size // 16, size // 8
    tokens = 2 * side * side
    autoencoders: list[tuple[str, Callable[[], torch.nn.Module], tuple[int, ...], int]] = [
        ("QwenImage", diffusers.AutoencoderKLQwenImage, (1, 16, 1, latent, latent), 96),
        ("FLUX", _kl, (1, 16, latent, latent), 128),
    ]
    for name, make, shape, channels in autoencoders:
        yield f"{name} decoder", peak(make, lambda vae, at=shape: vae.decode(_zeros(*at))), 2 * size * size * channels

    def qwen(model: Any) -> None:
        states = {"hidden_states": _zeros(1, tokens, 64), "encoder_hidden_states": _zeros(1, TEXT_TOKENS, 3584)}
        mask = torch.ones(1, TEXT_TOKENS, dtype=torch.long)
        model(**states, encoder_hidden_states_mask=mask, timestep=_zeros(1), img_shapes=[[(1, side, side)] * 2])

    def flux(model: Any) -> None:
        states = {"hidden_states": _zeros(1, tokens, 64), "encoder_hidden_states": _zeros(1, TEXT_TOKENS, 4096)}
        ids = {"img_ids": torch.zeros(tokens, 3), "txt_ids": torch.zeros(TEXT_TOKENS, 3)}
        model(**states, **ids, pooled_projections=_zeros(1, 768), timestep=_zeros(1), guidance=_zeros(1))

    one = 2 * (tokens + TEXT_TOKENS) * 3072
    yield "QwenImage denoiser", peak(lambda: diffusers.QwenImageTransformer2DModel(num_layers=3), qwen), one
    options: dict[str, Any] = {"num_layers": 2, "num_single_layers": 2, "guidance_embeds": True}
    yield "FLUX denoiser", peak(lambda: diffusers.FluxTransformer2DModel(**options), flux), one


def main(size: Annotated[int, typer.Option(help="Side of the edits in pixels, a multiple of 16.")] = 1024) -> None:
    for name, taken, one in shapes(size):
        sys.stdout.write(f"{name}: {taken / 1e9:.2f} GB, {taken / one:.1f} tensors\n")


if __name__ == "__main__":
    typer.run(main)
