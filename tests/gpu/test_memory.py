"""The script for people with a GPU, run on a CPU."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from editbench.paths import TinyPaths


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gpu_memory", Path(__file__).with_name("memory.py"))
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


memory = script()


def test_each_setting_is_measured_against_none(checkpoints: TinyPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus

    for name in ("CONDITION_IMAGE_SIZE", "VAE_IMAGE_SIZE"):
        monkeypatch.setattr(pipeline_qwenimage_edit_plus, name, 64 * 64)
    settings = [*memory.ON_CPU, memory.parsed("--quantize nf4")]
    bare, _, int8, nf4 = memory.compared(checkpoints.editor, settings, "cpu", steps=1, side=64)
    assert (bare["setting"], bare["psnr"], int8["setting"]) == ("none", None, "--quantize int8")
    assert int8["psnr"] > 30
    assert int8["estimate"] < bare["estimate"]
    assert "error" in nf4


def test_psnr_is_that_of_the_mean_square_error() -> None:
    assert memory.psnr(np.zeros(4), np.full(4, 255.0)) == pytest.approx(0)
    assert memory.psnr(np.zeros(4), np.full(4, 2.55)) == pytest.approx(40)
