"""Pictures as models want them: upright, 8-bit RGB, whatever the file holds.

Six formats are read, and no others: of the dozens that Pillow knows some start programs (EPS starts Ghostscript), and most have
never met a hostile file.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from editbench import files
from editbench.errors import UserError

# Of odd pictures Pillow tells on stderr, once a tag; what matters of it is raised.
warnings.filterwarnings("ignore", module=r"PIL\.")

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
"""As Pillow names them. Of a GIF the first frame is taken."""
LARGEST = 512 * 1024 * 1024
"""Bytes of a file; beyond it a picture has more pixels than Pillow takes anyway."""

UNREADABLE = (
    *(OSError, SyntaxError, ValueError, RuntimeError, TypeError, ArithmeticError, LookupError, EOFError, MemoryError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)
"""What Pillow's decoders raise on damaged files (found by changing bytes in files of all FORMATS)."""


def read(path: Path) -> bytes:
    """The bytes of a picture's file. Raises UserError when it is missing, no regular file, too large, or can't be read."""
    remedy = "Replace the picture."
    with files.opened(path, remedy) as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise UserError(f"{path} is larger than {LARGEST >> 20} MiB", remedy)
    return data


def decode(data: bytes, name: str) -> Image.Image:
    """The picture in `data` as upright 8-bit RGB of its own size.

    EXIF orientation is applied; transparency is laid over white; 16-bit grey is scaled to 8 bits (PIL's own conversion would
    clip it to white); palette, grey and CMYK pictures are converted. Of an animation the first frame is taken.

    Raises:
        UserError: not a picture, or cut short; `name` says which.
    """
    with _opened(data, name) as image:
        image.load()
        return _flatten(ImageOps.exif_transpose(image))


def size(data: bytes, name: str) -> tuple[int, int]:
    """(width, height) in pixels as displayed, from the header alone. Raises UserError as `decode` does."""
    with _opened(data, name) as image:
        width, height = image.size
        turned = image.getexif().get(0x0112, 1) >= 5
    return (height, width) if turned else (width, height)


def suffix(data: bytes, name: str) -> str | None:
    """`png`, `jpg` or `webp` when the picture can go into a shard as it is, None when it must be rewritten."""
    # Pillow calls a phone's JPEG with a second picture inside MPO; every JPEG reader reads its first one.
    names = {"PNG": "png", "JPEG": "jpg", "MPO": "jpg", "WEBP": "webp"}
    with _opened(data, name) as image:
        return names.get(image.format or "")


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[Image.Image]:
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            yield image
    except UnidentifiedImageError:
        raise UserError(f"{name} is not a picture ({', '.join(FORMATS)})", "Replace the picture.") from None
    except UNREADABLE as error:
        raise UserError(f"{name} is broken: {error}", "Replace the picture.") from None


def encode_png(image: Image.Image) -> bytes:
    """PNG at zlib level 1: 70 ms a megapixel where Pillow's default takes 263 (2-core CPU); somewhat larger."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def encode_jpeg(image: Image.Image, quality: int = 95) -> bytes:
    """JPEG with colour at full resolution; above quality 95 Pillow's documentation advises against it."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def _flatten(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return _from_deep(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _from_deep(image: Image.Image) -> Image.Image:
    """16-bit grey (modes I;16*, and I as older files decode) and float grey in 0..1 or 0..255."""
    values = np.asarray(image).astype(np.float64)
    scaled = values / 257 if image.mode != "F" else values * (255 if values.max(initial=0) <= 1 else 1)
    return Image.fromarray(np.clip(np.rint(scaled), 0, 255).astype(np.uint8), "L").convert("RGB")
