"""The settings as they take effect, and when a run is complete."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from editbench.edit import defaults
from editbench.edit.settings import EditSettings
from editbench.edit.stage import EditStage
from editbench.fleet.devices import Devices
from editbench.fleet.run_options import RunOptions
from editbench.foreign_paths import PipelinePaths
from editbench.models import Kind, Model
from editbench.paths import EditPaths

KEYS = ("physical", "environmental", "social", "causal", "referential")
CPU, GPU = Devices("cpu", 1, {}), Devices("cuda", 8, {})


@pytest.fixture
def settled(tmp_path: Path):
    """What becomes of settings with a pipeline of the class `name`."""

    def settle(name: str, **settings: Any) -> EditSettings:
        PipelinePaths(tmp_path).index.write_text(f'{{"_class_name": "{name}"}}')
        return defaults.in_effect(EditSettings(**settings), Model(Kind.FOLDER, "m", str(tmp_path), {}), CPU)

    return settle


def guidance(settings: EditSettings) -> tuple[int | None, float | None, str | None]:
    return settings.steps, settings.cfg, settings.negative_prompt


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("QwenImageEditPlusPipeline", (40, 4.0, " ")),
        ("QwenImageEditPipeline", (50, 4.0, " ")),
        ("SomePipeline", (None, None, None)),
    ],
)
def test_what_is_left_open_is_as_published(settled: Any, name: str, published: tuple) -> None:
    assert guidance(settled(name)) == published


def test_what_is_asked_for_stays(settled: Any) -> None:
    asked = settled("QwenImageEditPlusPipeline", steps=8, cfg=2.5, negative_prompt="blurry")
    assert guidance(asked) == (8, 2.5, "blurry")
    assert guidance(settled("SomePipeline", cfg=2.5)) == (None, 2.5, None)


def test_without_guidance_there_is_no_negative_prompt(settled: Any) -> None:
    assert guidance(settled("QwenImageEditPlusPipeline", cfg=1.0)) == (40, 1.0, None)
    assert settled("QwenImageEditPlusPipeline", negative_prompt="").negative_prompt == ""


def test_a_control_has_no_settings() -> None:
    asked = EditSettings(steps=4, cfg=2.0, negative_prompt="x", size="512x512", dtype="bfloat16", seed=3, limit=2)
    made = defaults.in_effect(asked, Model(Kind.CONTROL, "copy", "copy", {}), GPU)
    assert made == replace(asked, steps=None, cfg=None, negative_prompt=None, size="source", dtype="float32")


def test_a_class_gets_what_was_asked_and_nothing_made_up() -> None:
    made = defaults.in_effect(EditSettings(cfg=2.0), Model(Kind.CLASS, "a:B", "a:B", {}), GPU)
    assert made == EditSettings(cfg=2.0, dtype="bfloat16")


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
    assert str(plan.shortfall(manifest)) == "1 of 5 samples have no edit"
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
