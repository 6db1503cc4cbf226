"""Compiled blocks, by torch's tracer without the compiler behind it, which takes a minute on a CPU."""

from __future__ import annotations

from dataclasses import replace
from functools import partialmethod
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch._dynamo.exc import TorchDynamoException
from torch._dynamo.utils import counters

from editbench.edit import compilation
from editbench.edit.index import Index
from editbench.edit.settings import EditSettings
from editbench.errors import UserError
from editbench.fleet.run_options import RunOptions


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch):
    """Has modules compiled with the function `backend` in the compiler's place."""

    def use(backend: Any) -> None:
        monkeypatch.setattr(torch.nn.Module, "compile", partialmethod(torch.nn.Module.compile, backend=backend))

    torch._dynamo.reset()
    counters.clear()
    yield use
    torch._dynamo.reset()


def test_loading_compiles_once_for_all_sizes_and_the_picture_stays(traced: Any, tiny_editor: Any, request_of: Any) -> None:
    requests = [request_of(size=(64, 48)), request_of(2, size=(48, 80))]
    plain = tiny_editor(cfg=1.0)
    usual = [plain.edit(request, lambda *_: None).image.tobytes() for request in requests]
    traced("eager")
    editor = tiny_editor(cfg=1.0, compile=True)
    graphs = counters["stats"]["unique_graphs"]
    assert graphs > 0
    assert [editor.edit(request, lambda *_: None).image.tobytes() for request in requests] == usual
    assert counters["stats"]["unique_graphs"] == graphs
    assert not counters["graph_break"]


def test_a_machine_that_can_not_compile_says_so_before_the_first_sample() -> None:
    def edit(*_: Any) -> None:
        error = TorchDynamoException("backend='inductor' raised:")
        error.inner_exception = RuntimeError("no compiler found\nand more")
        raise error

    model = SimpleNamespace(set_attention_backend=None, compile_repeated_blocks=lambda **_: None)
    with pytest.raises(UserError, match=r"SimpleNamespace here: no compiler found$"):
        compilation.compile_blocks(SimpleNamespace(transformer=model), edit)


def test_a_pipeline_without_repeated_blocks_is_refused_before_the_start() -> None:
    without = Index(Path(), "OmniGenPipeline", {"transformer": ("diffusers", "OmniGenTransformer2DModel")}, {})
    with pytest.raises(UserError, match="OmniGenPipeline: diffusers names no repeated blocks of its model"):
        compilation.check(EditSettings(compile=True), without)
    compilation.check(EditSettings(), without)
    for name, model in {"transformer": "QwenImageTransformer2DModel", "unet": "UNet2DConditionModel"}.items():
        compilation.check(EditSettings(compile=True), replace(without, components={name: ("diffusers", model)}))


def test_the_first_rank_compiles_alone() -> None:
    asked, compiled = RunOptions(), EditSettings(compile=True)
    assert compilation.one_rank_first(asked, EditSettings(), 8).load_parallel == 0
    assert compilation.one_rank_first(asked, compiled, 8).load_parallel == 8
    assert compilation.one_rank_first(RunOptions(load_parallel=2), compiled, 8).load_parallel == 2
