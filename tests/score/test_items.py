"""Samples g0..g5, two a group, of which g4 has no edit."""

from __future__ import annotations

from pathlib import Path

from editbench.edits import Entry
from editbench.records import Sample
from editbench.score import rubric
from editbench.score.items import JudgedItem, JudgedItems
from editbench.shards import Span, Stored

from .small_rubric import SMALL

FIVE = rubric.load("five")
ALONE = rubric.parse(SMALL.replace('["source", "edited"]', '["edited"]'), "alone.toml")
MEMBERS = ("source.png", "source2.png", "edited.png", "reference.png")


def entry(number: int) -> Entry:
    key = f"g{number}"
    stored = Stored(key, Path("edits-00000.tar"), {member: Span(0, 0) for member in MEMBERS})
    sample = Sample(key=key, id=key, instruction="i", category="physical", group=f"group {number // 2}")
    return Entry(sample, None if number == 4 else stored)


ENTRIES = [entry(number) for number in range(6)]


def controls(percent: float, seed: int = 0, chosen: rubric.Rubric = FIVE) -> list[JudgedItem]:
    return [*JudgedItems.of(ENTRIES, (), chosen, percent=percent, seed=seed).controls]


def audited(percent: float, seed: int = 0) -> set[str]:
    return {item.sample.key for item in controls(percent, seed)}


def shown(item: JudgedItem) -> list[tuple[str, str, str]]:
    return [(kind, image.stored.key, image.member) for kind in item.images for image in item.images[kind]]


def of(kind: str, key: str) -> JudgedItem:
    return next(item for item in controls(100) if (item.audit, item.sample.key) == (kind, key))


def test_an_item_shows_all_pictures_of_its_sample() -> None:
    item = JudgedItems.of(ENTRIES, (), FIVE).samples[0]
    assert item.kinds == ("source", "source", "edited", "reference")
    assert JudgedItems.of(ENTRIES, (), FIVE).samples[4].images == {}


def test_a_larger_share_audits_the_same_samples_and_more() -> None:
    assert len(audited(1)) == 1
    assert audited(1) < audited(40) < audited(100) == {"g0", "g1", "g2", "g3", "g5"}
    assert not controls(0)


def test_another_seed_audits_others() -> None:
    assert len({frozenset(audited(20, seed)) for seed in range(20)}) > 1


def test_an_audited_sample_has_four_controls() -> None:
    assert sorted(item.audit for item in controls(1)) == ["repeat", "stranger", "swapped", "unedited"]


def test_the_source_stands_for_the_edit_or_changes_places_with_it() -> None:
    first, second, edited = [("g0", member) for member in MEMBERS[:3]]
    rest = ("reference", "g0", "reference.png")
    assert shown(of("unedited", "g0")) == [("source", *first), ("source", *second), ("edited", *first), rest]
    assert shown(of("swapped", "g0")) == [("source", *edited), ("source", *second), ("edited", *first), rest]
    assert of("repeat", "g0").images == JudgedItems.of(ENTRIES, (), FIVE).samples[0].images


def test_a_stranger_is_the_edit_of_another_group() -> None:
    for item in controls(100):
        (edited,) = item.images["edited"]
        if item.audit == "stranger":
            assert int(edited.stored.key[1]) // 2 != int(item.sample.key[1]) // 2
            assert edited.member == "edited.png"


def test_without_another_group_there_is_no_stranger() -> None:
    controls = JudgedItems.of(ENTRIES[:2], (), FIVE, percent=100).controls
    assert {item.audit for item in controls} == {"repeat", "swapped", "unedited"}


def test_nothing_is_swapped_that_no_question_compares() -> None:
    assert "swapped" not in {item.audit for item in controls(100, chosen=ALONE)}


def test_controls_keep_other_batches_than_their_samples() -> None:
    assert [item.index for item in controls(100)] != sorted(item.index for item in controls(100))


def test_anchors_come_last_and_are_named() -> None:
    items = [*JudgedItems.of(ENTRIES, ENTRIES[:1], FIVE)]
    assert (len(items), items[-1].name, items[-1].audit) == (7, "g0 (anchor)", "")
