"""Photographs to learn from: none of the benchmark's, few and much changed, so that a judge learns no photograph by heart."""

from __future__ import annotations

import random
from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter

NAMES = ("astronaut", "brick", "camera", "cell", "clock", "grass", "hubble_deep_field", "retina")
"""By scikit-image's names; each is CC0 or in the public domain."""
SIDE = 448
"""Pixels of a photograph's longer side."""
NOISE_SIDE = 320
POOL = 48
"""Photographs at a time."""

Array = np.ndarray


def pool(seed: str) -> list[Image.Image]:
    chance = random.Random(seed)
    return [_photograph(chance) for _ in range(POOL)]


@lru_cache(maxsize=1)
def originals() -> tuple[Image.Image, ...]:
    from skimage import data

    images = [Image.fromarray(getattr(data, name)()).convert("RGB") for name in NAMES]
    for image in images:
        image.thumbnail((SIDE, SIDE))
    return tuple(images)


def _photograph(chance: random.Random) -> Image.Image:
    kind = chance.random()
    if kind < 0.2:
        return _noise(chance)
    image = chance.choice(originals())
    if kind < 0.45:
        other = _noise(chance) if kind < 0.35 else chance.choice(originals())
        image = Image.blend(image, other.resize(image.size), chance.uniform(0.25, 0.65))
    if chance.random() < 0.3:
        image = image.transpose(chance.choice([*Image.Transpose]))
    if chance.random() < 0.2:
        image = image.filter(ImageFilter.GaussianBlur(chance.uniform(0.5, 3)))
    return image if chance.random() < 0.25 else _recoloured(chance, image)


def _noise(chance: random.Random) -> Image.Image:
    """Layers of random colours, coarse to fine, smooth or in squares."""
    image = Image.new("RGB", (NOISE_SIDE, NOISE_SIDE), (128, 128, 128))
    for cells in chance.sample((2, 3, 5, 8, 13, 24, 60), 3):
        values = Image.frombytes("RGB", (cells, cells), chance.randbytes(cells * cells * 3))
        filtering = Image.Resampling.NEAREST if chance.random() < 0.3 else Image.Resampling.BICUBIC
        image = Image.blend(image, values.resize(image.size, filtering), chance.uniform(0.3, 0.7))
    return image


def _recoloured(chance: random.Random, image: Image.Image) -> Image.Image:
    values = np.asarray(image, np.float32) / 255
    kind = chance.random()
    if kind < 0.3:
        values = values[..., chance.sample(range(3), 3)]
    elif kind < 0.6:  # grey, as a ramp between two colours
        dark, light = (np.array([chance.random() for _ in range(3)], np.float32) for _ in range(2))
        values = dark + (light - dark) * values.mean(-1, keepdims=True)
    if chance.random() < 0.2:
        values = 1 - values
    gamma = np.array([chance.uniform(0.6, 1.6) for _ in range(3)], np.float32)
    values = (values**gamma - 0.5) * chance.uniform(0.5, 1.3) + 0.5 + chance.uniform(-0.15, 0.15)
    return Image.fromarray((values.clip(0, 1) * 255).astype(np.uint8))
