"""What `editbench edit` settles and refuses before torch is imported."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from safetensors.numpy import save_file

from editbench.edit.settings import EditSettings
from editbench.edit.stage import EditStage
from editbench.errors import UserError
from editbench.fleet.run_options import RunOptions
from editbench.foreign_paths import LoraPaths, PipelinePaths
from editbench.paths import TinyPaths

PLAN = """
import sys
from pathlib import Path
from editbench.edit.settings import EditSettings
from editbench.edit.stage import EditStage
from editbench.fleet.run_options import RunOptions
EditStage.plan(Path(sys.argv[1]), sys.argv[2], Path("out"), EditSettings(), RunOptions(nproc="1"))
sys.exit(" ".join({"torch", "diffusers", "transformers"} & sys.modules.keys()) or 0)
"""


@pytest.fixture
def planned(benchmark: Path, checkpoints: TinyPaths, tmp_path: Path):
    """The stage of the tiny editor, or of another model, with these settings."""

    def plan(model: Path = checkpoints.editor, **settings: Any) -> EditStage:
        return EditStage.plan(benchmark, str(model), tmp_path / "out", EditSettings(**settings), RunOptions(nproc="1"))

    return plan


def test_a_pipeline_is_planned_without_importing_it(benchmark: Path, checkpoints: TinyPaths) -> None:
    command = [sys.executable, "-c", PLAN, str(benchmark), str(checkpoints.editor)]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_defaults_are_in_the_identity_and_later_settings_are_not(planned: Any) -> None:
    settings = planned().identity["settings"]
    assert (settings["steps"], settings["cfg"], settings["negative_prompt"]) == (40, 4.0, " ")
    assert not {"extra_images", "arguments"} & settings.keys()


def test_a_dry_run_refuses_what_the_run_would(benchmark: Path, checkpoints: TinyPaths, tmp_path: Path) -> None:
    layers = ("transformer_blocks.0.attn.to_q", "transformer_blocks.9.attn.to_q")
    tensors = {f"transformer.{layer}.lora_A.weight": np.zeros((2, 32), np.float32) for layer in layers}
    save_file(tensors, LoraPaths(tmp_path).weights)
    settings, options = EditSettings(lora=(str(tmp_path),)), RunOptions(nproc="1", dry_run=True)
    with pytest.raises(UserError, match="that lacks 1 of the 2 layers it changes"):
        EditStage.plan(benchmark, str(checkpoints.editor), tmp_path / "out", settings, options)


def test_a_lora_is_part_of_the_memory_that_is_told(planned: Any, tmp_path: Path) -> None:
    layer = "transformer.transformer_blocks.0.attn.to_q"
    save_file({f"{layer}.lora_A.weight": np.zeros((1000, 1000), np.float32)}, LoraPaths(tmp_path).weights)
    texts = [stage._memory().text for stage in (planned(), planned(lora=(str(tmp_path),)))]
    without, together = (float(re.search(r"weights: ([\d.]+) MB", text)[1]) for text in texts)
    assert together - without == pytest.approx(4, abs=0.11)  # a million numbers, in float32


def test_what_does_not_go_with_a_pipeline_is_refused_before_the_start(
    planned: Any, checkpoints: TinyPaths, tmp_path: Path
) -> None:
    index = orjson.loads(PipelinePaths(checkpoints.editor).index.read_bytes())
    folder = shutil.copytree(checkpoints.editor, tmp_path / "editor")
    PipelinePaths(folder).index.write_bytes(orjson.dumps({**index, "transformer": ["diffusers", "OmniGenTransformer2DModel"]}))
    for option in ({"cache": "first-block"}, {"compile": True}):
        with pytest.raises(UserError, match="does not work with QwenImageEditPlusPipeline"):
            planned(folder, **option)


def test_arguments_are_in_the_identity_in_one_spelling(planned: Any) -> None:
    one, other = (planned(arguments=(text,)).identity for text in ("max_sequence_length=64", "max_sequence_length= 64"))
    assert one == other
    assert one["settings"]["arguments"] == ["max_sequence_length=64"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"arguments": ("max_length=64",)}, "a call of QwenImageEditPlusPipeline has no such argument"),
        ({"arguments": ("true_cfg_scale=2",)}, "--cfg sets it"),
        ({"extra_images": "some"}, "--extra-images some is none of first, all and fail"),
        ({"size": "huge"}, "--size huge is no size"),
    ],
)
def test_settings_that_can_not_be_are_refused(planned: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        planned(**settings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transformer": None}, "has no transformer, which a QwenImageEditPlusPipeline needs"),
        ({"_class_name": "WanImageToVideoPipeline"}, "is a WanImageToVideoPipeline, which makes a video: not an edit pipeline"),
        ({"_class_name": "Later"}, "the diffusers that is installed here has no pipeline Later"),
    ],
)
def test_a_checkpoint_that_can_not_run_is_refused(
    planned: Any, checkpoints: TinyPaths, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = PipelinePaths(Path(shutil.copytree(checkpoints.editor, tmp_path / "editor"))).index
    path.write_bytes(orjson.dumps(orjson.loads(path.read_bytes()) | change))
    with pytest.raises(UserError, match=message):
        planned(path.parent)


def test_the_plan_names_where_settings_come_from(planned: Any) -> None:
    rows = dict(planned(steps=8, fast=True, arguments=("max_sequence_length=64",)).describe([]))
    told = {name: rows[name] for name in ("steps", "cfg", "fast", "--set")}
    assert told == {"steps": "8", "cfg": "4.0 (published)", "fast": True, "--set": "max_sequence_length=64"}
