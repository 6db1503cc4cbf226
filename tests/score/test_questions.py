from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from editbench import images, shards
from editbench.edits import Entry
from editbench.records import Sample
from editbench.score import rubric
from editbench.score.items import JudgedItem, JudgedItems
from editbench.score.questions import QuestionBuilder
from editbench.score.settings import ScoreSettings

from .small_rubric import small

SIZES = {"source.png": (20, 10), "source2.png": (30, 30), "reference.png": (8, 8), "edited.png": (40, 40)}


@pytest.fixture
def item(tmp_path: Path) -> JudgedItem:
    """A sample with two source pictures and a reference."""
    path = tmp_path / "edits-00000.tar"
    shards.write_shard(path, [("k", {name: images.encode_png(Image.new("RGB", size)) for name, size in SIZES.items()})])
    sample = Sample(key="k", id="k", instruction="put the second into the first", category="physical", group="g")
    return JudgedItems.of([Entry(sample, shards.index(path)[0])], (), rubric.load("viescore")).samples[0]


def asked(item: JudgedItem, chosen: rubric.Rubric) -> dict[str, tuple[list[tuple[int, int]], str]]:
    """By question, the sizes of the pictures it shows and how its text begins."""
    groups, failures = QuestionBuilder(chosen, ScoreSettings()).build({0: item})
    assert not failures
    return {group.name: ([image.size for image in group.questions[0].images], group.questions[0].text[:9]) for group in groups}


def test_all_source_pictures_are_shown_before_the_edit_and_the_text_says_so(item: JudgedItem) -> None:
    assert asked(item, small())["edit"] == ([(20, 10), (30, 30), (40, 40)], "You see 3")


def test_the_edit_is_shown_at_the_size_of_the_first_source(item: JudgedItem) -> None:
    shown = asked(item, rubric.load("viescore"))
    assert shown["consistency"][0] == [(20, 10), (30, 30), (20, 10)]
    assert shown["quality"] == ([(20, 10)], "You see o")
