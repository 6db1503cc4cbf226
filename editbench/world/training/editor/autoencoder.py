"""The editor's autoencoder: diffusers' own class, whose encoder is set by hand and whose decoder is partly trained.

The pipeline scales every source to a megapixel, of which a picture of the small world has a sixteenth. The encoder keeps 128 x
128 of its pixels and half of the colour's resolution, and changes nothing else: a latent is an orthogonal transform of 4 x 4
pixels, so that errors of latents are errors of pixels. Only the decoder's first part is trained: nearest-neighbour scaling and
convolutions can't undo such a packing exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

PIXELS = 128
"""Of a picture, as latents keep it."""
CELL = 4
"""Pixels of those in a latent, either way."""
CHANNELS = 24
"""Of a latent: 4 x 4 of brightness, 2 x 2 of each of two colours."""
GAIN = 200.0
"""Latents are multiplied by it, so the noise that an edit begins with (standard deviation 1) is hardly seen beside them."""
LEVEL = 300.0
"""A constant channel, large beside the others, that keeps normalisation from changing them."""
BASE, WIDTHS = 8, (1, 1, 1, 2, 5, 8)
HALVINGS = 3
"""From a megapixel to PIXELS, by means."""
OPPONENT = torch.tensor([[3**-0.5] * 3, [2**-0.5, 0, -(2**-0.5)], [6**-0.5, -2 * 6**-0.5, 6**-0.5]])
"""(3, 3): brightness, red against blue, both against green. Orthogonal."""
PACKED = 6
"""Channels of 2 x 2 pixels: the brightness of each, and two colours."""


def autoencoder() -> Any:
    """With all that is set by hand; the rest of the decoder begins with the mean of each latent's pixels."""
    from diffusers import AutoencoderKLQwenImage

    vae = AutoencoderKLQwenImage(
        base_dim=BASE,
        z_dim=CHANNELS,
        dim_mult=[*WIDTHS],
        num_res_blocks=1,
        temperal_downsample=[False] * (len(WIDTHS) - 1),
        latents_mean=[0.0] * CHANNELS,
        latents_std=[1 / GAIN] * CHANNELS,
    )
    with torch.no_grad():
        _set_encoder(vae.encoder)
        _set_tail(vae.decoder)
        _set_means(vae.decoder)
        for conv in (vae.quant_conv, vae.post_quant_conv):
            _pick(conv, {channel: channel for channel in range(conv.weight.shape[0])})
        for conv in vae.modules():
            if isinstance(conv, nn.Conv3d) and conv.weight.shape[2] > 1:
                conv.weight[:, :, :-1] = 0  # they would meet earlier frames, of which there are none
    return vae


def latents(pictures: Tensor) -> Tensor:
    """(batch, 3, PIXELS, PIXELS) in -1..1 to (batch, CHANNELS, PIXELS / CELL, PIXELS / CELL), as the encoder does it."""
    values = torch.einsum("oc,bchw->bohw", OPPONENT.to(pictures), pictures)
    values = torch.cat([_squares(values[:, :1]), functional.avg_pool2d(values[:, 1:], 2) * 2], 1)
    return _squares(values)


def _squares(values: Tensor) -> Tensor:
    return torch.cat([values[..., row::2, column::2] for row in (0, 1) for column in (0, 1)], 1)


def trained(decoder: Any) -> list[nn.Parameter]:
    """What of the decoder is learned."""
    parts = [decoder.conv_in, *decoder.mid_block.resnets, *decoder.up_blocks[:2], *decoder.up_blocks[2].resnets]
    return [value for part in parts for value in part.parameters()]


def decoded(decoder: Any, values: Tensor) -> Tensor:
    """(batch, CHANNELS, height, width) to (batch, 3, 8 height, 8 width), by the part of the decoder that is learned and one
    doubling of the others; of a picture of the small world every pixel."""
    with torch.no_grad():
        _clear_constant(decoder)
    hidden = decoder.mid_block(decoder.conv_in(values[:, :, None]))
    for block in decoder.up_blocks[:2]:
        hidden = block(hidden)
    for resnet in decoder.up_blocks[2].resnets:
        hidden = resnet(hidden)
    return functional.interpolate(hidden[:, :3, 0], scale_factor=2, mode="bilinear")


@contextmanager
def still() -> Iterator[None]:
    """Causal convolutions know of a single frame meanwhile: all but the last of the kernel would meet zeros."""
    from diffusers.models.autoencoders.autoencoder_kl_qwenimage import QwenImageCausalConv3d

    def forward(conv: Any, values: Tensor, cache_x: Any = None) -> Tensor:  # noqa: ARG001 - called as the original is
        return functional.conv2d(values[:, :, 0], conv.weight[:, :, -1], conv.bias, padding=conv._padding[0])[:, :, None]  # noqa: SLF001

    original, QwenImageCausalConv3d.forward = QwenImageCausalConv3d.forward, forward
    try:
        yield
    finally:
        QwenImageCausalConv3d.forward = original


def finish(decoder: Any) -> None:
    """To be called when the decoder has learned: only then may the constant go into what is learned."""
    with torch.no_grad():
        _clear_constant(decoder)
        decoder.up_blocks[2].resnets[-1].conv2.bias[3] = LEVEL


def _clear_constant(decoder: Any) -> None:
    """The fourth channel of 128 x 128 is kept free."""
    first, second = decoder.up_blocks[2].resnets
    for conv in (first.conv_shortcut, first.conv2, second.conv2):
        conv.weight[3] = 0
        conv.bias[3] = 0


def _clear(conv: nn.Module) -> None:
    conv.weight.zero_()
    conv.bias.zero_()


def _tap(conv: nn.Module) -> Tensor:
    """(out, in, height, width) of the frame itself."""
    return conv.weight[:, :, -1] if conv.weight.ndim == 5 else conv.weight


def _pick(conv: nn.Module, channels: dict[int, int]) -> None:
    """Output channel to input channel, through the middle of the kernel."""
    _clear(conv)
    middle = conv.weight.shape[-1] // 2
    for to, of in channels.items():
        _tap(conv)[to, of, middle, middle] = 1


def _pass(block: nn.Module) -> None:
    """A residual or an attention block that adds nothing."""
    for conv in (block.conv1, block.conv2) if hasattr(block, "conv2") else (block.to_qkv, block.proj):
        _clear(conv)


def _signed(shortcut: nn.Module, count: int) -> None:
    """Each channel, each with the other sign, and the constant behind them: silu(x) - silu(-x) is x."""
    _pick(shortcut, {channel: channel for channel in range(count)} | {2 * count: count})
    for channel in range(count):
        shortcut.weight[count + channel, channel] = -1


def _unsigned(conv: nn.Module, count: int) -> None:
    """Undoes `_signed` after normalisation, which divides by LEVEL and multiplies by the root of the width."""
    _clear(conv)
    factor = LEVEL / conv.weight.shape[1] ** 0.5
    for channel in range(count):
        _tap(conv)[channel, channel, 1, 1] = factor
        _tap(conv)[channel, count + channel, 1, 1] = -factor


def _set_encoder(encoder: Any) -> None:
    _clear(encoder.conv_in)
    _tap(encoder.conv_in)[:3, :, 1, 1] = OPPONENT
    encoder.conv_in.bias[3] = LEVEL
    count, level = 3, 0
    for block in encoder.down_blocks:
        if hasattr(block, "conv2"):
            _pass(block)
            if level == len(WIDTHS) - 1:
                _signed(block.conv_shortcut, count)
            elif not isinstance(block.conv_shortcut, nn.Identity):
                _pick(block.conv_shortcut, {channel: channel for channel in range(count + 1)})
        else:
            count = _halve(block.resample[1], level)
            level += 1
    for block in (*encoder.mid_block.resnets, *encoder.mid_block.attentions):
        _pass(block)
    _unsigned(encoder.conv_out, CHANNELS)
    encoder.conv_out.bias[CHANNELS:] = -10.0


def _halve(conv: nn.Module, level: int) -> int:
    """Means; then 2 x 2 pixels packed, of colours the mean; then 2 x 2 of all that. Returns how many channels there are."""
    _clear(conv)
    if level < HALVINGS:
        for channel in range(4):
            conv.weight[channel, channel, :2, :2] = 0.25
        return 3
    squares = [(corner, corner // 2, corner % 2) for corner in range(4)]
    if level == HALVINGS:
        for corner, row, column in squares:
            conv.weight[corner, 0, row, column] = 1
        for colour in (1, 2):
            conv.weight[3 + colour, colour, :2, :2] = 0.5
        conv.weight[PACKED, 3, 0, 0] = 1
        return PACKED
    for corner, row, column in squares:
        for channel in range(PACKED):
            conv.weight[corner * PACKED + channel, channel, row, column] = 1
    conv.weight[CHANNELS, PACKED, 0, 0] = 1
    return CHANNELS


def _set_tail(decoder: Any) -> None:
    """From the first three channels of 128 x 128, and a constant, to a megapixel: each doubling is bilinear."""
    tent = torch.tensor([0.25, 0.5, 0.25])
    for number, block in enumerate(decoder.up_blocks[2:], 2):
        for resnet in block.resnets if number > 2 else ():
            _pass(resnet)
            if number == len(WIDTHS) - 1 and not isinstance(resnet.conv_shortcut, nn.Identity):
                _signed(resnet.conv_shortcut, 3)
            elif not isinstance(resnet.conv_shortcut, nn.Identity):
                _pick(resnet.conv_shortcut, {channel: channel for channel in range(4)})
        if block.upsamplers:
            conv = block.upsamplers[0].resample[1]
            _clear(conv)
            for channel in range(4):
                conv.weight[channel, channel] = tent[:, None] * tent
    _unsigned(decoder.conv_out, 3)


def _set_means(decoder: Any) -> None:
    """The mean colour of each latent's pixels, to begin with."""
    for part in (decoder.mid_block, *decoder.up_blocks[:3]):
        for resnet in part.resnets:
            _clear(resnet.conv2)
    for attention in decoder.mid_block.attentions:
        _pass(attention)
    _first(decoder.conv_in, torch.eye(CHANNELS))
    _first(decoder.up_blocks[0].upsamplers[0].resample[1], torch.eye(PACKED).repeat(1, 4) / 4)
    colours = torch.zeros(3, PACKED)
    colours[0, :4] = 0.25
    colours[1, 4] = colours[2, 5] = 0.5
    _first(decoder.up_blocks[1].resnets[0].conv_shortcut, torch.eye(PACKED))
    _first(decoder.up_blocks[1].upsamplers[0].resample[1], OPPONENT.T @ colours)
    _first(decoder.up_blocks[2].resnets[0].conv_shortcut, torch.eye(3))


def _first(conv: nn.Module, matrix: Tensor) -> None:
    """`matrix` makes the first output channels of the first input channels."""
    rows, columns = matrix.shape
    middle = conv.weight.shape[-1] // 2
    _tap(conv)[:rows] = 0
    _tap(conv)[:rows, :columns, middle, middle] = matrix
    conv.bias[:rows] = 0
