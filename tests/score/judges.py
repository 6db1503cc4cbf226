"""Judges that answer by the key, and what a rank makes of them."""

from __future__ import annotations

from typing import Any

import orjson

from editbench.fleet.worker import Pulse
from editbench.score.judge import Judge, JudgeSettings, Reply
from editbench.score.worker import ScoreWorker

PULSE = Pulse(step=lambda step, steps: None, ahead=lambda: None)
KEYS = ("physical", "environmental", "social", "causal", "referential")
ALL = {key: float(score) for score, key in enumerate(KEYS)}
"""The score of each sample by `Fixed`."""


class Fixed(Judge):
    """Judges by the key; `batches` are the keys of each batch it was given."""

    def __init__(self, settings: JudgeSettings) -> None:
        self.settings = settings
        self.batches: list[list[str]] = []
        self.replies = {key: Reply(f'{{"reason": "r", "score": {score}}}') for score, key in enumerate(KEYS)}

    def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
        self.batches.append([question.key for question in prepared])
        return [self.replies[question.key] for question in prepared]


class Drawing(Fixed):
    """Its score is a function of the seed."""

    def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
        return [Reply(f'{{"score": {seed % 11}}}') for seed in seeds]


class Both(Fixed):
    def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
        self.batches.append([(question.key, question.criteria[0].name, len(question.images)) for question in prepared])
        return [Reply(f'{{"{question.criteria[0].name}": 4}}') for question in prepared]


def rows(worker: ScoreWorker, item: int = 0) -> dict[str, dict[str, Any]]:
    """By key, what lies on disk once the item is through."""
    worker.store(item, worker.compute(item, worker.prepare(item), PULSE), 1.0)
    lines = worker._chunks.paths.chunk(item).read_bytes().splitlines()
    return {row["key"]: row for row in map(orjson.loads, lines)}
