"""What was worked out about pictures, kept by the picture objects themselves and for as long as these live.

Questions about a sample show the same pictures again: their patches, what the vision tower made of them, and the model's cache
behind them need not be made twice.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Generic, TypeVar

from PIL import Image

Value = TypeVar("Value")


class PerPictures(Generic[Value]):
    """A value for a run of pictures, gone with the first of them. Equal pictures are not the same pictures.

    Several threads may use it: each step is one operation of a dict.
    """

    def __init__(self) -> None:
        self._values: dict[tuple[int, ...], tuple[tuple[weakref.ref[Image.Image], ...], Value]] = {}

    def __len__(self) -> int:
        return len(self._values)

    def get(self, *pictures: Image.Image) -> Value | None:
        held, value = self._values.get(_key(pictures), ((), None))
        # An id is used again once its object is gone.
        same = bool(held) and all(ref() is picture for ref, picture in zip(held, pictures, strict=True))
        return value if same else None

    def put(self, value: Value, *pictures: Image.Image) -> None:
        if not pictures:
            return
        key, values = _key(pictures), self._values
        values[key] = (tuple(weakref.ref(picture, lambda _: values.pop(key, None)) for picture in pictures), value)

    def drop(self, *pictures: Image.Image) -> None:
        self._values.pop(_key(pictures), None)

    def clear(self) -> None:
        self._values.clear()


def _key(pictures: Sequence[Image.Image]) -> tuple[int, ...]:
    return tuple(map(id, pictures))
