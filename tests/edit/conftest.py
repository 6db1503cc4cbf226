from __future__ import annotations

from collections.abc import Callable

import pytest
from PIL import Image

from editbench.edit.editor import Request


@pytest.fixture
def request_of() -> Callable[..., Request]:
    """A request to edit as many pictures as asked, each with a pattern of its own, or these `images`."""

    def make(
        pictures: int = 1,
        *,
        seed: int = 1,
        size: tuple[int, int] | None = (64, 48),
        square: bool = False,
        images: list[Image.Image] | None = None,
    ) -> Request:
        ramp = Image.linear_gradient("L").resize((64, 64 if square else 48))
        made = [Image.merge("RGB", (ramp, ramp.rotate(90 * turn), ramp)) for turn in range(1, pictures + 1)]
        return Request(images=images or made, instruction="make it snow", seed=seed, size=size)

    return make
