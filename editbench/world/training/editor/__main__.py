"""Train the small world's editor, on the CPU. Each command leaves a file in OUT and reads those of the ones before:

    python -m editbench.world.training.editor pairs OUT
    python -m editbench.world.training.editor decoder OUT
    python -m editbench.world.training.editor words OUT
    torchrun --nproc-per-node 2 -m editbench.world.training.editor edit OUT
    python -m editbench.world.training.editor write OUT FOLDER

FOLDER is then what the package has as world/editor: a QwenImageEditPlusPipeline as diffusers saves it, its weights compressed.

The editor that the package has is what these commands made, on cores that others used as well: the pairs in half a minute, the
decoder in 11, the text encoder in one, the transformer in 40 on two cores. What it can do is in shards/README.md.
"""

from __future__ import annotations

import logging
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.distributed as dist
import typer
from torch import Tensor, nn
from torch.nn import functional

from editbench.world.training.editor import autoencoder, checkpoint, network, pairs
from editbench.world.training.editor.prompts import Prompts
from editbench.world.training.editor.schedule import Schedule
from editbench.world.training.editor.words import Reader, meant

EASY = ("ground", "season", "outside")
FAMILIES = (*EASY, *EASY, "recolour", "same", "traffic", "fill", "mood", "flag", "lamp")
"""In turn. Of the others a right edit shows what no source does: what is behind a thing."""
PIECE = 160
"""Pixels of a picture's piece that the decoder learns from, either way."""
NOISE = 0.05
"""Of latents, the most that the decoder is to see past."""
FROM_NOTHING = 0.7
"""Of the edits, how many are learned from noise alone: where every edit begins, and with one step ends."""
CHANGED = 1e-4
"""Mean square, in pixels' -1..1, from which a token is to change."""

Out = Annotated[Path, typer.Argument(help="Folder of the run.")]
Steps = Annotated[int, typer.Option(help="How long.")]
Batch = Annotated[int, typer.Option(help="Pairs a step.")]
Rate = Annotated[float, typer.Option(help="Highest learning rate.")]
Seed = Annotated[int, typer.Option(help="Of what is drawn.")]
app = typer.Typer()


@app.callback()
def main(threads: int = 1) -> None:
    torch.set_num_threads(threads)
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")


@app.command("pairs")
def make_pairs(out: Out, count: int = 6000, seed: str = "editor") -> None:
    pairs.write(out / checkpoint.PAIRS, seed, count, FAMILIES)


@app.command()
def decoder(out: Out, steps: Steps = 2150, batch: Batch = 4, rate: Rate = 1.5e-3, seed: Seed = 0) -> None:
    torch.manual_seed(seed)
    known, draw = pairs.read(out / checkpoint.PAIRS), np.random.default_rng(seed)
    model = autoencoder.autoencoder().decoder
    learned = autoencoder.trained(model)
    run = Schedule(model, [torch.optim.AdamW(learned, betas=(0.9, 0.98), weight_decay=0.01)], rate, steps)
    with autoencoder.still():
        for _ in range(steps):
            pictures = _picture(known.pictures[draw.integers(0, len(known), batch), draw.integers(0, 2, batch)])
            row, column = draw.integers(0, (pictures.shape[-1] - PIECE) // 32 + 1, 2) * 32
            pictures = pictures[:, :, row : row + PIECE, column : column + PIECE]
            values = autoencoder.latents(functional.avg_pool2d(pictures, 2))
            values = values + NOISE * torch.randn_like(values) * torch.rand(batch, 1, 1, 1)
            run.step((autoencoder.decoded(model, values) - pictures).abs().mean())
    torch.save(run.averaged(), out / checkpoint.DECODER)


@app.command()
def words(out: Out, steps: Steps = 300, batch: Batch = 32, rate: Rate = 2e-3, seed: Seed = 0) -> None:
    torch.manual_seed(seed)
    known, draw = pairs.read(out / checkpoint.PAIRS), np.random.default_rng(seed)
    parts = checkpoint.parts()
    prompts, reader = Prompts(parts.processor, parts.text_encoder), Reader()
    model = nn.ModuleDict({"encoder": parts.text_encoder, "reader": reader})
    learned = [value for value in model.parameters() if value.requires_grad]
    run = Schedule(model, [torch.optim.AdamW(learned, betas=(0.9, 0.98), weight_decay=0.01)], rate, steps)
    for _ in range(steps):
        asked = [known.asked[number] for number in draw.integers(0, len(known), batch)]
        wanted = torch.tensor([meant(one.meaning) for one in asked])
        run.step(reader(prompts(_sentences(asked, draw)), wanted))
    torch.save(parts.text_encoder.state_dict(), out / checkpoint.WORDS)


@app.command()
def edit(out: Out, steps: Steps = 2800, batch: Batch = 8, rate: Rate = 8e-4, inside: float = 3.0, seed: Seed = 0) -> None:
    """`inside`: weight of what is to change, where that of the rest is 1."""
    torch.manual_seed(seed)
    rank = _join()
    known, draw = pairs.read(out / checkpoint.PAIRS), np.random.default_rng([seed, rank])
    parts = checkpoint.parts()
    parts.text_encoder.load_state_dict(torch.load(out / checkpoint.WORDS, weights_only=True))
    model = nn.ModuleDict({"transformer": parts.transformer, "text_encoder": parts.text_encoder})
    torch.manual_seed(seed + rank)
    prompts = Prompts(parts.processor, parts.text_encoder)
    run = Schedule(model, _optimizers(model), rate, steps)
    parts.transformer.compile(dynamic=False)
    for _ in range(steps):
        numbers = draw.integers(0, len(known), batch)
        source, right = (_tokens(known.pictures[numbers, which]) for which in (0, 1))
        asked = prompts(_sentences([known.asked[number] for number in numbers], draw))
        wrong = _wrong(parts.transformer, source, right, asked)
        weight = 1 + (inside - 1) * ((right - source).square().mean(-1) > CHANGED)
        if run.step((wrong * weight).sum() / weight.sum()) and rank == 0:
            torch.save(run.averaged(), out / checkpoint.EDITOR)
    if rank == 0:
        torch.save(run.averaged(), out / checkpoint.EDITOR)


@app.command()
def write(out: Out, folder: Annotated[Path, typer.Argument(help="Where the pipeline goes.")]) -> None:
    checkpoint.write(out, folder)


def _join() -> int:
    """This process's rank among those that torchrun started; without it, 0."""
    if not dist.is_torchelastic_launched():
        return 0
    dist.init_process_group("gloo", timeout=timedelta(hours=1))
    return dist.get_rank()


def _wrong(transformer: nn.Module, source: Tensor, right: Tensor, asked: tuple[Tensor, Tensor]) -> Tensor:
    """(batch, tokens): the mean square of what is wrong with a token, in pixels' -1..1."""
    gain, noise = autoencoder.GAIN, torch.randn_like(right)
    time = torch.where(torch.rand(len(right)) < FROM_NOTHING, 1.0, torch.rand(len(right)))
    noisy = torch.lerp(right * gain, noise, time[:, None, None])
    velocity = network.edited(transformer, noisy, source * gain, time, asked)
    return (velocity / gain - (noise / gain - right)).square().mean(-1)


def _optimizers(model: nn.Module) -> list[torch.optim.Optimizer]:
    """Muon for the matrices within the transformer; AdamW for the rest."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, value in model.named_parameters():
        inner = value.ndim == 2 and "transformer_blocks" in name and "_mod" not in name
        if value.requires_grad:
            (matrices if inner else others).append(value)
    return [
        torch.optim.Muon(matrices, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.01),
    ]


def _sentences(asked: list[pairs.Asked], draw: np.random.Generator) -> list[str]:
    return [one.sentences[draw.integers(len(one.sentences))] for one in asked]


def _picture(pixels: np.ndarray) -> Tensor:
    """(batch, height, width, 3), bytes, to (batch, 3, height, width) in -1..1."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


def _tokens(pixels: np.ndarray) -> Tensor:
    return network.packed(autoencoder.latents(functional.avg_pool2d(_picture(pixels), 2)))


if __name__ == "__main__":
    app()
