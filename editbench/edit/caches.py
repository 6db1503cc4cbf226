"""`--cache`: leave out work of a denoising step that would change little. Faster, and other pictures: a variant of the model.

A model with true CFG is called twice a step, with and without the prompt. The methods here keep what they remember apart by
call, as diffusers' pipelines name them (`cache_context`), so that neither call sees the other's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from editbench.edit import library
from editbench.errors import UserError

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

    from editbench.edit.index import Index

NONE = "none"
FIRST_BLOCK, TAYLORSEER = "first-block", "taylorseer"


@dataclass(frozen=True, slots=True)
class Method:
    """`value`: what METHOD alone stands for, diffusers' default; `low`, `high`: between which it must be."""

    what: str
    value: float
    low: float
    high: float
    whole: bool = False


METHODS = {
    FIRST_BLOCK: Method("the change of the first block's output up to which the others are left out", 0.05, 0.0, 1.0),
    TAYLORSEER: Method("steps from one that is computed to the next", 5, 2, 20, whole=True),
}
REFUSED = {
    "magcache": "it needs the magnitude ratios of the very checkpoint, and diffusers has those of FLUX.1 alone",
    "fastercache": "it expects both calls of CFG in one batch, and edit pipelines make two",
    "pyramid": "what it remembers it does not keep apart for the two calls of CFG",
    "seacache": "it needs the noise level of each step, which edit pipelines do not tell it, and so leaves out nothing",
    "text-kv": "it knows the blocks of one text-to-image model alone, and so leaves out nothing",
}
"""Other methods of diffusers, and what stands against them here: seen with diffusers 0.42.1 on a tiny Qwen-Image-Edit."""


def in_full(text: str) -> str:
    """`METHOD:VALUE`, or `none`: what `--cache` means, whatever a later version's defaults are.

    Raises:
        UserError: no method, one that does not work with edit pipelines, or a value that can't be.
    """
    name, value = _parse(text)
    return name if name == NONE else f"{name}:{value:g}"


def check(text: str, checkpoint: Index) -> None:
    """Raises UserError where a checkpoint's classes do not support the method `text`, as their source tells."""
    name, _ = _parse(text)
    if name != NONE and (reason := _obstacle(name, checkpoint)):
        raise UserError(f"--cache {text} does not work with {checkpoint.class_name}: {reason}", "Leave it out.")


def enable(pipeline: DiffusionPipeline, text: str) -> None:
    """Have the pipeline's denoising model leave out what the method `text` says. `check` comes first.

    Raises:
        UserError: as `in_full`; diffusers does not know the blocks of the pipeline's model.
    """
    name, value = _parse(text)
    if name == NONE:
        return
    try:
        pipeline.transformer.enable_cache(_config(name, value, pipeline.transformer))
    except ValueError as error:
        raise UserError(f"--cache {text} does not work with {type(pipeline).__name__}: {error}", "Leave it out.") from None


def forget(pipeline: DiffusionPipeline) -> None:
    """Drop what an edit that raised has left behind: the next picture would be made of it."""
    model: Any = getattr(pipeline, "transformer", None)
    if getattr(model, "is_cache_enabled", False):
        from diffusers.hooks import HookRegistry

        HookRegistry.check_if_exists_or_initialize(model).reset_stateful_hooks()  # as a pipeline does at the end of its call


def _parse(text: str) -> tuple[str, float]:
    name, _, number = text.partition(":")
    if text == NONE:
        return NONE, 0.0
    remedy = f"Choose {NONE}, {' or '.join(f'{each}[:VALUE]' for each in METHODS)}."
    if reason := REFUSED.get(name):
        raise UserError(f"--cache {name} does not work here: {reason}", remedy)
    if (method := METHODS.get(name)) is None:
        raise UserError(f"--cache {text} is unknown", remedy)
    try:
        value = float(number or method.value)
    except ValueError:
        value = math.nan
    if not method.low <= value <= method.high or (method.whole and not value.is_integer()):
        kind = "whole number" if method.whole else "number"
        message = f"--cache {text}: {method.what}, a {kind} from {method.low:g} to {method.high:g}"
        raise UserError(message, f"Give for example {name}:{method.value:g}.")
    return name, value


def _obstacle(name: str, checkpoint: Index) -> str | None:
    model = library.mentioned(checkpoint.class_of("transformer"))
    if "CacheMixin" not in model:
        return "its model has no caches"
    if "cache_context" not in library.mentioned(checkpoint.class_name):
        return "it does not tell the calls of a step apart"
    if name == FIRST_BLOCK and "single_transformer_blocks" in model:  # diffusers 0.42.1 dies on FLUX.2's, in the first step
        return "its model has blocks of two kinds"
    if name == TAYLORSEER and not {"proj_out", "transformer_blocks"} <= model:
        return "its model's output is made elsewhere"
    return None


def _config(name: str, value: float, model: Any) -> Any:
    from diffusers import FirstBlockCacheConfig, TaylorSeerCacheConfig

    if name == FIRST_BLOCK:
        return FirstBlockCacheConfig(threshold=value)
    # The lite form: the last layer's output is extrapolated and all blocks are left out. The full one keeps every attention's
    # output, 12 GB at 1024 x 1024 with 60 layers by their shapes, and leaves out the attention alone.
    return TaylorSeerCacheConfig(cache_interval=int(value), taylor_factors_dtype=model.dtype, use_lite_mode=True)
