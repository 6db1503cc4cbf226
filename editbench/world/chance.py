"""What the small world is drawn from: photographs, places, shades and sentences, of which some are kept for the benchmark."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, TypeVar

from PIL import Image

from editbench.world.colours import HELD_OUT, JITTER, RGB, SHADES, is_held_out
from editbench.world.scene import Backdrop

Choice = TypeVar("Choice")

LATTICE = 4
"""Scenes of the benchmark have all their coordinates on every fourth pixel; scenes to learn from have none there."""
_SMALLEST = 0.55
"""Of a photograph's shorter side, the smallest piece that is taken."""


@dataclass(frozen=True, slots=True)
class Pool:
    """`held_out`: whether scenes have the places, shades and sentences of the committed benchmark, or only others."""

    photographs: Sequence[Image.Image]
    held_out: bool


class Chance:
    """Draws from a pool; the same seed draws the same."""

    def __init__(self, pool: Pool, seed: str) -> None:
        self._pool = pool
        self._random = random.Random(seed)

    def pick(self, choices: Sequence[Choice]) -> Choice:
        return self._random.choice(choices)

    def others(self, choices: Sequence[Choice], count: int, besides: Sequence[Choice] = ()) -> list[Choice]:
        """So many different ones, in any order."""
        return self._random.sample([choice for choice in choices if choice not in besides], count)

    def between(self, lowest: int, highest: int) -> int:
        """A coordinate or a length."""
        allowed = [value for value in range(lowest, highest + 1) if (value % LATTICE == 1) == self._pool.held_out]
        return self._random.choice(allowed)

    def shade(self, colour: str) -> RGB:
        if self._pool.held_out:
            return HELD_OUT[colour]
        while True:
            red, green, blue = (self._moved(tone) for tone in self.pick(SHADES[colour]))
            if not is_held_out((red, green, blue)):
                return red, green, blue

    def _moved(self, tone: int) -> int:
        return min(255, max(0, tone + self._random.randint(-JITTER, JITTER)))

    def backdrop(self, besides: Image.Image | None = None) -> Backdrop:
        """A piece of any photograph but one."""
        photograph = self.pick([image for image in self._pool.photographs if image is not besides])
        shorter = min(photograph.size)
        side = self._random.randint(int(shorter * _SMALLEST), shorter)
        x, y = (self._random.randint(0, length - side) for length in photograph.size)
        return Backdrop(photograph, x, y, side, mirrored=self._random.random() < 0.5)

    def sentence(self, request: str, language: str, phrases: Mapping[str, str]) -> str:
        """An instruction: `request` names a table of wordings.toml, `phrases` fill its sentences."""
        table = wordings()[request]
        text = self.pick((table["held_out"] if self._pool.held_out else table)[language]).format(**phrases)
        return f"{text[0].upper()}{text[1:]}{self.pick(wordings()['endings'][language])}"


@lru_cache(maxsize=1)
def wordings() -> dict[str, Any]:
    return tomllib.loads(resources.files("editbench.world").joinpath("wordings.toml").read_text("utf-8"))
