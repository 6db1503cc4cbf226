from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from editbench import images, shards
from editbench.edits import Entry
from editbench.records import Sample
from editbench.score import rubric
from editbench.score.items import Case, Cases
from editbench.score.questions import Exhibits
from editbench.score.settings import ScoreSettings

from .small_rubric import small

SIZES = {"source.png": (20, 10), "source2.png": (30, 30), "reference.png": (8, 8), "edited.png": (40, 40)}


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """A sample with two source pictures and a reference."""
    path = tmp_path / "edits-00000.tar"
    shards.write_shard(path, [("k", {name: images.encode_png(Image.new("RGB", size)) for name, size in SIZES.items()})])
    sample = Sample(key="k", id="k", instruction="put the second into the first", category="physical", group="g")
    return Cases.of([Entry(sample, shards.index(path)[0])], (), rubric.load("viescore")).samples[0]


def asked(case: Case, chosen: rubric.Rubric) -> dict[str, tuple[list[tuple[int, int]], str]]:
    """By question, the sizes of the pictures it shows and how its text begins."""
    parts, broken = Exhibits(chosen, ScoreSettings()).questions({0: case})
    assert not broken
    return {name: ([image.size for image in one[0].images], one[0].text[:9]) for name, one in parts}


def test_all_source_pictures_are_shown_before_the_edit_and_the_text_says_so(case: Case) -> None:
    assert asked(case, small())["edit"] == ([(20, 10), (30, 30), (40, 40)], "You see 3")


def test_the_edit_is_shown_at_the_size_of_the_first_source(case: Case) -> None:
    found = asked(case, rubric.load("viescore"))
    assert found["consistency"][0] == [(20, 10), (30, 30), (20, 10)]
    assert found["quality"] == ([(20, 10)], "You see o")
