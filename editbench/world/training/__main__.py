"""Train the small world's judge, on the CPU:

    torchrun --nproc-per-node 2 -m editbench.world.training OUT

OUT/state.pt holds all that is needed to go on: the same command goes on where it stopped. OUT/judge is the judge so far, as
transformers saves it. A step is one batch a process; gradients are averaged over the processes.

The judge that the package has is what this command made, from nothing, in 102 minutes on two of four cores that others used as
well. What it learns beside the answers is what gets it there: without the last three losses an earlier judge stood still from
step 2,500 on. Its accuracy is in shards/README.md.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import torch
import torch.distributed as dist
import typer
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from editbench.world.training.data import HARDER_FROM, Lessons
from editbench.world.training.network import Batch, Learner, Sizes

_log = logging.getLogger("training")

LOCATING = 4.0
"""Weight of the middles of what was meant and of what changed."""
WARMUP = 100
"""Steps in which the learning rate rises."""
SEEING, SEEING_LATER = 4.0, 1.5
"""Weight of what is seen beside the answers, up to HARDER_FROM and from there on; it falls as the learning rate does. With 1 in
place of 4, the loss of the answers after 1,000 steps of 16 pairs was 2.9 instead of 2.4."""
COOLING = 0.3
"""Share of the steps, at the end, in which it falls to 0."""
AVERAGED = 0.999
"""Weight of what went before in the moving average of the weights, which is what is saved as the judge."""
SAVE_EVERY = 500
REPORT_EVERY = 50


def main(
    out: Annotated[Path, typer.Argument(help="Folder of the run.")],
    steps: Annotated[int, typer.Option(help="How long; the learning rate falls over the last of them.")] = 6_900,
    groups: Annotated[int, typer.Option(help="Source pictures a step and process.")] = 4,
    pairs: Annotated[int, typer.Option(help="Edits of each.")] = 4,
    rate: Annotated[float, typer.Option(help="Highest learning rate.")] = 3e-3,
    seed: Annotated[int, typer.Option(help="Of the weights and the lessons.")] = 0,
    stop: Annotated[int | None, typer.Option(help="Stop after this step; the same command without it goes on.")] = None,
    compiled: Annotated[bool, typer.Option(help="Compile the language model; needs a C++ compiler.")] = True,
) -> None:
    torch.set_num_threads(1)  # one process a core: two threads wait for each other where cores are shared
    dist.init_process_group("gloo", timeout=timedelta(hours=2))
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(message)s")
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    run = Run(out, rate)
    if compiled:
        run.learner.compile()
    _log.info("%s parameters, from step %d", sum(value.numel() for value in run.learner.net.parameters()), run.step)
    lessons = Lessons(run.learner.sizes, str(seed), dist.get_rank(), run.step, min(steps, stop or steps), groups, pairs)
    for batch in DataLoader(lessons, batch_size=None, num_workers=1, prefetch_factor=4):
        run.learn(batch, steps)
    run.save()
    dist.destroy_process_group()


class Run:
    """The state of a training, that of an earlier start in `out` if there is one."""

    def __init__(self, out: Path, rate: float) -> None:
        self._out = out
        self.learner = Learner(Sizes())
        self.step = 0
        self._optimizers = _optimizers(self.learner, rate)
        self._rates = [[group["lr"] for group in optimizer.param_groups] for optimizer in self._optimizers]
        self._average = {name: value.detach().clone() for name, value in self.learner.net.named_parameters()}
        self._losses: list[Tensor] = []
        self._since = time.monotonic()
        if (out / STATE).is_file():
            self._resume(torch.load(out / STATE, weights_only=True))

    def learn(self, batch: Batch, steps: int) -> None:
        factor = schedule(self.step, steps)
        for optimizer, rates in zip(self._optimizers, self._rates, strict=True):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * factor
        parts = losses(self.learner, batch)
        seeing = SEEING if self.step < HARDER_FROM else SEEING_LATER
        total = parts[0] + factor * (seeing * parts[1] + LOCATING * parts[2] + parts[3] + parts[4])
        total.backward()
        self._shared_gradients()
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad()
        self.step += 1
        self._follow()
        self._losses.append(torch.stack(parts).detach())
        if self.step % REPORT_EVERY == 0:
            self._report()
        if self.step % SAVE_EVERY == 0:
            self.save()

    def save(self) -> None:
        if dist.get_rank():
            return
        state = {"step": self.step, "learner": self.learner.state_dict(), "average": self._average}
        state |= {"optimizers": [optimizer.state_dict() for optimizer in self._optimizers]}
        torch.save(state, self._out / f"{STATE}.tmp")
        os.replace(self._out / f"{STATE}.tmp", self._out / STATE)
        current = {name: value.detach().clone() for name, value in self._average.items()}
        self._exchange(current)
        self.learner.save(self._out / "judge")
        self._exchange(current)

    def _exchange(self, values: dict[str, Tensor]) -> None:
        """Swap the weights with `values`."""
        for name, value in self.learner.net.named_parameters():
            held = value.detach().clone()
            value.data.copy_(values[name])
            values[name] = held

    def _resume(self, state: dict[str, Any]) -> None:
        self.step, self._average = state["step"], state["average"]
        self.learner.load_state_dict(state["learner"])
        for optimizer, values in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(values)

    def _shared_gradients(self) -> None:
        """The mean over the processes, of a norm of at most 1."""
        gradients = [value.grad for value in self.learner.parameters() if value.grad is not None]
        flat = torch.cat([grad.flatten() for grad in gradients])
        dist.all_reduce(flat)
        flat /= dist.get_world_size()
        flat *= min(1.0, 1.0 / (flat.norm().item() + 1e-6))
        for grad, part in zip(gradients, flat.split([grad.numel() for grad in gradients]), strict=True):
            grad.copy_(part.view_as(grad))

    @torch.no_grad()
    def _follow(self) -> None:
        share = min(AVERAGED, self.step / (self.step + 20))
        for name, value in self.learner.net.named_parameters():
            self._average[name].lerp_(value, 1 - share)

    def _report(self) -> None:
        values = torch.stack(self._losses).mean(0).tolist()
        pace = (time.monotonic() - self._since) / len(self._losses)
        self._losses, self._since = [], time.monotonic()
        if not dist.get_rank():
            means = ", ".join(f"{name} {value:.4f}" for name, value in zip(LOSSES, values, strict=True))
            _log.info("step %d: %s, %.2f s a step", self.step, means, pace)


STATE = "state.pt"


def schedule(step: int, steps: int) -> float:
    """The learning rate of a step as a share of the highest: up, level, down."""
    return min(1.0, (step + 1) / WARMUP, max(0.0, (steps - step) / (COOLING * steps)))


LOSSES = ("answers", "seen", "located", "thing", "change")


def losses(learner: Learner, batch: Batch) -> list[Tensor]:
    """Of the answers, summed over a row's tokens; and of what the thrown away parts tell."""
    with torch.autocast("cpu", torch.bfloat16):
        logits, seen, centres, matched = learner(batch)
    labels = batch.labels[batch.labels >= 0]
    answers = functional.cross_entropy(logits.float(), labels, reduction="sum") / len(batch.tokens)
    share = functional.binary_cross_entropy_with_logits(seen[..., 0].float(), batch.seen[..., 0])
    colours = functional.mse_loss(seen[..., 1:].float(), batch.seen[..., 1:])
    known = batch.matched[:, 0] >= 0
    matches = functional.binary_cross_entropy_with_logits(matched[known].float(), batch.matched[known], reduction="none")
    return [answers, share + colours, functional.mse_loss(centres.float(), batch.centres), *matches.mean(0)]


def _optimizers(learner: Learner, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices within the network, which took half the steps of AdamW to the same loss; AdamW for the rest."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, value in learner.named_parameters():
        inner = value.ndim == 2 and not any(part in name for part in ("embed", "seer", "locator", "matcher"))
        (matrices if inner else others).append(value)
    return [
        torch.optim.Muon(matrices, lr=rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.98), weight_decay=0.01),
    ]


if __name__ == "__main__":
    typer.run(main)
