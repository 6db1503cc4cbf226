"""The settings as they take effect, and when a run is complete."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from editbench.edit import defaults
from editbench.edit.pipeline_class import PipelineClass
from editbench.edit.settings import EditSettings
from editbench.edit.stage import EditStage
from editbench.errors import UserError
from editbench.fleet.devices import Devices
from editbench.fleet.run_options import RunOptions
from editbench.foreign_paths import PipelinePaths
from editbench.models import Kind, Model
from editbench.paths import EditPaths

KEYS = ("physical", "environmental", "social", "causal", "referential")
CPU, GPU = Devices("cpu", 1, {}), Devices("cuda", 8, {})


@pytest.fixture
def settled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What becomes of settings with a pipeline of the class `class_name` in a folder `model`, without components."""
    monkeypatch.setattr(PipelineClass, "lacks", lambda *_: [])

    def settle(class_name: str, model: str = "m", values: str = "", **settings: Any) -> EditSettings:
        PipelinePaths(tmp_path).index.write_text(f'{{"_class_name": "{class_name}"{values}}}')
        return defaults.in_effect(EditSettings(**settings), Model(Kind.FOLDER, model, str(tmp_path), {}), CPU)

    return settle


def guidance(settings: EditSettings) -> tuple[int | None, float | None, str | None]:
    return settings.steps, settings.cfg, settings.negative_prompt


@pytest.mark.parametrize(
    ("name", "model", "values", "published"),
    [
        ("QwenImageEditPlusPipeline", "Qwen-Image-Edit-2511", "", (40, 4.0, " ")),
        ("QwenImageEditPipeline", "Qwen-Image-Edit", "", (50, 4.0, " ")),
        ("QwenImage21Pipeline", "Qwen-Image-2.1", "", (40, 1.0, None)),
        ("QwenImage21Pipeline", "Qwen-Image-2.1-Turbo", ', "sample_sigmas": [1.0, 0.5]', (2, 1.0, None)),
        ("FluxKontextPipeline", "FLUX.1-Kontext-dev", "", (28, 2.5, None)),
        ("Flux2Pipeline", "FLUX.2-dev", "", (50, 4.0, None)),
        ("Flux2KleinPipeline", "anything", ', "is_distilled": true', (4, 1.0, None)),
        ("Flux2KleinPipeline", "anything", ', "is_distilled": false', (50, 4.0, None)),
        ("Flux2KleinKVPipeline", "anything", "", (4, None, None)),
        ("LongCatImageEditPipeline", "meituan-longcat/LongCat-Image-Edit", "", (50, 4.5, None)),
        ("LongCatImageEditPipeline", "meituan-longcat/LongCat-Image-Edit-Turbo", "", (8, 1.0, None)),
        ("StableDiffusionInstructPix2PixPipeline", "instruct-pix2pix", "", (None, None, None)),
    ],
)
def test_what_is_left_open_is_as_published(settled: Any, name: str, model: str, values: str, published: tuple) -> None:
    assert guidance(settled(name, model, values)) == published


def test_what_is_asked_for_stays(settled: Any) -> None:
    asked = settled("QwenImageEditPlusPipeline", steps=8, cfg=2.5, negative_prompt="blurry")
    assert guidance(asked) == (8, 2.5, "blurry")
    assert guidance(settled("GlmImagePipeline", cfg=2.5)) == (None, 2.5, None)


def test_without_guidance_there_is_no_negative_prompt(settled: Any) -> None:
    assert guidance(settled("QwenImageEditPlusPipeline", cfg=1.0)) == (40, 1.0, None)
    assert settled("QwenImageEditPlusPipeline", negative_prompt="").negative_prompt == ""


def test_guidance_that_the_class_itself_puts_on_stays_on(settled: Any) -> None:
    assert guidance(settled("QwenImageImg2ImgPipeline")) == (None, None, " ")
    assert guidance(settled("QwenImageImg2ImgPipeline", cfg=1.0)) == (None, 1.0, None)


def test_a_distilled_guidance_scale_is_no_scale_of_true_cfg(settled: Any) -> None:
    assert guidance(settled("FluxKontextPipeline", negative_prompt="blurry")) == (28, None, "blurry")


def test_steps_that_a_schedule_overrules_are_its_own(settled: Any, capsys: pytest.CaptureFixture[str]) -> None:
    asked = EditSettings(steps=2)
    taken = settled("QwenImage21Pipeline", values=', "sample_sigmas": [1.0, 0.8, 0.6]', steps=2)
    defaults.overruled(asked, taken)
    assert taken.steps == 3
    assert "--steps 2 is ignored: the schedule that is used has 3 steps" in " ".join(capsys.readouterr().err.split())
    assert settled("QwenImageEditPipeline", values=', "sample_sigmas": [1.0]').steps == 50
    assert settled("QwenImage21Pipeline", steps=2, arguments=("sigmas=[1, 0.5, 0.4, 0.2]",)).steps == 4


def test_a_class_that_computes_in_bfloat16_alone_is_refused_in_another(settled: Any) -> None:
    with pytest.raises(UserError, match="ZImageOmniPipeline computes in bfloat16 alone"):
        settled("ZImageOmniPipeline")
    assert settled("ZImageOmniPipeline", dtype="bfloat16").dtype == "bfloat16"


def test_the_plan_tells_what_is_published_and_what_is_the_default_of_the_class(settled: Any, tmp_path: Path) -> None:
    def plan(name: str, **settings: Any) -> list[str]:
        taken = settled(name, **settings)
        return [text for _, text in defaults.explained(taken, Model(Kind.FOLDER, "m", str(tmp_path), {}))]

    assert plan("QwenImageEditPlusPipeline", steps=8) == ["8", "4.0 (published)", '" "', "1048576"]
    sized = "1048576, ignored: StableDiffusionInstructPix2PixPipeline chooses its own"
    own = "(default of StableDiffusionInstructPix2PixPipeline)"
    assert plan("StableDiffusionInstructPix2PixPipeline") == [f"100 {own}", f"7.5 {own}", f"none {own}", sized]
    ignored = "3.0, ignored: Flux2KleinKVPipeline takes none"
    assert plan("Flux2KleinKVPipeline", cfg=3.0, size="pipeline") == ["4 (published)", ignored, "not taken", "pipeline"]
    assert plan("Flux2KleinKVPipeline") == ["4 (published)", "not taken", "not taken", "1048576"]


def test_a_control_has_no_settings() -> None:
    asked = EditSettings(steps=4, cfg=2.0, negative_prompt="x", size="512x512", dtype="bfloat16", seed=3, limit=2)
    made = defaults.in_effect(asked, Model(Kind.CONTROL, "copy", "copy", {}), GPU)
    assert made == replace(asked, steps=None, cfg=None, negative_prompt=None, size="source", dtype="float32")


def test_a_class_gets_what_was_asked_and_nothing_made_up() -> None:
    made = defaults.in_effect(EditSettings(cfg=2.0), Model(Kind.CLASS, "a:B", "a:B", {}), GPU)
    assert made == EditSettings(cfg=2.0, dtype="bfloat16")


def test_a_class_takes_no_arguments_of_a_pipeline() -> None:
    with pytest.raises(UserError, match="--set is for pipelines of diffusers, and a:B is a class"):
        defaults.in_effect(EditSettings(arguments=("strength=1",)), Model(Kind.CLASS, "a:B", "a:B", {}), GPU)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"cfg": float("nan")}, "--cfg nan is no guidance scale"),
        ({"cfg": float("inf")}, "--cfg inf is no guidance scale"),
        ({"negative_prompt": "\udcff"}, "not UTF-8"),
        ({"arguments": ("sigmas=\udcff",)}, "not UTF-8"),
    ],
)
def test_settings_that_no_json_can_hold_are_refused(asked: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        EditSettings(**asked).check()


def test_a_later_setting_is_part_of_the_identity_where_it_is_used() -> None:
    asked = EditSettings(extra_images="first", arguments=("strength=1",), categories=("a",))
    assert asked.to_dict().keys() - EditSettings().to_dict().keys() == {"extra_images", "arguments"}
    assert EditSettings.from_dict(orjson.loads(orjson.dumps(asked.to_dict()))) == asked


def test_every_setting_is_part_of_the_identity() -> None:
    assert EditSettings(steps=4).to_dict() == {
        "seed": 0,
        "steps": 4,
        "cfg": None,
        "negative_prompt": None,
        "size": "1048576",
        "dtype": "auto",
        "categories": (),
        "limit": None,
        "shard_size": 32,
    }


@pytest.fixture
def finished(make_edits: Any):
    """The stage of a run that has finished with these failures."""

    def make(failed: tuple[str, ...] = ()) -> EditStage:
        benchmark = SimpleNamespace(samples=[SimpleNamespace(key=key) for key in KEYS])
        return EditStage(
            paths=EditPaths(make_edits(failed)),
            model=Model(Kind.CONTROL, "copy", "copy", {}),
            devices=CPU,
            options=RunOptions(),
            identity={},
            benchmark=benchmark,
            settings=EditSettings(shard_size=2),
        )

    return make


def test_a_finished_run_is_complete_with_as_many_failures_as_allowed(finished: Any) -> None:
    plan = finished(("social",))
    manifest = plan.finished()
    assert plan.unfinished(manifest) == plan.owed() == [2]
    assert str(plan.shortfall(manifest)) == "1 of 5 samples without an edit"
    lenient = replace(plan, options=RunOptions(max_failures="1"))
    assert (lenient.unfinished(manifest), lenient.owed(), lenient.shortfall(manifest)) == (None, [], None)


def test_a_finished_run_that_lost_a_shard_edits_its_samples_again(finished: Any) -> None:
    plan = finished()
    manifest = plan.finished()
    plan.paths.shard(1).unlink()
    with plan.paths.shard(2).open("ab") as file:
        file.write(bytes(512))
    assert plan.unfinished(manifest) == plan.owed() == [2, 3, 4]
    plan.reopen(manifest)
    assert plan.spool.missing() == [2, 3, 4]
    assert plan.finished() is None
