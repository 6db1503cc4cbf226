"""A run of so many steps: a learning rate that rises and falls, a moving average of the weights, and a line now and then."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn

WARMUP = 50
"""Steps in which the learning rate rises; then it falls to 0 along a cosine."""
SHOWN = 50
"""Steps between two lines."""
AVERAGED = 0.98
"""Weight of what went before in the moving average of the weights, which is what is saved."""
_log = logging.getLogger("training")


class Schedule:
    """`rate`: the highest."""

    def __init__(self, model: nn.Module, optimizers: Sequence[torch.optim.Optimizer], rate: float, steps: int) -> None:
        self._model, self._optimizers, self._rate, self.steps = model, optimizers, rate, steps
        self._learned = [value for value in model.parameters() if value.requires_grad]
        self._average = {name: value.detach().clone() for name, value in model.named_parameters()}
        self._losses: list[float] = []
        self._start = time.monotonic()

    def step(self, loss: Tensor) -> bool:
        """Returns whether a line was shown."""
        loss.backward()
        self._share_gradients()
        nn.utils.clip_grad_norm_(self._learned, 1.0)
        done = len(self._losses)
        rate = self._rate * min(1.0, (done + 1) / WARMUP) * (0.5 + 0.5 * math.cos(math.pi * done / self.steps))
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad()
        with torch.no_grad():
            for name, value in self._model.named_parameters():
                self._average[name].lerp_(value, 1 - AVERAGED)
        self._losses.append(loss.item())
        if (done + 1) % SHOWN:
            return False
        _log.info("%5.0f s, step %d: %.5f", time.monotonic() - self._start, done + 1, sum(self._losses[-SHOWN:]) / SHOWN)
        return True

    def _share_gradients(self) -> None:
        """The mean over the processes, where there are several."""
        if not dist.is_initialized():
            return
        gradients = [value.grad for value in self._learned if value.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        sizes = [gradient.numel() for gradient in gradients]
        for gradient, part in zip(gradients, (flat / dist.get_world_size()).split(sizes), strict=True):
            gradient.copy_(part.view_as(gradient))

    def averaged(self) -> dict[str, Tensor]:
        """The model's state, with the moving average of its weights."""
        return self._model.state_dict() | self._average
