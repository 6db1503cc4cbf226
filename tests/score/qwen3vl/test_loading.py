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
    about = {"device": torch.device(device), "dtype": torch.bfloat16}
    return SimpleNamespace(**about, config=model.config, set_experts_implementation=switch)


HOPPER, AMPERE = (9, 0), (8, 0)


@pytest.mark.parametrize(
    ("device", "capability", "rows", "wanted"),
    [
        ("cuda", HOPPER, 1, "batched_mm"),
        ("cuda", HOPPER, 2, "batched_mm"),
        ("cuda", HOPPER, 3, "grouped_mm"),
        ("cuda", AMPERE, 4, "batched_mm"),
        ("cuda", AMPERE, 5, "grouped_mm"),
        ("cpu", None, 1, "grouped_mm"),
    ],
)
def test_few_replies_on_a_gpu_are_written_with_other_experts(
    checkpoints: TinyPaths,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    capability: tuple[int, int] | None,
    rows: int,
    wanted: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    model = elsewhere(loading.load(checkpoints.judge_moe, CPU, torch.float32)[0], device, 16)
    text = model.config.text_config
    with loading.decoding_experts(model, rows):
        assert text._experts_implementation == wanted
    assert text._experts_implementation == "grouped_mm"


@pytest.mark.parametrize(
    ("capability", "dtype", "kernel"),
    [
        (HOPPER, torch.bfloat16, True),
        ((10, 0), torch.bfloat16, True),
        (HOPPER, torch.float16, False),
        (AMPERE, torch.bfloat16, False),
        ((8, 9), torch.bfloat16, False),
        ((12, 0), torch.bfloat16, False),
    ],
)
def test_where_torch_has_a_kernel_for_all_experts(capability: tuple[int, int], dtype: torch.dtype, kernel: bool) -> None:
    assert loading.has_grouped_kernel(capability, dtype) == kernel


@pytest.mark.parametrize(("capability", "told"), [(HOPPER, False), (AMPERE, True)])
def test_experts_that_run_one_after_the_other_are_told_of(
    checkpoints: TinyPaths, monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], told: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    (note,) = loading.experts(elsewhere(loading.load(checkpoints.judge_moe, CPU, torch.float32)[0], "cuda", 16))
    assert ("one expert after the other" in note, "batched_mm while few replies" in note) == (told, True)


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
