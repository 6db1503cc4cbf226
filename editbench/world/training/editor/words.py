"""What the text encoder learns first: that its tokens, on average, tell what is asked. So the transformer has words to go by at
once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from editbench.world.chance import wordings
from editbench.world.colours import ZH
from editbench.world.referents import NOUNS
from editbench.world.training.editor.prompts import HIDDEN

SIDES = {"left": "left", "right": "right", "larger": "large", "bigger": "large", "smaller": "small", "little": "small"}
"""Words of the English phrases, and what they mean."""
REQUESTS = [name for name in wordings() if name != "endings"]
FIELDS: dict[str, list[str]] = {
    "request": REQUESTS,
    "which": ["", *dict.fromkeys(SIDES.values())],
    "noun": ["", *NOUNS],
    "colour": ["", *ZH],
}


def meant(meaning: Sequence[str]) -> list[int]:
    """Numbers of FIELDS. `meaning`: a request, and the phrases that fill it; the first names the thing that is meant."""
    request, *phrases = meaning
    thing = phrases[0].split() if phrases else []
    which = next((SIDES[word] for word in thing if word in SIDES), "")
    nouns = [noun for noun in NOUNS if phrases and noun in phrases[0]]
    noun = max(nouns, key=len, default="")  # a balloon is no ball
    colour = next((phrase for phrase in phrases if phrase in ZH), "")
    return [values.index(value) for values, value in zip(FIELDS.values(), (request, which, noun, colour), strict=True)]


class Reader(nn.Module):
    """Is thrown away."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(HIDDEN, len(values)) for values in FIELDS.values())

    def forward(self, words: tuple[Tensor, Tensor], wanted: Tensor) -> Tensor:
        """The loss. `wanted`: (batch, fields)."""
        hidden, mask = words
        mean = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        told = [head(mean) for head in self.heads]
        return torch.stack([functional.cross_entropy(one, wanted[:, number]) for number, one in enumerate(told)]).sum()
