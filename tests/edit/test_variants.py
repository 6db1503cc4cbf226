"""LoRAs, schedulers, quantized and offloaded weights on the tiny editor, which sees its inputs at 64 x 64."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from editbench.edit import editors, memory, offload, quantization, variants
from editbench.edit.editor import Request
from editbench.edit.settings import EditSettings
from editbench.errors import UserError
from editbench.foreign_paths import LoraPaths
from editbench.models import Kind, Model
from editbench.paths import TinyPaths

Edit = Callable[..., bytes]


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a LoRA of the tiny editor."""
    return write_lora(tmp_path_factory.mktemp("lora"), ["transformer_blocks.0.attn.to_q", "transformer_blocks.1.attn.to_v"])


def write_lora(folder: Path, layers: list[str], size: int = 32) -> Path:
    draw = np.random.default_rng(0).standard_normal
    tensors = {f"transformer.{layer}.lora_A.weight": draw((2, size), np.float32) for layer in layers}
    tensors |= {f"transformer.{layer}.lora_B.weight": draw((size, 2), np.float32) for layer in layers}
    save_file(tensors, LoraPaths(folder).weights)
    return folder


@pytest.fixture
def settled(checkpoints: TinyPaths) -> Callable[..., variants.Variant]:
    """What becomes of settings with the tiny editor."""

    def settle(kind: str = "cpu", model: Model | None = None, **settings: Any) -> variants.Variant:
        chosen = model or Model(Kind.FOLDER, "tiny", str(checkpoints.editor), {"kind": "folder", "name": "tiny"})
        variant = variants.settle(EditSettings(**settings), chosen, kind, download=True)
        variant.check_fit(chosen)
        return variant

    return settle


@pytest.fixture
def loaded(checkpoints: TinyPaths, settled: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus

    for name in ("CONDITION_IMAGE_SIZE", "VAE_IMAGE_SIZE"):
        monkeypatch.setattr(pipeline_qwenimage_edit_plus, name, 64 * 64)

    def load(**settings: Any) -> Any:
        chosen = settled(**{"steps": 2, "cfg": 1.0, "dtype": "float32", **settings}).settings
        return editors.load(Model(Kind.FOLDER, "tiny", str(checkpoints.editor), {}), "cpu", chosen)

    return load


@pytest.fixture
def edit(loaded: Any, request_of: Callable[..., Request]) -> Edit:
    """The pixels of one edit with these settings."""

    def make(**settings: Any) -> bytes:
        return loaded(**settings).edit(request_of(), lambda *_: None).image.tobytes()

    return make


def test_a_lora_changes_the_picture_by_its_scale(edit: Edit, lora: Path) -> None:
    bare, whole, half, none = edit(), edit(lora=(str(lora),)), edit(lora=(f"{lora}@0.5",)), edit(lora=(f"{lora}@0",))
    assert len({bare, whole, half}) == 3
    assert none == bare


def test_several_loras_add_up(edit: Edit, lora: Path) -> None:
    twice = edit(lora=(f"{lora}@0.5", f"{lora}@0.5"))
    whole = edit(lora=(str(lora),))
    difference = np.abs(np.frombuffer(twice, np.uint8).astype(int) - np.frombuffer(whole, np.uint8))
    assert difference.max() <= 1  # the sums of floats are rounded in another order


def test_the_identity_and_the_name_tell_a_lora_by_its_contents(settled: Any, lora: Path, tmp_path: Path) -> None:
    variant = settled(lora=(f"{lora}@0.5",))
    (told,) = variant.pinned(variant.settings)["lora"]
    assert (told["file"], told["scale"]) == (LoraPaths(lora).weights.name, 0.5)
    named = variant.named(Model(Kind.FOLDER, "tiny", "", {"name": "tiny"}))
    assert named.name == named.identity["name"] == f"tiny + {lora.name}@{told['digest'][:12]}*0.5"
    (other,) = settled(lora=(str(write_lora(tmp_path, ["transformer_blocks.0.attn.to_q"])),)).loras
    assert other.identity["digest"] != told["digest"]


def test_what_is_settled_goes_through_json(settled: Any, lora: Path) -> None:
    chosen = settled(lora=(str(lora),), vae_tiling=True).settings
    assert EditSettings.from_dict({**chosen.to_dict(), "lora": [*chosen.lora], "categories": []}) == chosen


def test_a_lora_of_another_model_is_refused_before_the_start(settled: Any, tmp_path: Path) -> None:
    write_lora(tmp_path, ["transformer_blocks.0.attn.to_q", "single_transformer_blocks.0.attn.to_q"])
    with pytest.raises(UserError, match=r"lacks 1 of the 2 layers it changes, such as single_transformer_blocks\.0"):
        settled(lora=(str(tmp_path),))


def test_a_lora_of_another_size_stops_the_rank_with_a_message(edit: Edit, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"does not fit the model: .*size mismatch"):
        edit(lora=(str(write_lora(tmp_path, ["transformer_blocks.0.attn.to_q"], size=48)),))


def test_another_scheduler_gives_another_picture_and_the_same_again(edit: Edit, checkpoints: TinyPaths) -> None:
    own = edit()
    drawing = edit(scheduler="FlowMatchLCMScheduler")  # draws noise in each step
    assert drawing == edit(scheduler="FlowMatchLCMScheduler") != own
    assert edit(scheduler=str(checkpoints.editor)) == own


def test_a_preset_sets_scheduler_steps_and_guidance_around_a_lora(settled: Any, edit: Edit, lora: Path) -> None:
    chosen = settled(preset="lightning-4", lora=(str(lora),)).settings
    assert (chosen.preset, chosen.steps, chosen.cfg) == (None, 4, 1.0)
    assert edit(preset="lightning-4", lora=(str(lora),), steps=2) != edit(lora=(str(lora),))


def test_quantized_weights_give_nearly_the_same_picture(edit: Edit, lora: Path) -> None:
    bare, int8 = (np.frombuffer(pixels, np.uint8).astype(int) for pixels in (edit(), edit(quantize="int8")))
    assert 0 < np.abs(int8 - bare).mean() < 1
    assert edit(quantize="int8", lora=(f"{lora}@0",)) == int8.astype(np.uint8).tobytes()


def test_transformer_and_text_encoder_are_quantized_each_by_its_library(checkpoints: TinyPaths) -> None:
    import diffusers
    import transformers

    mapping = quantization.options("int8", checkpoints.editor, "float32")["quantization_config"].quant_mapping
    kinds = {name: type(config) for name, config in mapping.items()}
    assert kinds == {"transformer": diffusers.TorchAoConfig, "text_encoder": transformers.TorchAoConfig}
    assert quantization.options(None, checkpoints.editor, "float32") == {}


def test_offloaded_layers_give_the_same_picture(loaded: Any, edit: Edit, request_of: Any, lora: Path) -> None:
    from diffusers.hooks.group_offloading import _is_group_offload_enabled

    asked = loaded(lora=(str(lora),))
    offload.apply(asked._pipeline, "cpu", offload="group", vae_tiling=False)
    parts = ("transformer", "text_encoder", "vae")
    assert all(_is_group_offload_enabled(getattr(asked._pipeline, name)) for name in parts)
    assert asked.edit(request_of(), lambda *_: None).image.tobytes() == edit(lora=(str(lora),))


def test_offloaded_models_leave_the_device_when_others_work(loaded: Any, request_of: Any) -> None:
    """On a CPU last bits move: weights lie at other addresses once they are copied (see `edit.offload`)."""
    asked, pixels = loaded(), {}
    pixels["none"] = np.asarray(asked.edit(request_of(), lambda *_: None).image).astype(int)
    offload.apply(asked._pipeline, "cpu", offload="model", vae_tiling=False)
    hooked = [hook.hook.execution_device for hook in asked._pipeline._all_hooks]
    pixels["model"] = np.asarray(asked.edit(request_of(), lambda *_: None).image).astype(int)
    assert len(hooked) == 3
    assert np.abs(pixels["model"] - pixels["none"]).max() <= 1


def test_tiles_are_asked_of_the_autoencoder(loaded: Any) -> None:
    assert [loaded(vae_tiling=tiling)._pipeline.vae.use_tiling for tiling in (False, True)] == [False, True]


def test_too_little_memory_while_loading_says_what_fits(checkpoints: TinyPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(memory.devices, "device_memory", lambda kind: ("Small GPU", 10**8))
    settings = EditSettings(size="1048576", dtype="bfloat16")
    message = r"cuda:0 ran out of memory while the model was loaded.*Small GPU has 100.0 MB"
    with pytest.raises(UserError, match=message), memory.explained(checkpoints.editor, settings, "cuda:0"):
        raise torch.OutOfMemoryError("no")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"offload": "model"}, "--offload model needs an accelerator"),
        ({"offload": "disk"}, "--offload disk is unknown"),
        ({"kind": "cuda", "offload": "group", "quantize": "nf4"}, "--offload group can't move the layers of --quantize nf4"),
        ({"quantize": "int3"}, "--quantize int3 is unknown"),
        ({"quantize": "nf4"}, "--quantize nf4 needs an accelerator"),
        ({"quantize": "fp8"}, "--quantize fp8 needs a CUDA device of compute capability 8.9"),
        ({"preset": "lightning-3"}, "--preset lightning-3 is unknown"),
        ({"scheduler": "EulerDiscreteScheduler"}, "takes no mu, which this pipeline hands over"),
        ({"scheduler": "QwenImagePipeline"}, "no scheduler of diffusers"),
    ],
)
def test_what_can_not_be_is_refused_before_the_start(settled: Any, asked: dict[str, str], told: str) -> None:
    with pytest.raises(UserError, match=told):
        settled(**asked)


def test_fp8_computes_beside_bfloat16(settled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantization, "_has_fp8", lambda kind: True)
    with pytest.raises(UserError, match="--quantize fp8 goes with --dtype bfloat16, not with float16"):
        settled("cuda", quantize="fp8", dtype="float16")
    assert settled("cuda", quantize="fp8").settings.quantize == "fp8"


def test_options_of_pipelines_are_for_pipelines(settled: Any) -> None:
    with pytest.raises(UserError, match="--vae-tiling goes with a diffusers pipeline, not with copy"):
        settled(vae_tiling=True, model=Model(Kind.CONTROL, "copy", "copy", {}))
