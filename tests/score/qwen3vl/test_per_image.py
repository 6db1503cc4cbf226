from __future__ import annotations

from PIL import Image

from editbench.score.qwen3vl.per_image import ImageCache


def picture() -> Image.Image:
    return Image.new("RGB", (2, 2))


def test_a_value_is_that_of_the_very_pictures_in_their_order() -> None:
    first, second, kept = picture(), picture(), ImageCache[str]()
    kept.put("both", first, second)
    assert kept.get(first, second) == "both"
    assert kept.get(second, first) is kept.get(first) is kept.get(picture(), picture()) is kept.get() is None


def test_a_value_goes_with_the_first_of_its_pictures() -> None:
    first, second, kept = picture(), picture(), ImageCache[str]()
    kept.put("both", first, second)
    kept.put("one", second)
    del first
    assert len(kept) == 1
    assert kept.get(second) == "one"


def test_values_can_be_dropped_and_none_is_kept_about_no_pictures() -> None:
    one, kept = picture(), ImageCache[str]()
    kept.put("nothing")
    kept.put("one", one)
    kept.drop(one)
    kept.drop(one)
    assert len(kept) == 0
