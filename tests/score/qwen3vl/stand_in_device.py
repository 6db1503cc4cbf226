"""An accelerator without data, on any machine: what the host asks of it is counted, and nothing is computed.

It is torch's `meta` device, whose tensors have a shape and no values, so that a model of any size fits. Where the host asks
whether a value is true, it is told 1; other ways to wait for the device (`tolist`, a copy, an index of truth values) raise, and
so do tensors of the host mixed with the device's, as on a real one.

>>> with counting() as count:
...     judge._prefix_cache.decode_step(cache, token_ids)
>>> count.launches, count.syncs
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

DEVICE = torch.device("meta")
_READING = {torch.ops.aten._local_scalar_dense.default, torch.ops.aten.is_nonzero.default, torch.ops.aten.item.default}


@dataclass(slots=True)
class Count:
    """By operation: those that the device runs, those that copy to the device, and those that the host waits for."""

    launches: Counter[str] = field(default_factory=Counter)
    uploads: Counter[str] = field(default_factory=Counter)
    syncs: Counter[str] = field(default_factory=Counter)


class _Counting(TorchDispatchMode):
    def __init__(self, count: Count) -> None:
        super().__init__()
        self._count = count

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        if func in _READING and inputs[0].device == DEVICE:
            self._count.syncs[str(func)] += 1
            return 1
        result = func(*args, **(kwargs or {}))
        outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        devices = {tensor.device for tensor in (*inputs, *outputs) if tensor.dim()}
        if len(devices) == 2:
            self._count.uploads[str(func)] += 1
        elif DEVICE in devices and _computes(func, inputs, outputs):
            self._count.launches[str(func)] += 1
        return result


class _CountingUploads(TorchFunctionMode):
    """Counts what becomes a tensor of the device from numbers of Python's, which no operation below shows."""

    def __init__(self, count: Count) -> None:
        super().__init__()
        self._count = count

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        made = func in (torch.tensor, torch.as_tensor) and torch.device(kwargs.get("device") or "cpu") == DEVICE
        indexed = func is Tensor.__getitem__ and args[0].device == DEVICE and _has_list(args[1])
        if made or indexed:
            self._count.uploads[func.__name__] += 1
        return func(*args, **kwargs)


def _has_list(index: Any) -> bool:
    return any(isinstance(part, list) for part in (index if isinstance(index, tuple) else (index,)))


def _computes(func: Any, inputs: list[Tensor], outputs: list[Tensor]) -> bool:
    """Whether an operation writes; a view does not."""
    known = {tensor.untyped_storage()._cdata for tensor in inputs}
    new = any(tensor.untyped_storage()._cdata not in known for tensor in outputs)
    return new or func._schema.is_mutable


@contextmanager
def counting() -> Iterator[Count]:
    count = Count()
    with torch.inference_mode(), _Counting(count), _CountingUploads(count):
        yield count
