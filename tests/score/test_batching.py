from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from editbench.edits import Edits
from editbench.score import batching, rubric
from editbench.score.items import JudgedItems
from editbench.score.settings import ScoreSettings

SETTINGS = ScoreSettings(dtype="float32", batch_size=None, batch_tokens=10_000)


def estimate(**settings: object) -> batching.TokenEstimate:
    return batching.TokenEstimate(rubric.load("five"), replace(SETTINGS, **settings))


def jpeg(size: tuple[int, int], profile: int = 0) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size).save(file, "JPEG", icc_profile=b"x" * profile)
    return file.getvalue()


@pytest.mark.parametrize(
    ("lengths", "starts"), [([], []), ([9], [0]), ([3, 3, 3, 3], [0, 3]), ([2, 2, 5, 1], [0, 2]), ([20, 1, 1, 20], [0, 1, 3])]
)
def test_a_run_stays_within_its_tokens_at_the_length_of_its_longest(lengths: list[int], starts: list[int]) -> None:
    assert batching.by_tokens(lengths, 10) == starts


@pytest.mark.parametrize(
    ("size", "tokens"), [((1024, 1024), 1024), ((2048, 2048), 1024), ((512, 512), 256), ((64, 64), 64), ((640, 360), 220)]
)
def test_a_picture_is_as_many_tokens_as_the_judge_shows_of_it(size: tuple[int, int], tokens: int) -> None:
    assert estimate().image_tokens(*size) == tokens


def test_an_item_takes_the_tokens_of_its_pictures_and_texts(make_edits: Callable[..., Path]) -> None:
    edits = Edits.open(
        make_edits(failed=("causal",), edited={"social": jpeg((640, 640)), "physical": jpeg((640, 640), 90_000)})
    )
    tokens = {
        item.sample.key: estimate().tokens(item) for item in JudgedItems.of(edits.entries, (), rubric.load("five")).samples
    }
    assert tokens["causal"] == 0
    assert tokens["social"] - tokens["environmental"] > 250
    assert tokens["physical"] > 500


def test_a_picture_that_cannot_be_read_counts_as_the_largest(make_edits: Callable[..., Path]) -> None:
    edits = Edits.open(make_edits(edited={"social": b"no picture"}))
    item = JudgedItems.of(edits.entries, (), rubric.load("five")).samples[2]
    assert estimate().tokens(item) > 1024 + 64


def test_chunks_follow_the_tokens_or_the_number(make_edits: Callable[..., Path]) -> None:
    chosen, edits = rubric.load("five"), Edits.open(make_edits())
    items = JudgedItems.of(edits.entries, edits.entries, chosen, percent=100)
    one = max(map(estimate().tokens, items))
    assert batching.starts(items, chosen, replace(SETTINGS, batch_tokens=one))[0] == [0, 1, 2, 3, 4]
    assert batching.starts(items, chosen, replace(SETTINGS, batch_tokens=5 * one))[0] == [0]
    assert batching.starts(items, chosen, ScoreSettings(batch_size=4)) == [[0, 4], [0, 4, 8, 12], [0, 4]]


@pytest.mark.parametrize(
    ("readout", "samples", "size"),
    [
        ("generate", 0, 1),
        ("generate", 5, 1),
        ("generate", 20, 3),
        ("generate", 57, 8),
        ("generate", 5_000, 8),
        ("expected", 20, 1),
        ("expected", 64, 1),
        ("expected", 65, 2),
        ("expected", 200, 4),
        ("expected", 449, 8),
        ("expected", 5_000, 8),
    ],
)
def test_few_samples_become_chunks_enough_for_several_gpus(readout: str, samples: int, size: int) -> None:
    assert batching.default_size(samples, ScoreSettings(readout=readout)) == size


def test_thoughts_are_written_too() -> None:
    assert batching.default_size(20, ScoreSettings(readout="expected", thinking_budget=64)) == 3
