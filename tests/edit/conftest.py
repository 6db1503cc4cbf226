from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from editbench.edit import editors
from editbench.edit.editor import Editor, Request
from editbench.edit.settings import EditSettings
from editbench.models import Kind, Model
from editbench.paths import TinyPaths


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


@pytest.fixture
def tiny_editor(checkpoints: TinyPaths, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Editor]:
    """The tiny editor with true CFG and other settings as asked; it sees its inputs at 64 x 64, so that a picture takes a
    moment."""
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus  # takes four seconds

    for name in ("CONDITION_IMAGE_SIZE", "VAE_IMAGE_SIZE"):
        monkeypatch.setattr(pipeline_qwenimage_edit_plus, name, 64 * 64)

    def make(**settings: Any) -> Editor:
        model = Model(Kind.FOLDER, "tiny", str(checkpoints.editor), {})
        return editors.load(
            model, "cpu", EditSettings(**{"steps": 2, "cfg": 4.0, "negative_prompt": " ", "dtype": "float32", **settings})
        )

    return make
