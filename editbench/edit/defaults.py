"""What settings mean that were left open: the model's published steps and guidance, and what true CFG needs to be on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from editbench.edit import model_index
from editbench.edit.settings import EditSettings
from editbench.fleet.devices import Devices
from editbench.models import Kind, Model

PUBLISHED: dict[str, tuple[int, float]] = {
    "QwenImageEditPlusPipeline": (40, 4.0),
    "QwenImageEditPipeline": (50, 4.0),
}
"""Steps and guidance scale by pipeline class, as the models' cards on the hub give them. Others keep the pipeline's own
defaults."""


def in_effect(settings: EditSettings, model: Model, chosen: Devices) -> EditSettings:
    """The settings as they take effect: defaults of the model filled in, what it can't use left out."""
    if model.kind == Kind.CONTROL:
        return replace(settings, steps=None, cfg=None, negative_prompt=None, size="source", dtype="float32")
    settings = replace(settings, dtype=chosen.dtype(settings.dtype))
    if model.kind == Kind.CLASS:
        return settings
    name = model_index.pipeline_class(Path(model.location))
    steps, cfg = PUBLISHED.get(name, (None, None))
    settings = replace(
        settings,
        steps=settings.steps if settings.steps is not None else steps,
        cfg=settings.cfg if settings.cfg is not None else cfg,
    )
    if name.startswith("QwenImage") and settings.cfg is not None and settings.cfg > 1 and settings.negative_prompt is None:
        return replace(settings, negative_prompt=" ")  # without one the pipeline leaves CFG out and only logs a warning
    return settings
