"""What is odd about an edit, seen without a model: a closed set of flags. A flagged edit stays an edit.

    identical   equals the source, or the source resized to the edit's size, to the eye: mean absolute difference under 1 level
                of 255 and no channel of a pixel off by 8 or more. (A source that went through a VAE and back is further off:
                this finds editors that did nothing at all.)
    uniform     one colour, usually black: no channel spans more than 2 levels
    nan         a value that is no finite number in the picture before it became 8 bits a channel (of a diffusers pipeline only
                NaN shows: it clamps infinite values itself)
    aspect      width / height more than 2 % off what was asked for

An edit of 1024 x 1024 takes 2 ms, 4 where its source has another size, and about 30 if it is a resized copy (one thread of a
2-core CPU):

    python -m timeit -s "from PIL import Image; from editbench.edit.sanity import flags
    noise = lambda n: Image.merge('RGB', [Image.effect_noise((n, n), 90) for _ in 'RGB'])
    edited, source = noise(1024), noise(1280)" "flags(edited, source, (1024, 1024), nan=False)"
"""

from __future__ import annotations

from PIL import Image, ImageChops, ImageStat

IDENTICAL, UNIFORM, NAN, ASPECT = "identical", "uniform", "nan", "aspect"
FLAGS = (ASPECT, IDENTICAL, NAN, UNIFORM)

MEAN, PEAK, SPAN = 1.0, 8, 2
"""In levels of 255."""
ASPECT_ERROR = 0.02
_RESAMPLING = (Image.Resampling.LANCZOS, Image.Resampling.BICUBIC, Image.Resampling.BILINEAR)
"""Their results differ by up to 50 levels on photographs: a resized copy is recognised by the one it was made with."""

Size = tuple[int, int]
"""(width, height) in pixels."""


def flags(edited: Image.Image, source: Image.Image, asked: Size | None, *, nan: bool, like_source: bool = False) -> list[str]:
    """Those of `FLAGS` that hold for an edit, sorted. Both pictures are RGB.

    `asked` is the size that was asked for, None when none was: the source's. With `like_source` it has the source's shape,
    rounded to what models take, and the source's own shape is as right. `nan`: whether the editor's picture had a value that is
    no finite number.
    """
    wanted = [asked or source.size, *([source.size] if like_source else [])]
    holds = {
        ASPECT: all(_off(edited.size, size) > ASPECT_ERROR for size in wanted),
        IDENTICAL: _identical(edited, source),
        NAN: nan,
        UNIFORM: all(high - low <= SPAN for low, high in ImageStat.Stat(edited).extrema),
    }
    return [name for name in FLAGS if holds[name]]


def _off(size: Size, wanted: Size) -> float:
    """Relative error of the aspect ratio."""
    return abs(size[0] * wanted[1] / (size[1] * wanted[0]) - 1)


def _identical(edited: Image.Image, source: Image.Image) -> bool:
    if edited.size == source.size:
        return _close(edited, source)
    return any(_is_resized(edited, source, resampling) for resampling in _RESAMPLING)


def _is_resized(edited: Image.Image, source: Image.Image, resampling: Image.Resampling) -> bool:
    """Resizing all of a picture takes 16 ms a megapixel, and a few rows in its middle mostly settle the question. Some pixels
    of rows resized by themselves come out otherwise (Pillow's box is of single precision), so that only their mean counts."""
    width, height = edited.size
    top, bottom = height // 2, height // 2 + max(1, height // 16)
    scale = source.height / height
    rows = source.resize((width, bottom - top), resampling, box=(0, top * scale, source.width, bottom * scale))
    if _difference(edited.crop((0, top, width, bottom)), rows)[0] > 2 * MEAN:
        return False
    return _close(edited, source.resize(edited.size, resampling))


def _close(one: Image.Image, other: Image.Image) -> bool:
    mean, peak = _difference(one, other)
    return mean < MEAN and peak < PEAK


def _difference(one: Image.Image, other: Image.Image) -> tuple[float, int]:
    """Mean and largest absolute difference over all pixels and channels, in levels."""
    levels = ImageStat.Stat(ImageChops.difference(one, other))
    return sum(levels.mean) / len(levels.mean), max(high for _, high in levels.extrema)
