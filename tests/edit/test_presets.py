"""Presets and schedulers as they are settled, without a pipeline."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from editbench.edit import library, presets, schedulers
from editbench.edit.settings import EditSettings
from editbench.errors import UserError
from editbench.foreign_paths import CheckpointPaths, PipelinePaths, SchedulerPaths


@pytest.mark.parametrize(
    ("pipeline", "config", "file"),
    [
        ("QwenImageEditPipeline", {}, "lightx2v/Qwen-Image-Lightning:Qwen-Image-Edit-Lightning-8steps"),
        ("QwenImageEditPlusPipeline", {}, ":Qwen-Image-Edit-2509/Qwen-Image-Edit-2509-Lightning-8steps"),
        ("QwenImageEditPlusPipeline", {"zero_cond_t": True}, "2511-Lightning:Qwen-Image-Edit-2511-Lightning-8steps"),
    ],
)
def test_a_preset_takes_the_lora_of_its_base_model(tmp_path: Path, pipeline: str, config: dict, file: str) -> None:
    folder = PipelinePaths(tmp_path).transformer
    folder.mkdir()
    CheckpointPaths(folder).config.write_bytes(orjson.dumps(config))
    settings = presets.expanded(EditSettings(preset="lightning-8"), tmp_path, pipeline)
    assert file in settings.lora[0]
    assert (settings.preset, settings.steps, settings.cfg) == (None, 8, 1.0)
    assert orjson.loads(settings.scheduler or "")["max_shift"] == pytest.approx(1.0986122886681098)


def test_what_is_asked_for_beside_a_preset_wins(tmp_path: Path) -> None:
    asked = EditSettings(preset="lightning-4", steps=6, cfg=2.0, scheduler="FlowMatchLCMScheduler", lora=("a/b",))
    assert presets.expanded(asked, tmp_path, "FluxKontextPipeline") == EditSettings(
        steps=6, cfg=2.0, scheduler="FlowMatchLCMScheduler", lora=("a/b",)
    )


def test_a_model_without_a_lora_of_the_preset_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="lightning-4 has no LoRA for a FluxKontextPipeline"):
        presets.expanded(EditSettings(preset="lightning-4"), tmp_path, "FluxKontextPipeline")


def test_a_scheduler_is_a_name_or_the_settings_in_a_file(tmp_path: Path) -> None:
    assert schedulers.settled("FlowMatchLCMScheduler") == "FlowMatchLCMScheduler"
    config = {"shift": 3.0, "_class_name": "FlowMatchEulerDiscreteScheduler", "_diffusers_version": "0.42.1"}
    folder = PipelinePaths(tmp_path).scheduler
    folder.mkdir()
    SchedulerPaths(folder).config.write_bytes(orjson.dumps(config))
    texts = {schedulers.settled(str(path)) for path in (tmp_path, folder, SchedulerPaths(folder).config)}
    assert texts == {'{"_class_name":"FlowMatchEulerDiscreteScheduler","shift":3.0}'}
    assert {schedulers.settled(text) for text in texts} == texts


@pytest.mark.parametrize(("text", "told"), [("[]", "not a JSON object"), ("{}", "names no scheduler"), ("{", "is not JSON")])
def test_a_file_that_is_no_scheduler_is_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(UserError, match=told):
        schedulers.settled(str(tmp_path / "x.json"))


@pytest.mark.parametrize(("text", "told"), [("", "is empty"), ("{", "--scheduler is not JSON"), ("{}", "names no scheduler")])
def test_settings_in_place_of_a_file_are_checked_likewise(text: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        schedulers.settled(text)


@pytest.mark.parametrize(
    ("pipeline", "scheduler", "told"),
    [
        ("StableDiffusionInstructPix2PixPipeline", "FlowMatchLCMScheduler", "has no scale_model_input"),
        ("ChronoEditPipeline", presets.PRESETS["lightning-4"].scheduler, "needs a shift"),
    ],
)
def test_a_scheduler_that_the_pipeline_would_fail_with_is_refused(
    tmp_path: Path, pipeline: str, scheduler: str, told: str
) -> None:
    with pytest.raises(UserError, match=f"{told}.* {pipeline}"):
        schedulers.check(scheduler, tmp_path, pipeline)
    schedulers.check(scheduler, tmp_path, "QwenImageEditPipeline")


def test_a_pipeline_without_noise_levels_of_its_own_takes_a_scheduler_without(tmp_path: Path) -> None:
    folder = PipelinePaths(tmp_path).scheduler
    folder.mkdir()
    SchedulerPaths(folder).config.write_text('{"_class_name": "EulerDiscreteScheduler"}')
    schedulers.check("DPMSolverMultistepScheduler", tmp_path, "StableDiffusionXLInstructPix2PixPipeline")


def test_classes_of_diffusers_are_known_with_all_that_they_inherit() -> None:
    kontext = library.declared("FluxKontextPipeline", library.PIPELINES)
    assert kontext is not None
    assert {"__call__", "load_lora_weights", "enable_model_cpu_offload"} <= kontext.methods.keys()
    assert "mu" in library.declared("FlowMatchEulerDiscreteScheduler", library.SCHEDULERS).methods["set_timesteps"]
    assert library.declared("FluxKontextPipeline", library.SCHEDULERS) is None
    assert library.declared("No such", library.PIPELINES) is None
