"""A batch of prompts as a family's processor makes it, padded on the left, and the same batch with more tokens behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from editbench.score.judge import Question

MASK, IDS = "attention_mask", "input_ids"


@dataclass(frozen=True, slots=True)
class PromptBatch:
    """`inputs`: of the model's `generate`; those of the shape of `input_ids`, (rows, columns), tell something of each token."""

    questions: Sequence[Question]
    inputs: Mapping[str, Tensor]
    pad_token_id: int

    @property
    def columns(self) -> int:
        return self.inputs[IDS].shape[1]

    def to(self, device: torch.device, dtype: torch.dtype) -> PromptBatch:
        """Pictures become `dtype`, as the model's weights are."""
        moved = {name: tensor.to(device, dtype if tensor.is_floating_point() else None) for name, tensor in self.inputs.items()}
        return PromptBatch(self.questions, moved, self.pad_token_id)

    def followed_by(self, token_ids: Sequence[Sequence[int]]) -> PromptBatch:
        """The batch with further text tokens behind each row's prompt, as many as the row has."""
        rows = [self.inputs[MASK][row].bool() for row in range(len(token_ids))]
        width = max(int(mask.sum()) + len(more) for mask, more in zip(rows, token_ids, strict=True))

        def extended(name: str, tensor: Tensor) -> Tensor:
            if tensor.shape != self.inputs[IDS].shape:
                return tensor
            longer = tensor.new_full((len(rows), width), self.pad_token_id if name == IDS else 0)
            for row, (mask, more) in enumerate(zip(rows, token_ids, strict=True)):
                values = list(more) if name == IDS else [int(name == MASK)] * len(more)
                own = torch.cat([tensor[row][mask], tensor.new_tensor(values)])
                longer[row, width - len(own) :] = own
            return longer

        inputs = {name: extended(name, tensor) for name, tensor in self.inputs.items()}
        return PromptBatch(self.questions, inputs, self.pad_token_id)
