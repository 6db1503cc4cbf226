"""What a denoising step makes a device wait for, in a bare loop of diffusers and in editbench's editor, on a stand-in device.

python -m steps_on_device CHECKPOINT    prints JSON; a process of its own, which the stand-in wants
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import stand_in_device
import torch
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus
from PIL import Image

from editbench.edit import editors
from editbench.edit.editor import Request
from editbench.edit.settings import EditSettings
from editbench.models import Kind, Model

STEPS = 3
KINDS = ("reads", "uploads", "operations")


def by_step(edit: Callable[[Callable[..., Any]], Any]) -> tuple[list[dict[str, int]], Any]:
    """Counts of each step but the first, which prepares what all steps use, and what `edit` gives back."""
    totals: list[dict[str, int]] = []
    with stand_in_device.Mode(), stand_in_device.counting() as count:

        def step(*_: Any) -> dict[str, Any]:
            totals.append({kind: getattr(count, kind).total() for kind in KINDS})
            return {}

        made = edit(step)
    return [{kind: after[kind] - before[kind] for kind in KINDS} for before, after in pairwise(totals)], made


def main(folder: str) -> None:
    torch.set_num_threads(1)
    pipeline_qwenimage_edit_plus.CONDITION_IMAGE_SIZE = pipeline_qwenimage_edit_plus.VAE_IMAGE_SIZE = 64 * 64
    settings = EditSettings(steps=STEPS, cfg=4.0, negative_prompt=" ", dtype="float32")
    editor = editors.load(Model(Kind.FOLDER, "tiny", folder, {}), "cpu", settings)
    request = Request(images=[Image.linear_gradient("L").convert("RGB")], instruction="make it snow", seed=1, size=(64, 64))
    usual = editor.edit(request, lambda *_: None).image
    pipeline = editor._pipeline
    pipeline.encode_prompt._answers.clear()
    for part in (pipeline.transformer, pipeline.text_encoder, pipeline.vae):
        stand_in_device.move(part)
    ours, made = by_step(lambda step: editor.edit(request, step).image)
    plain, bare = by_step(
        lambda step: pipeline(
            image=request.images[0],
            prompt=request.instruction,
            negative_prompt=" ",
            true_cfg_scale=4.0,
            num_inference_steps=STEPS,
            width=64,
            height=64,
            generator=torch.Generator("cpu").manual_seed(1),
            callback_on_step_end=step,
        ).images[0]
    )
    same = made.tobytes() == bare.tobytes() == usual.tobytes()
    sys.stdout.write(json.dumps({"editbench": ours, "plain": plain, "same_pixels": same}))


if __name__ == "__main__":
    main(sys.argv[1])
