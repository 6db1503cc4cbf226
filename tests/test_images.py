"""Pictures of every kind become upright 8-bit RGB with the right colours; broken ones are named."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from editbench import images
from editbench.errors import UserError

WHITE, BLACK, RED, BLUE = (255, 255, 255), (0, 0, 0), (255, 0, 0), (0, 0, 255)
ORIENTATION = 0x0112


def encode(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(data: bytes) -> list[tuple[int, int, int]]:
    image = images.decode(data, "x")
    assert image.mode == "RGB"
    return [tuple(pixel) for row in np.asarray(image).tolist() for pixel in row]


def row(mode: str, *values) -> Image.Image:
    image = Image.new(mode, (len(values), 1))
    for place, value in enumerate(values):
        image.putpixel((place, 0), value)
    return image


def palette(*colours) -> Image.Image:
    image = row("P", *range(len(colours)))
    image.putpalette([part for colour in colours for part in colour])
    return image


def deep(*values) -> Image.Image:
    return Image.fromarray(np.array([values], dtype=np.uint16))


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(encode(row("RGB", RED, BLUE)), [RED, BLUE], id="rgb"),
        pytest.param(encode(row("L", 0, 77)), [BLACK, (77, 77, 77)], id="grey"),
        pytest.param(encode(row("1", 0, 1)), [BLACK, WHITE], id="bilevel"),
        pytest.param(encode(row("RGBA", (*RED, 255), (*RED, 0))), [RED, WHITE], id="rgba-over-white"),
        pytest.param(encode(row("RGBA", (0, 0, 0, 51))), [(204, 204, 204)], id="rgba-partly"),
        pytest.param(encode(row("LA", (77, 255), (77, 0))), [(77, 77, 77), WHITE], id="grey-with-alpha"),
        pytest.param(encode(palette(RED, BLUE)), [RED, BLUE], id="palette"),
        pytest.param(encode(palette(RED, BLUE), transparency=1), [RED, WHITE], id="palette-with-transparency"),
        pytest.param(encode(row("RGB", RED, BLUE), transparency=BLUE), [RED, WHITE], id="rgb-with-transparent-colour"),
        pytest.param(encode(deep(0, 257, 25700, 65535)), [BLACK, (1,) * 3, (100,) * 3, WHITE], id="16-bit-grey"),
        pytest.param(encode(deep(0, 25700), "TIFF"), [BLACK, (100,) * 3], id="16-bit-tiff"),
        pytest.param(encode(row("F", 0.0, 1.0), "TIFF"), [BLACK, WHITE], id="float-of-0-to-1"),
        pytest.param(encode(row("CMYK", (0, 0, 0, 0), (0, 0, 0, 255)), "TIFF"), [WHITE, BLACK], id="cmyk"),
        pytest.param(encode(row("RGB", RED, BLUE), "BMP"), [RED, BLUE], id="bmp"),
        pytest.param(encode(row("RGB", RED, BLUE), "WEBP", lossless=True), [RED, BLUE], id="webp"),
    ],
)
def test_colours_survive_decoding(data, expected):
    assert pixels(data) == expected


def test_cmyk_jpeg_has_the_colours_it_shows():
    red = pixels(encode(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95))
    assert np.allclose(red, RED, atol=4)


def test_first_frame_of_an_animation_is_taken():
    frames = [Image.new("RGB", (1, 1), colour) for colour in (RED, BLUE)]
    assert pixels(encode(frames[0], "GIF", save_all=True, append_images=frames[1:])) == [RED]


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [(1, [RED, BLUE]), (2, [BLUE, RED]), (3, [BLUE, RED]), (6, [RED, BLUE]), (8, [BLUE, RED])],
)
def test_exif_orientation_is_applied(orientation, expected):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    data = encode(row("RGB", RED, BLUE), exif=exif)
    assert pixels(data) == expected
    assert images.size(data, "x") == images.decode(data, "x").size == ((1, 2) if orientation >= 5 else (2, 1))


def test_deep_grey_is_turned_too():
    exif = Image.Exif()
    exif[ORIENTATION] = 3
    assert pixels(encode(deep(0, 65535), exif=exif)) == [WHITE, BLACK]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
def test_truncated_picture_is_refused_by_name(kind):
    data = encode(NOISE, kind)
    with pytest.raises(UserError, match=r"cat\.png is broken"):
        images.decode(data[: len(data) // 2], "cat.png")


@pytest.mark.parametrize("data", [b"", b"<html>not found</html>", b"\x89PNG\r\n\x1a\n"])
@pytest.mark.parametrize("function", [images.decode, images.size, images.suffix])
def test_what_is_no_picture_is_refused_by_name(data, function):
    with pytest.raises(UserError, match=r"cat\.png is"):
        function(data, "cat.png")


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
@pytest.mark.parametrize("function", [images.decode, images.size, images.suffix])
def test_damage_never_raises_anything_but_a_user_error(kind, function):
    data, random = encode(NOISE, kind), np.random.default_rng(0)
    for _ in range(60):
        damaged = bytearray(data)
        for place in random.integers(0, min(len(data), 200), 4):
            damaged[place] = random.integers(256)
        try:
            function(bytes(damaged), "x")
        except UserError:
            continue


def test_picture_of_absurd_size_is_refused():
    header = bytearray(encode(Image.new("RGB", (1, 1)), "BMP"))
    header[18:26] = (100_000).to_bytes(4, "little") * 2
    for function in (images.decode, images.size, images.suffix):
        with pytest.raises(UserError, match="exceeds limit"):
            function(bytes(header), "x")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("PNG", "png"), ("JPEG", "jpg"), ("MPO", "jpg"), ("WEBP", "webp"), ("BMP", None), ("GIF", None), ("TIFF", None)],
)
def test_suffix_says_what_goes_into_a_shard_as_it_is(kind, expected):
    assert images.suffix(encode(NOISE, kind), "x") == expected


def test_png_encoding_is_lossless():
    assert np.array_equal(images.decode(images.encode_png(NOISE), "x"), NOISE)
