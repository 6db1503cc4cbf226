"""What was computed of images, kept by the image objects themselves and for as long as these live.

Questions about a sample show the same images again: their patches, what the vision tower made of them, and the model's cache
behind them need not be computed twice.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Generic, TypeVar

from PIL import Image

Value = TypeVar("Value")


class ImageCache(Generic[Value]):
    """A value for a sequence of images, gone with the first of them. Equal images are not the same images.

    Several threads may use it: each step is one operation of a dict.
    """

    def __init__(self) -> None:
        self._values: dict[tuple[int, ...], tuple[tuple[weakref.ref[Image.Image], ...], Value]] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, *images: Image.Image) -> Value | None:
        """The value of these images in this order; None where there is none."""
        references, value = self._values.get(_key(images), ((), None))
        # An id is used again once its object is gone.
        same = bool(references) and all(ref() is image for ref, image in zip(references, images, strict=True))
        return value if same else None

    def put(self, value: Value, *images: Image.Image) -> None:
        """Keep a value; that of no images is not kept."""
        if not images:
            return
        key, values = _key(images), self._values
        values[key] = (tuple(weakref.ref(image, lambda _: values.pop(key, None)) for image in images), value)

    def drop(self, *images: Image.Image) -> None:
        self._values.pop(_key(images), None)

    def clear(self) -> None:
        self._values.clear()


def _key(images: Sequence[Image.Image]) -> tuple[int, ...]:
    return tuple(map(id, images))
