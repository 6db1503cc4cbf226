from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from editbench.edit import index
from editbench.edit.model_index import check_whole
from editbench.errors import UserError
from editbench.foreign_paths import CheckpointPaths, PipelinePaths
from editbench.paths import TinyPaths


@pytest.fixture
def copy(checkpoints: TinyPaths, tmp_path: Path) -> PipelinePaths:
    return PipelinePaths(Path(shutil.copytree(checkpoints.editor, tmp_path / "editor")))


def refused(folder: Path, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_whole(folder)


def test_a_whole_pipeline_is_known_by_its_class(checkpoints: TinyPaths) -> None:
    check_whole(checkpoints.editor)
    assert index.load(checkpoints.editor).class_name == "QwenImageEditPlusPipeline"


def test_a_folder_that_is_no_pipeline_is_refused(checkpoints: TinyPaths) -> None:
    refused(checkpoints.judge, r"not a diffusers pipeline: it has no model_index\.json")


@pytest.mark.parametrize(
    "contents", [b"{", b"[]", b"{}", *(orjson.dumps({"_class_name": "P", name: ["a", "b"]}) for name in ("../vae", "..", "."))]
)
def test_a_broken_index_is_refused(copy: PipelinePaths, contents: bytes) -> None:
    copy.index.write_bytes(contents)
    refused(copy.root, r"model_index\.json (is not|names no)")


@pytest.mark.parametrize("component", ["vae", "transformer", "text_encoder", "scheduler", "tokenizer"])
def test_a_component_that_is_missing_is_named(copy: PipelinePaths, component: str) -> None:
    shutil.rmtree(copy.root / component)
    refused(copy.root, f"lacks the component {component}")


def test_a_component_whose_code_comes_along_is_refused(copy: PipelinePaths) -> None:
    contents = orjson.loads(copy.index.read_bytes()) | {"vae": ["my_vae", "Mine"]}
    copy.index.write_bytes(orjson.dumps(contents))
    (copy.root / "vae" / "my_vae.py").write_text("class Mine: ...")
    refused(copy.root, "the code of .*vae comes with the checkpoint, and is not run")


@pytest.mark.parametrize("component", ["vae", "transformer", "text_encoder"])
def test_weights_that_are_missing_are_named(copy: PipelinePaths, component: str) -> None:
    CheckpointPaths(copy.root / component).weights()[0].unlink()
    refused(copy.root, f"{component} has no weights")


def test_a_shard_of_weights_that_is_missing_is_named(copy: PipelinePaths) -> None:
    there = CheckpointPaths(copy.root / "transformer").weights()[0]
    weights: dict[str, Any] = {"weight_map": {"a": there.name, "b": "second.safetensors"}}
    there.with_name(f"{there.stem}.safetensors.index.json").write_bytes(orjson.dumps(weights))
    refused(copy.root, r"lacks second\.safetensors")


def test_a_component_that_the_pipeline_does_without_is_not_missed(copy: PipelinePaths) -> None:
    contents = orjson.loads(copy.index.read_bytes())
    copy.index.write_bytes(orjson.dumps({**contents, "safety_checker": [None, None]}))
    check_whole(copy.root)
