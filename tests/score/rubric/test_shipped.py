from __future__ import annotations

import re

import pytest

from editbench.records import READOUTS
from editbench.score import rubric

from ..small_rubric import make, text

FIVE = rubric.load("five")
FIVE_CATEGORIES = ("physical", "environmental", "social", "causal", "referential")


@pytest.mark.parametrize("name", rubric.names())
def test_shipped_rubrics_load_under_their_own_name(name: str) -> None:
    assert rubric.load(name).name == name


def test_five_has_its_five_categories_in_both_languages() -> None:
    assert FIVE.categories == FIVE_CATEGORIES
    assert [FIVE.canonical_category(name) for name in ("物理", "环境", "社会", "因果", "指代")] == list(FIVE_CATEGORIES)
    assert (FIVE.scale, FIVE.questions[0].images) == ((0, 10), ("source", "edited"))


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("category", FIVE_CATEGORIES)
@pytest.mark.parametrize(("language", "images"), [("en", ("Image 1", "Image 2")), ("zh", ("图1", "图2"))])
def test_five_renders_whole(category: str, language: str, images: tuple[str, str], readout: str) -> None:
    asked = text(FIVE, make(category, "Turn it", reference_text="Turned"), language, readout)
    assert all(image in FIVE.questions[0].prompt_texts[language].guidance[category] for image in images)
    assert "Turn it" in asked
    assert "Turned" in asked
    assert not re.search(r"\{\s*\w+\s*\}", asked)


@pytest.mark.parametrize("category", FIVE_CATEGORIES)
@pytest.mark.parametrize(("language", "level"), [("en", "- {}: "), ("zh", "- {}分：")])
def test_five_anchors_every_level(category: str, language: str, level: str) -> None:
    guidance = FIVE.questions[0].prompt_texts[language].guidance[category]
    assert all(level.format(score) in guidance for score in (0, 3, 5, 8, 10))


def test_five_asks_for_the_reason_before_the_score() -> None:
    form = FIVE.questions[0].prompt_texts["en"].forms["generate"].fill({})
    assert 0 < form.index('"reason"') < form.index('"score"')
