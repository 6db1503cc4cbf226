"""Which attention kernel is taken, and what happens where it can't run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers.models.attention_dispatch import AttentionBackendName, _AttentionBackendRegistry

from editbench.edit import attention
from editbench.errors import UserError


@pytest.fixture(autouse=True)
def _as_before():
    """diffusers keeps the kernel that was set last for all that is loaded later."""
    before = _AttentionBackendRegistry._active_backend
    yield
    _AttentionBackendRegistry.set_active_backend(before)


def kernels(editor: Any) -> set[str | None]:
    return {block.attn.processor._attention_backend for block in editor._pipeline.transformer.transformer_blocks}


def test_the_names_are_those_of_diffusers() -> None:
    assert set(attention.NAMES) == {name.value for name in AttentionBackendName}


def test_a_name_that_diffusers_does_not_know_is_refused() -> None:
    attention.check("auto")
    attention.check("_native_math")
    with pytest.raises(UserError, match="--attention fast is unknown") as error:
        attention.check("fast")
    assert "auto, native, _native_cudnn" in error.value.remedy


def test_a_kernel_that_is_asked_for_is_used_and_gives_the_same_picture(tiny_editor: Any, request_of: Any) -> None:
    plain, asked = tiny_editor(), tiny_editor(attention="_native_math")
    assert (plain.attention, kernels(plain)) == ("native", {None})
    assert (asked.attention, kernels(asked)) == ("_native_math", {AttentionBackendName._NATIVE_MATH})
    usual, other = (
        torch.frombuffer(bytearray(editor.edit(request_of(), lambda *_: None).image.tobytes()), dtype=torch.uint8).float()
        for editor in (plain, asked)
    )
    error = (usual - other).square().mean().clamp(min=1e-9)
    assert 10 * torch.log10(255**2 / error) >= 45  # dB


@pytest.mark.parametrize("name", ["_native_cudnn", "flash_hub", "sage"])
def test_a_kernel_that_can_not_run_here_is_told_before_the_first_sample(tiny_editor: Any, name: str) -> None:
    with pytest.raises(UserError, match=f"--attention {name} can't run here: .") as error:
        tiny_editor(attention=name)
    assert "--attention auto" in error.value.remedy


class Denoiser:
    def __init__(self, dtype: torch.dtype = torch.bfloat16, head: Any = 128) -> None:
        self.dtype, self.config = dtype, {"attention_head_dim": head}
        self.processor: Any = SimpleNamespace(_attention_backend=None)

    def modules(self) -> list[Denoiser]:
        return [self]

    def set_attention_backend(self, name: str) -> None:
        self.processor._attention_backend = name


def taken(monkeypatch: pytest.MonkeyPatch, capability: int, device: str = "cuda:0", runs: bool = True, **model: Any) -> str:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (capability, 0))
    monkeypatch.setattr(attention, "_failure", lambda *_: None if runs else "no such kernel")
    return attention.use(SimpleNamespace(transformer=Denoiser(**model)), "auto", device)


def test_on_hopper_auto_is_cudnns_kernel_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert taken(monkeypatch, 9) == "_native_cudnn"
    assert taken(monkeypatch, 9, runs=False) == "native"


@pytest.mark.parametrize(
    ("capability", "model"),
    [(8, {}), (10, {}), (9, {"dtype": torch.float32}), (9, {"head": 256}), (9, {"head": [64, 64]}), (9, {"device": "cpu"})],
)
def test_elsewhere_auto_leaves_it_to_torch(monkeypatch: pytest.MonkeyPatch, capability: int, model: dict[str, Any]) -> None:
    assert taken(monkeypatch, capability, **model) == "native"


def test_a_pipeline_without_a_model_to_tell_takes_auto_alone() -> None:
    unet = Denoiser()
    unet.processor = object()
    for pipeline in (SimpleNamespace(), SimpleNamespace(unet=unet)):
        assert attention.use(pipeline, "auto", "cpu") == "native"
        with pytest.raises(UserError, match="SimpleNamespace has no model that can be told"):
            attention.use(pipeline, "_native_math", "cpu")
