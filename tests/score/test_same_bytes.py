"""A row depends on what its chunk shows and asks, and on nothing that its rank judged before or failed to judge."""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import torch

from editbench.paths import TinyPaths
from editbench.score.worker import ScoreWorker

from .judges import PULSE

FURTHER = """
[questions.again]
images = ["source", "edited"]
criteria = ["likely"]
text.en = "Is that likely: {instruction}?"
[questions.alone]
images = ["edited"]
criteria = ["sound"]
when = "reference_text or category == 'causal'"
text.en = "Is it sound?"
[criteria.likely]
range = [1, 5]
[criteria.sound]
range = [0, 1]
"""
SETTINGS = {
    "generate": {"readout": "generate", "votes": 2, "temperature": 1.0, "max_new_tokens": 4},
    "expected": {"readout": "expected"},
}
CHUNKS = 6


@pytest.fixture
def rubric_text(short_rubric: str) -> str:
    """Several questions, some of which show the same pictures, and one that only some samples are asked."""
    return short_rubric.replace('score = "score"', 'score = "mean(all)"') + FURTHER


def judged(worker: ScoreWorker, order: Any) -> dict[int, bytes]:
    for item in order:
        worker.store(item, worker.compute(item, worker.prepare(item), PULSE), 1.0)
    return {item: worker._chunks.paths.chunk(item).read_bytes() for item in order}


@pytest.mark.parametrize("readout", [*SETTINGS])
@pytest.mark.parametrize(("name", "dtype"), [("judge", "float32"), ("judge_moe", "bfloat16")])
def test_a_chunk_is_the_same_first_or_last_or_once_more_or_after_memory_was_full(
    work: Any, checkpoints: TinyPaths, rubric_text: str, monkeypatch: pytest.MonkeyPatch, name: str, readout: str, dtype: str
) -> None:
    folder: Path = getattr(checkpoints, name)
    settings = {"rubric_text": rubric_text, "dtype": dtype, "batch_size": 2, "audit": 40, "max_pixels": 65_536}
    worker = work(folder, plan=range(CHUNKS), **settings, **SETTINGS[readout])
    assert len(worker._chunks) == CHUNKS
    first = judged(worker, range(CHUNKS))
    assert judged(worker, range(CHUNKS)[::-1]) == first
    worker._runner = Future()
    worker.load("cpu")
    cache = worker._runner.result().judge._prefix_cache
    with monkeypatch.context() as patch:
        patch.setattr(cache, "_forward", full)
        with pytest.raises(torch.OutOfMemoryError, match=r"^somebody else has it$"):
            judged(worker, [3])
    assert judged(worker, (3, 5, 0)) == {item: first[item] for item in (0, 3, 5)}


def full(*_: Any, **__: Any) -> None:
    raise torch.OutOfMemoryError("somebody else has it")
