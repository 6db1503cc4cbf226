from __future__ import annotations

import os

import pytest
import torch
from transformers import Qwen3VLProcessor

from editbench.paths import TinyPaths
from editbench.processors import load_processor
from editbench.score.judge import threads
from editbench.score.qwen3vl.patches import Patchifier

from .stand_in_device import DEVICE, counting
from .test_judge import picture

CPU = torch.device("cpu")
AREAS = {"shortest_edge": 65_536, "longest_edge": 262_144}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", [(256, 256), (300, 260), (1000, 700), (64, 1280)])
@pytest.mark.parametrize(
    "options", [{}, {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.1, 0.2, 0.3]}, {"do_normalize": False}]
)
def test_patches_are_those_of_the_library_to_the_bit(
    checkpoints: TinyPaths, dtype: torch.dtype, size: tuple[int, int], options: dict[str, list[float]]
) -> None:
    processor = load_processor(checkpoints.judge, Qwen3VLProcessor, size=AREAS, **options).image_processor
    theirs = processor(images=[picture(*size)], return_tensors="pt")
    ours = Patchifier(processor, CPU, dtype)
    pixels = ours.resize(picture(*size))
    assert torch.equal(ours.patchify([pixels]), theirs["pixel_values"].to(dtype))
    assert torch.equal(pixels.grid_thw, theirs["image_grid_thw"])


def test_a_picture_goes_to_the_device_once_and_as_bytes(checkpoints: TinyPaths) -> None:
    ours = Patchifier(load_processor(checkpoints.judge, Qwen3VLProcessor, size=AREAS).image_processor, DEVICE, torch.bfloat16)
    pixels = ours.resize(picture(256, 256))
    with counting() as count:
        patches = ours.patchify([pixels])
    assert (pixels.values.dtype, patches.device, patches.dtype) == (torch.uint8, DEVICE, torch.bfloat16)
    assert (count.uploads.total(), count.syncs.total()) == (1, 0)


def test_the_ranks_of_a_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(12))
    for ranks, each in (("1", 12), ("8", 1), ("5", 2), ("24", 1)):
        monkeypatch.setenv("LOCAL_WORLD_SIZE", ranks)
        assert threads() == each
