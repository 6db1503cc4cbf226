"""A stand-in for an accelerator, on a CPU build of torch.

Tensors say they are on another device and hold their data on the CPU. So it shows without a GPU that no operation mixes devices
(one that does raises, as it would), and counts what a GPU has to wait for: reads of the host (`.item()`, `.tolist()`, copies,
indexing by a mask), uploads, and all operations. Of its time it tells nothing.

    move(module)
    with Mode(), counting() as count:
        ...
    count.reads, count.uploads, count.operations    how often, by name

It changes torch for the whole process: run it in one of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "stand_in"
_setup_privateuseone_for_python_backend(NAME)
DEVICE = torch.device(NAME, 0)

READS = {
    f"aten::{name}"
    for name in ("_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "_unique2", "unique_consecutive")
}
MASKED = {"aten::index", "aten::index_put", "aten::index_put_"}
MIXED = {"aten::copy_", "aten::_index_put_impl_", "aten::_unsafe_index", *MASKED}
"""Operations that take tensors of the host beside those of the device."""


@dataclass(slots=True)
class Count:
    reads: Counter[str] = field(default_factory=Counter)
    uploads: Counter[str] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)


_counts: list[Count] = []


@contextmanager
def counting() -> Iterator[Count]:
    _counts.append(Count())
    try:
        yield _counts[-1]
    finally:
        _counts.pop()


def _note(kind: str, name: str) -> None:
    for count in _counts:
        getattr(count, kind)[name] += 1


class OnDevice(torch.Tensor):
    @staticmethod
    def __new__(cls, held: torch.Tensor) -> OnDevice:
        shape = {"strides": held.stride(), "storage_offset": held.storage_offset(), "dtype": held.dtype}
        made = torch.Tensor._make_wrapper_subclass(cls, held.size(), device=DEVICE, requires_grad=False, **shape)
        made.held = held
        return made

    def __repr__(self, *_: Any, **__: Any) -> str:
        return f"OnDevice({tuple(self.shape)}, {self.dtype})"

    def tolist(self) -> Any:
        _note("reads", "tolist")
        return self.held.tolist()

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise TypeError("can't convert a tensor of a device to numpy")

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class Mode(TorchDispatchMode):
    """Sees the operations that have no tensor of the device, as `torch.zeros(device=DEVICE)` has none."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def move(module: torch.nn.Module) -> None:
    for part in module.modules():
        for name, value in part._parameters.items():
            if value is not None:
                part._parameters[name] = torch.nn.Parameter(OnDevice(value.data), requires_grad=False)
        for name, value in part._buffers.items():
            if value is not None:
                part._buffers[name] = OnDevice(value)


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name, tensors = func._schema.name, [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    ours = [tensor for tensor in tensors if isinstance(tensor, OnDevice)]
    asked = kwargs.get("device")
    there = bool(ours) if asked is None else torch.device(asked).type == NAME
    if not (there or ours):
        return func(*args, **kwargs)
    if name == "aten::copy_":
        there = isinstance(args[0], OnDevice)
    if ours and name not in MIXED and any(tensor.dim() for tensor in tensors if not isinstance(tensor, OnDevice)):
        raise RuntimeError(f"{name}: tensors of the device and of the host")
    _note_kind(name, args, ours, there=there)
    plain = {**kwargs, **({"device": "cpu"} if "device" in kwargs else {})}
    plain.pop("pin_memory", None)
    result = func(*tree_map(_held, args), **tree_map(_held, plain))
    if name == "aten::_to_copy" and result is _held(args[0]):
        result = result.clone()
    same = {id(tensor.held): tensor for tensor in ours}  # an operation in place gives back what it was given
    return tree_map(lambda each: _wrapped(each, same) if there else each, result)


def _wrapped(value: Any, same: dict[int, OnDevice]) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    return same[id(value)] if id(value) in same else OnDevice(value)


def _note_kind(name: str, args: Any, ours: list[OnDevice], *, there: bool) -> None:
    copies = name in ("aten::_to_copy", "aten::copy_")
    source = args[-1] if name == "aten::copy_" else args[0] if args else None
    if copies and isinstance(source, OnDevice) != there:
        _note("uploads" if there else "reads", name)
    elif name in READS or (name in MASKED and any(_is_mask(index) for index in args[1])):
        _note("reads", name)
    elif name in MASKED and any(isinstance(index, torch.Tensor) and not isinstance(index, OnDevice) for index in args[1]):
        _note("uploads", name)
    if there or ours:
        _note("operations", name)


def _is_mask(index: Any) -> bool:
    return isinstance(index, OnDevice) and index.dtype == torch.bool


def _held(value: Any) -> Any:
    return value.held if isinstance(value, OnDevice) else value


def _attention(plain: Callable[..., torch.Tensor]) -> Callable[..., Any]:
    """Attention as one kernel, as on a GPU; by its parts it would round otherwise."""

    def attention(*args: Any, **kwargs: Any) -> Any:
        tensors = [each for each in (*args, *kwargs.values()) if isinstance(each, torch.Tensor)]
        if not any(isinstance(each, OnDevice) for each in tensors):
            return plain(*args, **kwargs)
        if not all(isinstance(each, OnDevice) for each in tensors):
            raise RuntimeError("attention: tensors of the device and of the host")
        _note("operations", "attention")
        return OnDevice(plain(*map(_held, args), **tree_map(_held, kwargs)))

    return attention


def _maker(plain: Callable[..., torch.Tensor]) -> Callable[..., Any]:
    """`torch.tensor` and `as_tensor`, which no dispatch sees."""

    def make(data: Any, *args: Any, device: Any = None, **kwargs: Any) -> Any:
        if device is None or torch.device(device).type != NAME:
            return plain(data, *args, device=device, **kwargs)
        if isinstance(data, OnDevice):
            return data
        _note("uploads", plain.__name__)
        return OnDevice(plain(data, *args, **kwargs))

    return make


torch.nn.functional.scaled_dot_product_attention = _attention(torch.nn.functional.scaled_dot_product_attention)
torch.tensor, torch.as_tensor = _maker(torch.tensor), _maker(torch.as_tensor)
