"""`--compile`: the repeated blocks of the denoising model, compiled by torch, for all sizes of pictures at once.

Compiled kernels round otherwise, so this is part of the identity. What is compiled is kept in torch's cache on disk
(TORCHINDUCTOR_CACHE_DIR, by default one a user and machine), from which other ranks and later runs take it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from PIL import Image

from editbench.edit import library
from editbench.edit.attention import DENOISERS, denoisers
from editbench.edit.editor import Request, Result, Step
from editbench.edit.index import Index
from editbench.edit.settings import EditSettings
from editbench.errors import UserError
from editbench.fleet.run_options import RunOptions

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

_SIDE = 512


class _WarmedUp(Exception):
    """Ends the edit that is made for the compiler's sake."""


def one_rank_first(options: RunOptions, settings: EditSettings, ranks: int) -> RunOptions:
    """How ranks that compile load: the first alone, and then all others at once, which find its kernels in the cache."""
    return replace(options, load_parallel=options.load_parallel or ranks) if settings.compile else options


def check(settings: EditSettings, checkpoint: Index) -> None:
    """Raises UserError where diffusers names no repeated blocks of the checkpoint's denoising model."""
    classes = [checkpoint.class_of(name) for name in DENOISERS]
    if settings.compile and not any("_repeated_blocks" in library.mentioned(name) for name in classes):
        message = f"--compile does not work with {checkpoint.class_name}: diffusers names no repeated blocks of its model"
        raise UserError(message, "Leave it out.")


def compile_blocks(pipeline: DiffusionPipeline, edit: Callable[[Request, Step], Result]) -> None:
    """Have the blocks compiled by the first step of an `edit`, so that it is the loading that takes the time and no sample.

    Raises:
        UserError: torch can't compile here.
    """
    from torch._dynamo.exc import TorchDynamoException

    try:
        for model in denoisers(pipeline):
            model.compile_repeated_blocks(dynamic=True)
        with contextlib.suppress(_WarmedUp):
            edit(Request(images=[Image.new("RGB", (_SIDE, _SIDE))], instruction="", seed=0, size=(_SIDE, _SIDE)), _stop)
    except (ValueError, TorchDynamoException) as error:
        reason = str(getattr(error, "inner_exception", error)).partition("\n")[0]
        message = f"--compile does not work with {type(pipeline).__name__} here: {reason}"
        raise UserError(message, "Leave it out.") from error


def _stop(_step: int, _steps: int) -> None:
    raise _WarmedUp
