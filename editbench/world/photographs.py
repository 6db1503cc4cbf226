"""The photographs of the committed benchmark; nothing is trained on them. Their credits are in shards/README.md."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

from PIL import Image

HELD_OUT = ("chelsea", "coffee", "gravel", "rocket")
"""By scikit-image's names."""


@lru_cache(maxsize=1)
def held_out() -> tuple[Image.Image, ...]:
    folder = resources.files("editbench.world").joinpath("photographs")
    photographs = []
    for name in HELD_OUT:
        with folder.joinpath(f"{name}.jpg").open("rb") as file, Image.open(file) as image:
            photographs.append(image.convert("RGB"))
    return tuple(photographs)
