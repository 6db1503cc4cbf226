"""Every setting that changes the pixels of an edit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Self

from typer import Option

from editbench.edit import size
from editbench.edit.attention import AUTO
from editbench.edit.caches import NONE
from editbench.errors import UserError

LATER = (
    "fast",
    "extra_images",
    "arguments",
    "lora",
    "scheduler",
    "preset",
    "offload",
    "quantize",
    "vae_tiling",
    "attention",
    "cache",
    "compile",
)
"""Settings that identities of earlier versions do not have."""
FIRST, ALL, FAIL = "first", "all", "fail"
"""What becomes of a sample's further input pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditSettings:
    """Part of the identity of a run. The command line takes its options from here. None means the pipeline's own default."""

    seed: Annotated[int, Option(help="Each sample's seed is a hash of this and its key.")] = 0
    steps: Annotated[int | None, Option(min=1, help="Denoising steps; default: the model's published number.")] = None
    cfg: Annotated[float | None, Option(help="Guidance scale; default: the model's published one.")] = None
    """`true_cfg_scale` where the pipeline has it, else `guidance_scale`."""
    negative_prompt: Annotated[str | None, Option(help="Default: what keeps true CFG on.")] = None
    """With true CFG it must be a text, " " will do: without one the pipeline silently leaves CFG out."""
    size: Annotated[
        str, Option(metavar="source|pipeline|AREA|WxH", help="Size of the edits; AREA, in pixels, keeps the aspect ratio.")
    ] = "1048576"
    """See `edit.size`."""
    dtype: Annotated[str, Option(metavar="DTYPE", help="auto, bfloat16, float16 or float32.")] = "auto"
    """`auto`: bfloat16 on an accelerator, float32 on a CPU."""
    categories: Annotated[tuple[str, ...], Option("--category", help="Only this category; repeatable.")] = ()
    limit: Annotated[int | None, Option(min=1, help="Only the first N samples.")] = None
    shard_size: Annotated[int, Option(min=1, help="Samples a shard.")] = 32
    fast: Annotated[bool, Option("--fast", help="The quickest kernels; their bits may change from run to run.")] = False
    extra_images: Annotated[
        str, Option(metavar="first|all|fail", help="Samples with several pictures: edit the first, pass all, or refuse.")
    ] = FAIL
    """`fail` refuses, before the start, a benchmark that has such samples with a pipeline that takes one picture; to those that
    take several it passes all."""
    arguments: Annotated[
        tuple[str, ...], Option("--set", metavar="NAME=VALUE", help="Any argument of the pipeline's call; repeatable.")
    ] = ()
    """See `edit.arguments`."""
    lora: Annotated[
        tuple[str, ...],
        Option("--lora", metavar="REPO[:FILE][@SCALE]", help="A LoRA of the model: hub id, folder or file; repeatable."),
    ] = ()
    scheduler: Annotated[
        str | None, Option(metavar="NAME|FILE", help="A scheduler class of diffusers, or a scheduler_config.json.")
    ] = None
    """Once settled, a class name or the settings themselves, as JSON (see `edit.schedulers`)."""
    preset: Annotated[
        str | None,
        Option(metavar="lightning-4|lightning-8", help="LoRA, scheduler, steps and guidance of a distilled variant."),
    ] = None
    """None once settled: a preset stands for other settings."""
    offload: Annotated[
        str, Option(metavar="none|model|group", help="Keep weights in main memory, and move models or layers when they work.")
    ] = "none"
    quantize: Annotated[
        str | None, Option(metavar="nf4|int8|fp8", help="Weights of transformer and text encoder in fewer bits.")
    ] = None
    vae_tiling: Annotated[bool, Option("--vae-tiling", help="Decode pictures in tiles, which takes less memory.")] = False
    attention: Annotated[
        str, Option(metavar="auto|NAME", help="Attention kernel, by diffusers' name; auto: by the device.")
    ] = AUTO
    """See `edit.attention`."""
    cache: Annotated[
        str, Option(metavar="METHOD[:VALUE]", help="Skip work that changes little: first-block, taylorseer. Other pictures.")
    ] = NONE
    """See `edit.caches`."""
    compile: Annotated[bool, Option("--compile", help="Compile the model's blocks: sooner, with other last bits.")] = False
    """See `edit.compilation`."""

    def check(self) -> None:
        """Raises UserError for settings that can't be, whatever the model."""
        size.parse(self.size)
        if self.cfg is not None and not math.isfinite(self.cfg):
            raise UserError(f"--cfg {self.cfg} is no guidance scale", "Give a number, such as 4.")
        values = [text for value in asdict(self).values() for text in (value if isinstance(value, tuple) else (value,))]
        for text in values:
            if isinstance(text, str) and any("\ud800" <= letter <= "\udfff" for letter in text):
                raise UserError(f"an option is not UTF-8: {text}", "Give it as UTF-8 text.")
        if self.extra_images not in (FIRST, ALL, FAIL):
            raise UserError(f"--extra-images {self.extra_images} is none of first, all and fail", "Give one of them.")

    def to_dict(self) -> dict[str, Any]:
        """By name; those of `LATER` only where they are used, so that folders of earlier versions are gone on with."""
        unused = {field.name: field.default for field in fields(self) if field.name in LATER}
        return {name: value for name, value in asdict(self).items() if name not in unused or value != unused[name]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """What `to_dict` gave, also after a way through JSON, which knows no tuples."""
        known: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        return cls(**known)
