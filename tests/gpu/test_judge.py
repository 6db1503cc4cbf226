"""The script for people with a GPU, run on a CPU; and what it holds to be a floor."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from editbench.paths import TinyPaths


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_judge", Path(__file__).with_name("judge.py"))
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


judge = script()


def test_it_measures_a_shape(checkpoints: TinyPaths) -> None:
    figures = judge.of_shape(checkpoints.judge, "tiny", judge.TINY)
    for readout in ("expected", "generate"):
        assert [entry["batch"] for entry in figures[readout]] == [1, 2]
        assert all(entry["pairs_a_second"] > 0 < entry["share_of_floor"] for entry in figures[readout])
        assert all(entry["prepare_cpu_s"] > 0 for entry in figures[readout])
        assert all(entry["ratio"] > 0 for entry in figures[f"{readout}_sharing"])
    assert [{*entry} for entry in figures["decode_step"]] == 2 * [{"batch", "step_ms"}]
    assert all(entry["grouped_mm"] > 0 < entry["batched_mm"] for entry in figures["experts_whole_batch_s"])


def test_it_compares_captured_steps_with_plain_ones(checkpoints: TinyPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = judge.random_judge(checkpoints.judge, "tiny", judge.TINY, "generate")
    monkeypatch.setattr(judge.cuda_graph, "captured", lambda step: step)
    assert judge.decode_graph(loaded, judge.TINY, 2)["equal"]


def test_a_batch_that_does_not_fit_is_said_to_be_too_large(checkpoints: TinyPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise judge.torch.OutOfMemoryError

    loaded = judge.random_judge(checkpoints.judge, "tiny", judge.TINY, "expected")
    assert judge._or_too_large(full, loaded, judge.TINY, 4) == {"batch": 4, "too_large": True}


@pytest.mark.parametrize(("shape", "tera"), [("30b-a3b", 28.6), ("8b", 50.4)])
def test_operations_are_counted_by_hand(shape: str, tera: float) -> None:
    shaped = judge.config(shape)
    assert judge.operations(shaped, [4096, 4096], 2648) / 1e12 == pytest.approx(tera, abs=0.1)
    assert judge.operations(shaped, [4096, 4096], 2648, ahead=2050) < judge.operations(shaped, [], 2648)
