from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from editbench.errors import UserError
from editbench.foreign_paths import CheckpointPaths
from editbench.paths import TinyPaths
from editbench.score.checkpoint import check_local
from editbench.score.judge import JudgeSettings


@pytest.fixture
def copy(checkpoints: TinyPaths, tmp_path: Path) -> CheckpointPaths:
    return CheckpointPaths(Path(shutil.copytree(checkpoints.judge, tmp_path / "judge")))


def refused(folder: Path, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_local(folder)


def test_whole_checkpoints_pass(checkpoints: TinyPaths) -> None:
    check_local(checkpoints.judge)
    check_local(checkpoints.judge_moe)


def test_no_folder_and_no_config_are_refused(copy: CheckpointPaths) -> None:
    refused(copy.root / "missing", "no model folder")
    copy.config.unlink()
    refused(copy.root, "it has no config.json")


def test_a_broken_config_is_refused(copy: CheckpointPaths) -> None:
    copy.config.write_text("{")
    refused(copy.root, "config.json is not JSON")


def test_another_model_is_refused_by_name(copy: CheckpointPaths) -> None:
    copy.config.write_bytes(orjson.dumps({"model_type": "llama"}))
    refused(copy.root, "is a llama model")


def test_missing_weights_are_refused(copy: CheckpointPaths) -> None:
    index = copy.root / "model.safetensors.index.json"
    index.write_bytes(orjson.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model.safetensors"}}))
    refused(copy.root, "lacks model-1.safetensors, which model.safetensors.index.json names")
    index.unlink()
    copy.weights()[0].unlink()
    refused(copy.root, "has no weights")


@pytest.mark.parametrize(
    ("name", "message"),
    [("tokenizer", "no tokenizer"), ("processor", "no image settings"), ("chat_template", "no chat template")],
)
def test_a_part_that_is_missing_is_named(copy: CheckpointPaths, name: str, message: str) -> None:
    getattr(copy, name).unlink()
    refused(copy.root, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": "int8"}, "dtype int8 is unknown"),
        ({"readout": "mode"}, "readout mode is unknown"),
        ({"temperature": 0.5, "readout": "expected"}, "temperature 0.5 does not go with readout expected"),
        ({"temperature": -1.0}, "temperature -1 does not go"),
        ({"temperature": float("nan")}, "temperature nan does not go"),
        ({"max_pixels": 100}, "can't have 65,536 to 100 pixels"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
    ],
)
def test_settings_no_judge_can_work_with_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        JudgeSettings(**({"device": "cpu", "dtype": "float32", "readout": "generate"} | change))


def test_the_protocol_imports_no_torch() -> None:
    code = "import sys, editbench.score.judge; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
