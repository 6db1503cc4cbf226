"""Pictures as a served judge gets them: of the size that the in-process judge would make them, as data URLs."""

from __future__ import annotations

import base64
import math

from PIL import Image

from editbench import images
from editbench.score.batching import PATCH


def fitted_size(width: int, height: int, least: int, most: int) -> tuple[int, int]:
    """(width, height) in pixels, multiples of 32 with an area of `least` to `most` pixels and about the same shape.

    As Qwen3-VL's image processor does it (`smart_resize` in transformers), so that a server which does the same leaves the
    picture as it is.
    """
    fitted = [max(round(side / PATCH), 1) * PATCH for side in (width, height)]
    area = fitted[0] * fitted[1]
    if area > most:
        scale = math.sqrt(width * height / most)
        fitted = [max(math.floor(side / scale / PATCH), 1) * PATCH for side in (width, height)]
    elif area < least:
        scale = math.sqrt(least / (width * height))
        fitted = [math.ceil(side * scale / PATCH) * PATCH for side in (width, height)]
    return fitted[0], fitted[1]


def data_url(image: Image.Image, least: int, most: int, jpeg_quality: int | None) -> str:
    """The picture, scaled, as PNG or as JPEG of that quality."""
    size = fitted_size(*image.size, least, most)
    scaled = image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)
    data = images.encode_png(scaled) if jpeg_quality is None else images.encode_jpeg(scaled, jpeg_quality)
    kind = "png" if jpeg_quality is None else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
