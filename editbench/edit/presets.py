"""Distilled variants of published models: LoRA, scheduler, steps and guidance that belong together, under one name.

Source: the model cards of lightx2v/Qwen-Image-Lightning and lightx2v/Qwen-Image-Edit-2511-Lightning on the hub, and
`generate_with_diffusers.py` of github.com/ModelTC/Qwen-Image-Lightning, which they refer to.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from editbench import files
from editbench.edit import schedulers
from editbench.edit.settings import EditSettings
from editbench.errors import UserError
from editbench.foreign_paths import CheckpointPaths, PipelinePaths

_SHIFT_3 = schedulers.as_text(
    {
        "_class_name": "FlowMatchEulerDiscreteScheduler",
        "base_image_seq_len": 256,
        "base_shift": math.log(3),
        "invert_sigmas": False,
        "max_image_seq_len": 8192,
        "max_shift": math.log(3),
        "num_train_timesteps": 1000,
        "shift": 1.0,
        "shift_terminal": None,
        "stochastic_sampling": False,
        "time_shift_type": "exponential",
        "use_beta_sigmas": False,
        "use_dynamic_shifting": True,
        "use_exponential_sigmas": False,
        "use_karras_sigmas": False,
    }
)
"""A shift of 3 for every size of picture, as in the distillation: between equal ends the size does not matter."""


@dataclass(frozen=True, slots=True)
class Preset:
    """`loras`: by the base model that they were distilled from, as `--lora` takes them."""

    steps: int
    cfg: float
    scheduler: str
    loras: dict[str, str]


def _lightning(steps: int) -> Preset:
    older = "lightx2v/Qwen-Image-Lightning"
    end = f"Lightning-{steps}steps-V1.0-bf16.safetensors"
    loras = {
        "Qwen-Image-Edit": f"{older}:Qwen-Image-Edit-{end}",
        "Qwen-Image-Edit-2509": f"{older}:Qwen-Image-Edit-2509/Qwen-Image-Edit-2509-{end}",
        "Qwen-Image-Edit-2511": f"lightx2v/Qwen-Image-Edit-2511-Lightning:Qwen-Image-Edit-2511-{end}",
    }
    return Preset(steps, 1.0, _SHIFT_3, loras)


PRESETS = {f"lightning-{steps}": _lightning(steps) for steps in (4, 8)}


def expanded(settings: EditSettings, folder: Path, pipeline: str) -> EditSettings:
    """The settings with what their preset stands for; what was asked for beside it stays. `folder`: of the pipeline, of which
    only settings need be there; `pipeline`: its class.

    Raises:
        UserError: no such preset, or none for this model.
    """
    if settings.preset is None:
        return settings
    preset = PRESETS.get(settings.preset)
    if preset is None:
        raise UserError(f"--preset {settings.preset} is unknown", f"Choose {' or '.join(PRESETS)}.")
    lora = settings.lora
    if not lora:
        base = _base(folder, pipeline)
        if base not in preset.loras:
            message = f"--preset {settings.preset} has no LoRA for a {pipeline}"
            raise UserError(message, f"It is for {', '.join(preset.loras)}. For another model name one: --lora.")
        lora = (preset.loras[base],)
    return replace(
        settings,
        preset=None,
        lora=lora,
        scheduler=settings.scheduler or preset.scheduler,
        steps=preset.steps if settings.steps is None else settings.steps,
        cfg=preset.cfg if settings.cfg is None else settings.cfg,
    )


def _base(folder: Path, pipeline: str) -> str | None:
    """The published model by its contents, so that a copy under another name is known too. Of the two models of one class, 2511
    alone gives its input pictures a time step of their own (`zero_cond_t`)."""
    if pipeline == "QwenImageEditPipeline":
        return "Qwen-Image-Edit"
    if pipeline != "QwenImageEditPlusPipeline":
        return None
    path = CheckpointPaths(PipelinePaths(folder).transformer).config
    config = files.parse(files.read(path), str(path))
    return "Qwen-Image-Edit-2511" if config.get("zero_cond_t") else "Qwen-Image-Edit-2509"
