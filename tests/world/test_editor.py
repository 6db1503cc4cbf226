"""The trained editor that comes with the package edits the small world's pictures through the real pipeline."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from editbench.paths import TinyPaths
from editbench.world.benchmark import samples

pytest.importorskip("diffusers")
from editbench.edit.editor import Request
from editbench.edit.pipeline import PipelineEditor
from editbench.edit.settings import EditSettings
from editbench.world.training.editor.evaluate import nearness

SIZE = (1024, 1024)


def test_the_package_has_it_in_less_than_four_megabytes() -> None:
    shipped = Path(str(resources.files("editbench.world"))) / "editor"
    assert sum(file.stat().st_size for file in shipped.rglob("*") if file.is_file()) < 4_000_000


def test_its_edits_are_nearer_to_what_was_asked_than_the_source_is(checkpoints: TinyPaths) -> None:
    """None of the benchmark's photographs, places and wordings has it learned from. One picture, asked for two things."""
    settings = EditSettings(steps=1, cfg=1.0, size="1048576", dtype="float32")
    editor = PipelineEditor(str(checkpoints.editor_world), "cpu", settings)
    for sample in samples():
        if sample.source == "ground-0":
            request = Request(images=[sample.task.source.render()], instruction=sample.instruction, size=SIZE, seed=0)
            near = nearness(sample, editor.edit(request, lambda *_: None).image)
            assert near.edit_to_right < 0.75 * near.source_to_right
            assert near.edit_to_right_within < 0.2 * near.source_to_right_within
