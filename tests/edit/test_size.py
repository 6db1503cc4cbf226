from __future__ import annotations

import pytest

from editbench.edit.size import keeps_shape, parse
from editbench.errors import UserError


@pytest.mark.parametrize(
    ("text", "source", "size"),
    [
        ("source", (640, 480), (640, 480)),
        ("source", (641, 471), (640, 464)),
        ("source", (3, 2000), (16, 2000)),
        ("512x384", (9, 9), (512, 384)),
        ("512X390", (9, 9), (512, 384)),
        ("16x16", (9, 9), (16, 16)),
        ("1048576", (512, 512), (1024, 1024)),
        ("1048576", (1920, 1080), (1376, 768)),
        ("1048576", (1080, 1920), (768, 1376)),
        ("65536", (300, 200), (320, 224)),
        ("1024", (1000, 10), (320, 32)),
    ],
)
def test_a_size_is_the_sources_an_area_or_fixed(text: str, source: tuple[int, int], size: tuple[int, int]) -> None:
    assert parse(text)(source) == size


@pytest.mark.parametrize(
    "text",
    [
        *("", "big", "0", "1023", "-1048576", "1e6", "512x", "x512", "512x384x3", "0x0", "15x512", "1048576.0", " source"),
        *("9" * 5000, f"512x{'9' * 5000}"),  # more digits than Python makes a number of
    ],
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is no size"):
        parse(text)


def test_an_area_gives_the_size_that_the_pipeline_would_choose() -> None:
    from diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus import calculate_dimensions

    sources = [(width, height) for width in range(100, 2100, 173) for height in range(100, 2100, 211)]
    for width, height in sources:
        assert parse("1048576")((width, height)) == calculate_dimensions(1024 * 1024, width / height)[:2]


@pytest.mark.parametrize(("text", "size"), [("source", (640, 448)), ("500x400", (512, 384)), ("65536", (320, 192))])
def test_sizes_are_multiples_of_what_the_model_takes(text: str, size: tuple[int, int]) -> None:
    assert parse(text, 64)((650, 430)) == size


def test_a_size_can_be_left_to_the_pipeline() -> None:
    assert parse("pipeline")((640, 480)) is None


@pytest.mark.parametrize(("text", "keeps"), [("source", True), ("1048576", True), ("512x512", False), ("512X512", False)])
def test_only_width_and_height_give_an_edit_another_shape(text: str, keeps: bool) -> None:
    assert keeps_shape(text) == keeps
