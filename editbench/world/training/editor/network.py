"""The editor's transformer: diffusers' own class, whose weights begin as a copy of the source.

Latents hold little noise (`autoencoder.GAIN`), so the velocity that the pipeline asks for is, but for that noise, the edited
picture with the other sign: a tiny network need not carry the noise through to the end.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from editbench.world.training.editor.autoencoder import CELL, CHANNELS, GAIN, PIXELS
from editbench.world.training.editor.prompts import HIDDEN

PATCH = 4 * CHANNELS
"""Numbers of a token: 2 x 2 latents."""
GRID = PIXELS // CELL // 2
"""Tokens of a picture, either way."""
HEAD, HEADS, LAYERS = 32, 5, 2
WIDTH = HEAD * HEADS
AXES = (4, 14, 14)
"""Of a head, how many numbers are turned by the frame, the row, the column."""
COPYING = PATCH // HEAD
"""Heads of the first block that begin by looking at the same spot of the source."""
NEAR = (0, 2, 3, 9, 10)
"""Pairs of a head's numbers that are turned most: by the frame, by the row, by the column."""
ACROSS, STILL = 11, 15
"""Pairs that half the picture's width turns by half a radian, and that nothing turns by much."""
SHARP = 6.0
"""Weight of the pairs NEAR in queries and keys."""
CONTENT, CONSTANT = 1.0, 4.0
"""What latents are scaled to (in pixels' -1..1), and the rest of a token's numbers at the start."""
SIZE = (CONSTANT**2 * (1 - PATCH / WIDTH) + (CONTENT * 0.5) ** 2 * PATCH / WIDTH) ** 0.5
"""Root of the mean square of a token's numbers, about."""
SIGNS = torch.tensor([1.0, -1.0, -1.0, 1.0]).repeat(CHANNELS)
"""Of a token's numbers: those of one colour have a mean of 0, which normalisation takes away."""
TIMES = 8
"""Numbers that tell the time, of WIDTH."""


def transformer() -> Any:
    from diffusers import QwenImageTransformer2DModel

    model = QwenImageTransformer2DModel(
        in_channels=PATCH,
        out_channels=CHANNELS,
        num_layers=LAYERS,
        axes_dims_rope=AXES,
        attention_head_dim=HEAD,
        num_attention_heads=HEADS,
        joint_attention_dim=HIDDEN,
    )
    with torch.no_grad():
        _begin(model)
    for part in (model.time_text_embed, model.img_in, model.norm_out, model.proj_out):
        part.requires_grad_(False)
    return model


def _begin(model: Any) -> None:
    last = model.time_text_embed.timestep_embedder.linear_2
    last.weight[TIMES:] = 0
    last.bias[TIMES:] = 0
    model.img_in.weight.zero_()
    model.img_in.bias.zero_()
    model.img_in.weight[:PATCH] = torch.diag(SIGNS) * CONTENT / GAIN
    model.img_in.bias[PATCH:] = torch.tensor([CONSTANT, -CONSTANT]).repeat((WIDTH - PATCH) // 2)
    for block in model.transformer_blocks:
        for modulation in (block.img_mod[1], block.txt_mod[1]):
            modulation.weight.zero_()
            modulation.bias.zero_()
            for gate in (2, 5):
                modulation.bias[gate * WIDTH : (gate + 1) * WIDTH] = 1
        for linear in (block.attn.to_out[0], block.img_mlp.net[2]):
            linear.weight.zero_()
            linear.bias.zero_()
    model.norm_out.linear.weight.zero_()
    model.norm_out.linear.bias.zero_()
    _look(model.transformer_blocks[0].attn)
    # Velocity is noise less picture; the norm before divides by the root of the mean square, most of which is constant.
    model.proj_out.weight.zero_()
    model.proj_out.bias.zero_()
    model.proj_out.weight[:, :PATCH] = -torch.diag(SIGNS) * GAIN * SIZE / CONTENT


def _look(attention: Any) -> None:
    """What the heads of the first block begin by looking at. Most look at the same spot one frame further, which is the
    source's, and add what is there; the next one at the words alone; the last one at the words the more, the further right."""
    own = HEAD * COPYING
    for norm in (attention.norm_q, attention.norm_k, attention.norm_added_q, attention.norm_added_k):
        norm.weight.fill_(1.0)
        for pair, size in {**dict.fromkeys(NEAR, SHARP), ACROSS: 1.73, STILL: 1.2}.items():
            norm.weight[2 * pair : 2 * pair + 2] = size
    copying, reading, sided = torch.zeros(3, 3, HEAD)  # each: the query, the key of a picture's token, the key of a word
    for pair in NEAR:
        copying[:2, 2 * pair] = 1
    copying[1, :2] = torch.tensor([math.cos(1), -math.sin(1)])  # a frame turns the first pair by 1
    reading[:, 2 * STILL] = torch.tensor([1.0, -1.0, 1.0])
    sided[0, [2 * ACROSS, 2 * STILL]] = 1
    sided[1, 2 * STILL] = 1
    sided[2, 2 * ACROSS] = 1
    for linear, kind in ((attention.to_q, 0), (attention.to_k, 1), (attention.add_k_proj, 2)):
        linear.weight *= 0.1
        linear.bias.copy_(torch.cat([copying[kind]] * COPYING + [reading[kind], sided[kind]]))
    for linear in (attention.to_v, attention.to_out[0]):
        linear.weight[:own] = 0
        linear.weight[:, :own] = 0
        linear.bias.zero_()
    attention.to_v.weight[:own, :own] = torch.eye(own) * SIZE
    attention.add_v_proj.weight[own:] *= 2
    attention.add_v_proj.bias[own + HEAD :] = 1
    attention.to_v.bias[own + HEAD :] = -1
    attention.to_out[0].weight.copy_(torch.eye(WIDTH))
    attention.to_out[0].weight[own:, own:] -= 1 / (WIDTH - own)  # normalisation takes means away: of pictures as well


def packed(values: Tensor) -> Tensor:
    """(batch, CHANNELS, height, width) to (batch, tokens, PATCH), as the pipeline does it."""
    from diffusers import QwenImageEditPlusPipeline

    return QwenImageEditPlusPipeline._pack_latents(values, len(values), CHANNELS, *values.shape[-2:])  # noqa: SLF001


def edited(model: nn.Module, noise: Tensor, source: Tensor, time: Tensor, words: tuple[Tensor, Tensor]) -> Tensor:
    """Velocity of the edited picture's tokens. `noise`: what there is of it at `time` (1 for nothing)."""
    return model(
        hidden_states=torch.cat([noise, source], 1),
        timestep=time,
        encoder_hidden_states=words[0],
        encoder_hidden_states_mask=words[1],
        img_shapes=[[(1, GRID, GRID), (1, GRID, GRID)]] * len(noise),
        return_dict=False,
    )[0][:, : noise.shape[1]]
