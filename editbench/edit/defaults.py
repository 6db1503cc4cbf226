"""What settings mean that were left open: the model's published steps and guidance, and what true CFG needs to be on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from editbench import console, identity
from editbench.edit import arguments, index, pipelines, size
from editbench.edit.index import Index
from editbench.edit.pipeline_class import PipelineClass
from editbench.edit.settings import FAIL, EditSettings
from editbench.errors import UserError
from editbench.fleet.devices import Devices
from editbench.models import Kind, Model
from editbench.wording import counted


@dataclass(frozen=True, slots=True)
class Published:
    """What a model's authors publish. `cfg` is meant for the argument that `--cfg` sets without a negative prompt. It holds for
    checkpoints of `class_name` whose name matches `named` and whose model_index.json has these `values`."""

    class_name: str
    steps: int
    cfg: float | None
    source: str
    named: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    def holds(self, name: str, checkpoint: Index) -> bool:
        settings = all(checkpoint.values.get(key) == value for key, value in self.values.items())
        return checkpoint.class_name == self.class_name and settings and bool(re.search(self.named, name, re.IGNORECASE))


PUBLISHED = (
    Published("QwenImageEditPlusPipeline", 40, 4.0, "cards of Qwen/Qwen-Image-Edit-2509 and -2511"),
    Published("QwenImageEditPipeline", 50, 4.0, "card of Qwen/Qwen-Image-Edit"),
    Published("QwenImage21Pipeline", 40, 1.0, "documentation of diffusers, qwenimage21: the values Qwen recommends"),
    Published("FluxKontextPipeline", 28, 2.5, "example of diffusers' FluxKontextPipeline; steps: the class's default"),
    Published("Flux2Pipeline", 50, 4.0, "card of black-forest-labs/FLUX.2-dev"),
    Published(
        "Flux2KleinPipeline", 4, 1.0, "cards of black-forest-labs/FLUX.2-klein-4B and -9B", values={"is_distilled": True}
    ),
    Published("Flux2KleinPipeline", 50, 4.0, "example of diffusers' Flux2KleinPipeline"),
    Published("Flux2KleinKVPipeline", 4, None, "example of diffusers' Flux2KleinKVPipeline"),
    Published(
        "LongCatImageEditPipeline",
        8,
        1.0,
        "card of meituan-longcat/LongCat-Image-Edit-Turbo: 8 evaluations of the model",
        named="turbo",
    ),
    Published("LongCatImageEditPipeline", 50, 4.5, "card of meituan-longcat/LongCat-Image-Edit"),
)
"""The first that holds counts. Others keep the defaults of the pipeline's class. The scheduler is the one of the checkpoint."""


def in_effect(settings: EditSettings, model: Model, chosen: Devices) -> EditSettings:
    """The settings as they take effect: defaults of the model filled in, what it can't use left out.

    Raises:
        UserError: a checkpoint that is no edit pipeline or not whole, or a `--set` that it does not know.
    """
    if model.kind == Kind.CONTROL:
        return replace(
            settings,
            steps=None,
            cfg=None,
            negative_prompt=None,
            size="source",
            dtype="float32",
            extra_images=FAIL,
            arguments=(),
        )
    settings = replace(settings, dtype=chosen.dtype(settings.dtype))
    if model.kind == Kind.CLASS:
        if settings.arguments:
            raise UserError(f"--set is for pipelines of diffusers, and {model.name} is a class", "Leave it out.")
        return settings
    checkpoint = index.load(Path(model.location))
    return _of_pipeline(settings, model.name, checkpoint, checkpoint.check())


def _of_pipeline(settings: EditSettings, name: str, checkpoint: Index, kind: PipelineClass) -> EditSettings:
    if kind.name in pipelines.BFLOAT16 and settings.dtype != "bfloat16":
        raise UserError(f"{kind.name} computes in bfloat16 alone", "Give --dtype bfloat16.")
    published = _published(name, checkpoint)
    usual = arguments.guidance_argument(kind.call, None)
    if settings.cfg is None and published and arguments.guidance_argument(kind.call, settings.negative_prompt) == usual:
        settings = replace(settings, cfg=published.cfg)
    if settings.steps is None and published:
        settings = replace(settings, steps=published.steps)
    if usual == "true_cfg_scale" and "negative_prompt" in kind.call and settings.negative_prompt is None:
        scale = kind.call[usual] if settings.cfg is None else settings.cfg
        if scale > 1:  # without a negative prompt the pipeline leaves CFG out and only logs a warning
            settings = replace(settings, negative_prompt=" ")
    guidance = arguments.guidance_argument(kind.call, settings.negative_prompt)
    settings = replace(settings, arguments=arguments.settle(settings.arguments, kind, guidance))
    schedule = _schedule(settings, checkpoint, kind)
    return replace(settings, steps=len(schedule)) if schedule else settings


def _schedule(settings: EditSettings, checkpoint: Index, kind: PipelineClass) -> list[float] | None:
    """The one that is given, or that the checkpoint brings (Qwen-Image-2.1-Turbo): it decides how many steps there are."""
    given = arguments.parse(settings.arguments)
    own = checkpoint.values.get("sample_sigmas") if "sample_sigmas" in kind.init else None
    schedule = given.get("sigmas") or given.get("timesteps") or own
    return schedule if isinstance(schedule, list) else None


def _published(name: str, checkpoint: Index) -> Published | None:
    return next((published for published in PUBLISHED if published.holds(name, checkpoint)), None)


def overruled(asked: EditSettings, taken: EditSettings) -> None:
    """Warn of steps that a schedule overrules."""
    if asked.steps is not None and taken.steps not in (None, asked.steps):
        console.warn(
            f"--steps {asked.steps} is ignored: the schedule that is used has {counted(taken.steps, 'step')} of its own"
        )


def explained(settings: EditSettings, model: Model) -> Iterator[tuple[str, str]]:
    """(setting, value and where it comes from) of steps, guidance, negative prompt and size, for the plan."""
    if not model.is_checkpoint:
        for name in ("steps", "cfg", "negative_prompt"):
            value = getattr(settings, name)
            yield name, "the model's own" if value is None else identity.shown(value)
        yield "size", settings.size
        return
    checkpoint = index.load(Path(model.location))
    kind, published = checkpoint.check(), _published(model.name, checkpoint)
    guidance = arguments.guidance_argument(kind.call, settings.negative_prompt)
    defaults = {"steps": "num_inference_steps", "cfg": guidance, "negative_prompt": "negative_prompt"}
    for name, argument in defaults.items():
        value = getattr(settings, name)
        as_published = published and name != "negative_prompt" and value == getattr(published, name)
        if argument is None or argument not in kind.call:
            yield name, "not taken" if value is None else f"{identity.shown(value)}, ignored: {kind.name} takes none"
        elif value is None:
            own = kind.call[argument]
            yield name, f"{'none' if own is None else identity.shown(own)} (default of {kind.name})"
        else:
            yield name, identity.shown(value) + (" (published)" if as_published else "")
    sized = settings.size == size.PIPELINE or pipelines.takes_size(kind.name, kind.call)
    yield "size", settings.size if sized else f"{settings.size}, ignored: {kind.name} chooses its own"
