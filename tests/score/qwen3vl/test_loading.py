from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from editbench.paths import TinyPaths
from editbench.score.qwen3vl import loading

CPU = torch.device("cpu")


@pytest.mark.parametrize(("name", "experts"), [("judge", []), ("judge_moe", ["experts: grouped_mm"])])
def test_notes_say_how_it_runs_where_there_is_a_choice(checkpoints: TinyPaths, name: str, experts: list[str]) -> None:
    model, notes = loading.load(getattr(checkpoints, name), CPU, torch.float32)
    assert (notes, loading.experts(model)) == ([], experts)
    implementations, note = loading.attention(model.config, torch.device("cuda"), torch.float32)
    assert (implementations["vision_config"], note) == ("sdpa", "attention: pictures sdpa, text sdpa")


def elsewhere(model: Any, device: str, experts: int) -> SimpleNamespace:
    """The model as one on another device, with so many experts of which two answer a token."""
    text = model.config.text_config
    text.num_experts = experts
    switch = model.set_experts_implementation
    return SimpleNamespace(device=torch.device(device), config=model.config, set_experts_implementation=switch)


@pytest.mark.parametrize(
    ("device", "rows", "wanted"),
    [("cuda", 1, "batched_mm"), ("cuda", 2, "batched_mm"), ("cuda", 3, "grouped_mm"), ("cpu", 1, "grouped_mm")],
)
def test_few_replies_on_a_gpu_are_written_with_other_experts(
    checkpoints: TinyPaths, device: str, rows: int, wanted: str
) -> None:
    model = elsewhere(loading.load(checkpoints.judge_moe, CPU, torch.float32)[0], device, 16)
    text = model.config.text_config
    with loading.decoding_experts(model, rows):
        assert text._experts_implementation == wanted
    assert text._experts_implementation == "grouped_mm"


def test_a_judge_without_experts_is_left_as_it_is(checkpoints: TinyPaths) -> None:
    model, _ = loading.load(checkpoints.judge, CPU, torch.float32)
    with loading.decoding_experts(SimpleNamespace(device=torch.device("cuda"), config=model.config), 1):
        assert not hasattr(model.config.text_config, "num_experts")


def flash(result: Any) -> ModuleType:
    module = ModuleType("flash_attn")

    def attend(states: torch.Tensor, *_: Any) -> torch.Tensor:
        if isinstance(result, Exception):
            raise result
        return states + result

    module.flash_attn_varlen_func = attend
    return module


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        (None, "ModuleNotFoundError"),
        (flash(0.0), ""),
        (flash(float("nan")), "not numbers"),
        (flash(RuntimeError("only supports Ampere GPUs or newer")), "RuntimeError: only supports Ampere"),
    ],
)
def test_flash_attention_is_tried(monkeypatch: pytest.MonkeyPatch, module: ModuleType | None, problem: str) -> None:
    monkeypatch.setitem(sys.modules, "flash_attn", module)
    message = loading.flash_problem(CPU, torch.float32, 8)
    assert (problem in message) if problem else not message
