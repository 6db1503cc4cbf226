from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from editbench.errors import UserError
from editbench.report.render.html import thumbnails


def photograph(kind: str, size: tuple[int, int], **options: object) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (size[1] // 8, size[0] // 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).resize(size).save(buffer, kind, **options)
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_longer_side_gets_the_edge(kind: str) -> None:
    made = opened(thumbnails.encode(photograph(kind, (800, 400)), "a", 320))
    assert (made.format, made.size) == ("WEBP", (320, 160))


def test_a_small_picture_is_not_enlarged() -> None:
    assert opened(thumbnails.encode(photograph("PNG", (64, 48)), "a", 320)).size == (64, 48)


def test_a_reduced_jpeg_is_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    assert opened(thumbnails.encode(photograph("JPEG", (1600, 800), exif=exif), "a", 320)).size == (160, 320)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_cut_short_is_named(kind: str) -> None:
    data = photograph(kind, (800, 400))
    with pytest.raises(UserError, match=r"k\.edited\.png"):
        thumbnails.encode(data[: len(data) // 2], "k.edited.png", 320)
