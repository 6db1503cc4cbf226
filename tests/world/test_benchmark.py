"""shards/world is whole, small, what its script makes, and made of what is kept for it alone."""

from __future__ import annotations

import hashlib
import runpy
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from editbench import images
from editbench.benchmarks.benchmark import Benchmark
from editbench.world.benchmark import samples
from editbench.world.chance import LATTICE, Chance, Pool
from editbench.world.colours import HELD_OUT, is_held_out
from editbench.world.editors import MOST_APART
from editbench.world.photographs import held_out
from editbench.world.task import CATEGORY

SHARDS = Path(__file__).parents[2] / "shards"


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    return Benchmark.open(SHARDS / "world")


def test_it_has_all_families_in_both_languages_and_two_questions_a_picture(benchmark: Benchmark) -> None:
    assert len(benchmark.samples) == 90
    assert Counter((sample.extra["family"], sample.language) for sample in benchmark.samples) == {
        (family, language): 3 for family in CATEGORY for language in ("en", "zh")
    }
    assert Counter(Counter(sample.group for sample in benchmark.samples).values()) == {2: 45}
    assert Counter(sample.category for sample in benchmark.samples) == dict.fromkeys(CATEGORY.values(), 18)


def test_it_is_small(benchmark: Benchmark) -> None:
    assert sum(path.stat().st_size for path in benchmark.root.iterdir()) < 3_000_000


def test_script_makes_what_is_there(benchmark: Benchmark, tmp_path: Path) -> None:
    runpy.run_path(str(SHARDS / "make_world.py"))["make"](tmp_path / "world")
    made = Benchmark.open(tmp_path / "world").samples
    # Another libjpeg gives other bytes of the pictures, and so another group.
    assert [{**sample.to_dict(), "group": ""} for sample in made] == [
        {**sample.to_dict(), "group": ""} for sample in benchmark.samples
    ]


def test_its_pictures_are_the_sources_that_the_truth_is_known_of(benchmark: Benchmark) -> None:
    for stored, sample in zip(benchmark.stored, samples(), strict=True):
        there = np.asarray(images.decode(stored.read("source.jpg"), stored.key), np.int16)
        assert stored.key == sample.id
        assert np.abs(there - np.asarray(sample.task.source.render())).mean() < MOST_APART / 2


def test_no_record_tells_what_became_of_an_edit(benchmark: Benchmark) -> None:
    for sample in benchmark.samples:
        assert sample.reference_text == ""
        assert sample.extra == {"family": sample.key.partition("-")[0]}


def test_places_shades_and_photographs_to_learn_from_are_not_those_of_the_benchmark() -> None:
    learning, kept = (Pool(held_out(), flag) for flag in (False, True))
    draw, ask = Chance(learning, "learn"), Chance(kept, "keep")
    assert {draw.between(0, 40) % LATTICE for _ in range(200)} == {0, 2, 3}
    assert {ask.between(0, 40) % LATTICE for _ in range(200)} == {1}
    for colour, shade in HELD_OUT.items():
        assert ask.shade(colour) == shade
        assert not any(is_held_out(draw.shade(colour)) for _ in range(100))


def test_nothing_of_the_benchmark_turns_up_in_lessons() -> None:
    pytest.importorskip("skimage")
    pytest.importorskip("torch")
    from editbench.world.training import lessons, photographs

    kept = {hashlib.sha256(photograph.tobytes()).hexdigest() for photograph in held_out()}
    assert not kept & {hashlib.sha256(photograph.tobytes()).hexdigest() for photograph in photographs.originals()}
    pool = Pool(photographs.originals(), held_out=False)
    groups = [*lessons.groups(pool, "test", 60, 4)]
    asked = {pair.instruction for group in groups for pair in group.pairs}
    shown = {hashlib.sha256(picture.tobytes()).hexdigest() for group in groups for picture in group.pictures}
    assert not asked & {sample.instruction for sample in samples()}
    assert not shown & {hashlib.sha256(sample.task.source.render().tobytes()).hexdigest() for sample in samples()}
