from __future__ import annotations

import math
from pathlib import Path

import pytest

from editbench.benchmarks.benchmark import Benchmark
from editbench.edit import cost
from editbench.edit.settings import EditSettings
from editbench.models import Kind


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        (Kind.CONTROL, {}, "0"),
        (Kind.CLASS, {"steps": 4}, "1,000"),
        (Kind.FOLDER, {"steps": 4}, "4,000 (4 steps a sample)"),
        (Kind.FOLDER, {"steps": 4, "cfg": 2.5, "negative_prompt": " "}, "8,000 (4 steps and true CFG a sample)"),
        (Kind.FOLDER, {"steps": 4, "cfg": 1.0, "negative_prompt": " "}, "4,000 (4 steps a sample)"),
        (Kind.HUB, {"cfg": 2.5}, "1,000 times the model's own steps"),
    ],
)
def test_model_calls(kind: Kind, settings: dict, said: str) -> None:
    assert cost.model_calls(1000, kind, EditSettings(**settings)) == said


def test_bytes_are_those_of_the_inputs_and_of_as_many_pixels(benchmark: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Benchmark.open(benchmark)  # sources of 48 x 32; each member has a block of 512 bytes before it
    members = [span.size for stored in opened.stored[:4] for span in stored.spans.values()]
    inputs = sum(512 + math.ceil(size / 512) * 512 for size in members)
    monkeypatch.setattr(cost, "BYTES_A_PIXEL", 2.0)
    monkeypatch.setattr(cost, "LOOKED_AT", 2)
    assert cost.disk_bytes(opened, range(4), EditSettings(size="source")) == inputs + 4 * (512 + 2 * 48 * 32)
    assert cost.disk_bytes(opened, range(4), EditSettings(size="64x64")) == inputs + 4 * (512 + 2 * 64 * 64)
    assert cost.disk_bytes(opened, [], EditSettings()) == 0
