"""Decode steps as a CUDA graph: the host launches one graph a step in place of some 2,000 kernels.

A step launches so little work for each kernel that the device waits for the host. A graph is the same kernels with the same
arguments, so it gives the same bits as the steps that it was captured from.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from editbench.score.qwen3vl.decode_cache import DecodeCache

Step = Callable[[DecodeCache, Tensor], Tensor]
"""Takes a cache whose step has begun and the token ids of all rows, (rows,); gives logits (rows, vocabulary)."""


class CapturedSteps:
    """Runs `step` with one `cache`, which is recordable. The logits that a call gives are overwritten by the next call.

    Where the buffers of the cache are new, the first step runs as it is: libraries load their kernels at the first use, which
    they can't within a capture. The second one is captured, and replayed until the buffers grow.
    """

    def __init__(self, step: Step, cache: DecodeCache) -> None:
        self._step, self._cache = step, cache
        self._capacity = 0
        self._token_ids = torch.empty(0)
        self._replay: Callable[[], Tensor] | None = None

    def __call__(self, token_ids: Tensor) -> Tensor:
        self._cache.advance()
        if self._cache.capacity != self._capacity:
            self._capacity, self._replay, self._token_ids = self._cache.capacity, None, token_ids.clone()
            return self._step(self._cache, token_ids)
        self._token_ids.copy_(token_ids)
        if self._replay is None:
            self._replay = captured(lambda: self._step(self._cache, self._token_ids))
        return self._replay()


def captured(step: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """What replays `step`, which is captured and not run. It reads and writes the tensors that `step` did."""
    graph = torch.cuda.CUDAGraph()
    # Other threads prepare and write meanwhile; what they ask of the driver is no part of the step.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        logits = step()

    def replay() -> Tensor:
        graph.replay()
        return logits

    return replay
