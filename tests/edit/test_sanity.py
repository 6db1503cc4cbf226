from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from editbench.edit.sanity import FLAGS, flags

Filter = Image.Resampling


def photo(width: int = 96, height: int = 64, *, seed: int = 0) -> Image.Image:
    """Smooth areas and hard edges, as a photograph has."""
    random = np.random.default_rng(seed)
    coarse, fine = (Image.fromarray(random.integers(0, 256, (*shape, 3), np.uint8)) for shape in ((8, 12), (64, 96)))
    blocks, clouds = coarse.resize((96, 64), Filter.NEAREST), fine.filter(ImageFilter.GaussianBlur(4))
    return Image.blend(blocks, clouds, 0.5).resize((width, height))


OTHER = photo(seed=1)


def of(edited: Image.Image, source: Image.Image, asked: tuple[int, int] | None = None, **more: bool) -> list[str]:
    return flags(edited, source, asked, **{"nan": False, **more})


def test_another_picture_has_no_flag() -> None:
    assert of(photo(), OTHER) == []
    assert of(photo(48, 32), OTHER, (48, 32)) == []


def test_the_source_itself_is_identical() -> None:
    source = photo()
    assert of(source.copy(), source) == ["identical"]
    assert of(source.point(lambda value: value + (value % 3 == 0)), source) == ["identical"]


@pytest.mark.parametrize("resampling", [Filter.LANCZOS, Filter.BICUBIC, Filter.BILINEAR])
@pytest.mark.parametrize("size", [(192, 128), (144, 96), (48, 32), (80, 53)])
def test_the_source_resized_is_identical_however_it_was_resized(resampling: Filter, size: tuple[int, int]) -> None:
    source = photo()
    assert of(source.resize(size, resampling), source, size) == ["identical"]


@pytest.mark.parametrize("size", [(96, 64), (192, 128)])
def test_a_small_change_is_a_change(size: tuple[int, int]) -> None:
    source = photo()
    edited = source.resize(size)
    edited.paste((255, 0, 255), (1, 1, 3, 3))
    assert of(edited, source, size) == []


def test_a_faint_change_all_over_is_a_change() -> None:
    source = photo()
    assert of(source.point(lambda value: value + 2 if value < 128 else value - 2), source) == []


@pytest.mark.parametrize("colour", ["black", "white", "teal"])
def test_one_colour_is_uniform(colour: str) -> None:
    edited = Image.new("RGB", (96, 64), colour)
    assert of(edited, OTHER) == ["uniform"]
    edited.paste((7, 7, 7), (0, 0, 1, 1))
    assert of(edited, OTHER) == []


def test_a_grey_ramp_is_not_uniform() -> None:
    assert of(Image.merge("RGB", [Image.linear_gradient("L").resize((96, 64))] * 3), OTHER) == []


def test_a_source_of_one_colour_that_comes_back_is_both() -> None:
    source = Image.new("RGB", (96, 64), "teal")
    assert of(source, source) == ["identical", "uniform"]


def test_nan_is_what_the_editor_says() -> None:
    assert of(photo(), OTHER, nan=True) == ["nan"]


@pytest.mark.parametrize(("size", "found"), [((96, 64), []), ((97, 64), []), ((99, 64), ["aspect"]), ((64, 96), ["aspect"])])
def test_the_shape_is_the_one_asked_for_or_else_the_sources(size: tuple[int, int], found: list[str]) -> None:
    assert of(photo(*size), OTHER.resize((30, 200)), (48, 32)) == found
    assert of(photo(*size), OTHER.resize((48, 32)), None) == found


def test_where_rounding_made_the_size_asked_for_the_sources_own_shape_is_as_right() -> None:
    source = OTHER.resize((100, 75))
    assert of(photo(100, 75), source, (96, 80)) == ["aspect"]
    for size in ((100, 75), (96, 80)):
        assert of(photo(*size), source, (96, 80), like_source=True) == []
    assert of(photo(100, 100), source, (96, 80), like_source=True) == ["aspect"]


def test_flags_come_sorted_and_from_a_closed_set() -> None:
    black = Image.new("RGB", (10, 90))
    assert of(black, Image.new("RGB", (90, 10)), (96, 64), nan=True) == list(FLAGS) == sorted(FLAGS)
