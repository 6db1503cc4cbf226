"""The KV cache behind which replies are decoded: buffers with room ahead, so that a step writes its own column and no more.

transformers' DynamicCache copies all keys and values each step: 260 MB for a row of 2,648 tokens of Qwen3-VL-30B-A3B (counted).
Its StaticCache has one size from the start, which a reply or a thought would have to be known for.

Within a step nothing is read back from the device or copied to it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer

BLOCK = 256
"""Columns by which the buffers grow, and of which they have a multiple: a kernel of masked attention wants one of 16."""
HOSTS = ("cpu",)
"""Kinds of device that run each operation as it comes: no value is waited for, and a mask may have any width."""


class _Layer(DynamicLayer):
    """Keys and values of a layer in buffers (rows, heads, capacity, head size)."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        """`keys`, `values`: of the prompts."""
        super().__init__()
        self.column: int | Tensor = keys.shape[2]
        """The column that `update` writes: a number, or for recorded steps one of the device, (1,)."""
        self.length = keys.shape[2]
        """Columns that attention sees."""
        room = BLOCK - self.length % BLOCK
        self.keys, self.values = _longer(keys, room), _longer(values, room)
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True

    def grow(self) -> None:
        self.keys = _longer(self.keys, BLOCK)
        self.values = _longer(self.values, BLOCK)

    def update(self, key_states: Tensor, value_states: Tensor, *_: object, **__: object) -> tuple[Tensor, Tensor]:
        if isinstance(self.column, Tensor):
            self.keys.index_copy_(2, self.column, key_states)
            self.values.index_copy_(2, self.column, value_states)
        else:  # index_copy_ sorts its indices where torch is told to be deterministic.
            self.keys[:, :, self.column] = key_states[:, :, 0]
            self.values[:, :, self.column] = value_states[:, :, 0]
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]

    def get_seq_length(self) -> int:
        return self.length


class DecodeCache(Cache):
    """Keys and values of a batch of prompts, and of the tokens that are decoded behind them.

    Attention sees the columns that there are. Where some of them are masked it sees the whole buffers on devices other than a
    CPU, since a mask of another width would be copied in each layer; the mask leaves out what is not written yet.

    A step that is recorded to be replayed reads nothing from the host that changes: until the buffers grow, every step has the
    same tensors, attention sees the whole buffers, and the column is a number of the device.
    """

    def __init__(self, cache: DynamicCache, attention_mask: Tensor, rope_deltas: Tensor, *, recordable: bool = False) -> None:
        """`cache`: of the prompts, which is emptied. `attention_mask`: (rows, columns) on the CPU, true where a column is the
        row's own. `rope_deltas`: (rows,) on the CPU, of the prompts. `recordable`: whether steps may be recorded."""
        keys = cache.layers[0].keys
        self._device = keys.device
        self.on_host = keys.device.type in HOSTS
        layers: list[_Layer] = []
        while cache.layers:  # One by one: the whole cache twice might not fit into memory.
            layer = cache.layers.pop(0)
            layers.append(_Layer(layer.keys, layer.values))
            del layer
        super().__init__(layers=layers)
        self._prompt_mask = attention_mask
        self.columns = attention_mask.shape[1]
        """Columns that are written: those of the prompts, and of the tokens decoded so far."""
        first = attention_mask.sum(1) + rope_deltas
        self._first_position_ids = first[None, :, None].expand(3, -1, -1).to(keys.device)
        self.position_ids = self._first_position_ids - 1
        """(3, rows, 1), of the tokens of this step."""
        self._mask = self._masked(attention_mask, keys.dtype)
        self._column = torch.tensor([self.columns - 1], device=self._device) if recordable else None
        self._attended = not recordable and bool(attention_mask.all())

    @property
    def capacity(self) -> int:
        """Columns of the buffers, which are other tensors after it has changed."""
        return self._mask.shape[3]

    @property
    def attention_mask(self) -> Tensor | None:
        """(rows, 1, 1, columns that attention sees), to be added: 0, or -inf where a column is not seen. None where all columns
        are: attention may take a quicker kernel."""
        return None if self._attended else self._mask[..., : self.layers[0].length]

    def advance(self) -> None:
        """Begin a step: the next token of each row has a new column."""
        self.position_ids += 1
        self._open_column()

    def branch(self, steps: Sequence[int]) -> None:
        """Begin a step in which each row's token stands where that of its step stood, `steps` counting from 0: it sees the
        prompt and what was decoded before. No step of `advance` may follow."""
        decoded = torch.arange(self.columns - self._prompt_mask.shape[1])
        before = decoded < torch.tensor(steps)[:, None]
        mask = torch.cat([self._prompt_mask, before], 1)
        self._attended = self._column is None and bool(mask.all())
        self.position_ids = self._first_position_ids + torch.tensor(steps, device=self._device)[None, :, None]
        self._mask = self._masked(mask, self._mask.dtype)
        self._open_column()

    def _open_column(self) -> None:
        if self.columns == self.capacity:
            self._grow()
        self._mask[..., self.columns].fill_(0)
        column = self.columns if self._column is None else self._column.add_(1)
        self.columns += 1
        growing = self._column is None and (self._attended or self.on_host)
        for layer in self.layers:
            layer.column, layer.length = column, self.columns if growing else self.capacity

    def _grow(self) -> None:
        self._mask = pad(self._mask, (0, BLOCK), value=-torch.inf)
        for layer in self.layers:
            layer.grow()

    def _masked(self, seen: Tensor, dtype: torch.dtype) -> Tensor:
        """The mask to be added, over the whole buffers, of columns that are seen: (rows, columns) to (rows, 1, 1, capacity)."""
        mask = pad(seen, (0, self.layers[0].keys.shape[2] - seen.shape[1]), value=False)
        added = torch.zeros(mask.shape, dtype=dtype).masked_fill_(~mask, -torch.inf)
        return added[:, None, None].to(self._device)


def _longer(tensor: Tensor, columns: int) -> Tensor:
    """With so many more columns: zeros, since attention multiplies also what it does not see."""
    return pad(tensor, (0, 0, 0, columns))
