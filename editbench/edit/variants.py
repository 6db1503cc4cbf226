"""What is put on a pipeline or changes how it is loaded: LoRAs, a scheduler, a preset of both, offloading, quantization, tiles.

Settled and checked before anything is loaded; `load_options` and `apply` are for the rank that loads the pipeline.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editbench import identity
from editbench.edit import index, lora, offload, presets, quantization, schedulers
from editbench.edit.settings import EditSettings
from editbench.errors import UserError
from editbench.models import Model

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

OPTIONS = ("lora", "scheduler", "preset", "offload", "quantize", "vae_tiling")


@dataclass(frozen=True, slots=True)
class Variant:
    """`settings`: as ranks take them, LoRAs by their files."""

    settings: EditSettings
    loras: tuple[lora.Lora, ...] = ()

    def named(self, model: Model) -> Model:
        """The model under a name that tells its LoRAs: tables tell models apart by it."""
        name = lora.JOIN.join([model.name, *(each.name for each in self.loras)])
        return replace(model, name=name, identity={**model.identity, "name": name})

    def pinned(self, settings: EditSettings) -> dict[str, Any]:
        """`settings` as the identity has them: LoRAs by their contents."""
        return settings.to_dict() | ({"lora": [each.identity for each in self.loras]} if self.loras else {})

    def check_fit(self, model: Model) -> None:
        """Raises UserError where a LoRA that is here does not fit `model`, whose weights are."""
        for each in self.loras:
            if each.path.is_file():
                lora.check_fit(each, Path(model.location))


def settle(settings: EditSettings, model: Model, kind: str, *, download: bool) -> Variant:
    """Settle the settings that make a variant of a pipeline, for devices of the torch type `kind`, and check all that can be
    checked before it is loaded. LoRAs are fetched if `download`.

    Raises:
        UserError: for what can't be, and for settings of a pipeline where `model` is none.
    """
    unused = EditSettings()
    asked = [name for name in OPTIONS if getattr(settings, name) != getattr(unused, name)]
    if not asked:
        return Variant(settings)
    if not model.is_checkpoint:
        option = asked[0].replace("_", "-")
        raise UserError(f"--{option} goes with a diffusers pipeline, not with {model.name}", f"Leave --{option} out.")
    checkpoint = index.load(Path(model.location))
    folder, name = checkpoint.folder, checkpoint.class_name
    settings = presets.expanded(settings, folder, name)
    if settings.scheduler is not None:
        scheduler = schedulers.settled(settings.scheduler)
        schedulers.check(scheduler, folder, name)
        settings = replace(settings, scheduler=scheduler)
    offload.check(settings.offload, settings.quantize, kind)
    quantization.check(settings.quantize, kind, settings.dtype)
    if settings.vae_tiling:
        offload.check_tiling(name, checkpoint.class_of("vae"))
    loras = tuple(_lora(text, name, download=download) for text in settings.lora)
    return Variant(replace(settings, lora=tuple(each.text for each in loras)), loras)


def shown(value: object) -> str:
    """A setting of `OPTIONS` for people."""
    return ", ".join(value) if isinstance(value, tuple) else identity.shown(value)


def load_options(settings: EditSettings, folder: Path) -> dict[str, Any]:
    """Arguments for `DiffusionPipeline.from_pretrained`."""
    return quantization.options(settings.quantize, folder, settings.dtype)


def apply(pipeline: DiffusionPipeline, settings: EditSettings, device: str) -> None:
    """Put what was settled on a loaded pipeline. Raises UserError for a LoRA that does not fit."""
    lora.load(pipeline, settings.lora)
    schedulers.replace(pipeline, settings.scheduler)
    offload.apply(pipeline, device, offload=settings.offload, vae_tiling=settings.vae_tiling)


def _lora(text: str, pipeline: str, *, download: bool) -> lora.Lora:
    resolved = lora.resolve(text)
    if download:
        resolved = lora.fetch(resolved)
    lora.check(resolved, pipeline)
    return resolved
