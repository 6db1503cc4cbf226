"""The processor of a checkpoint as transformers has it for its family, but for still images only.

Processors of most families build a video processor, which needs torchvision. Pictures are prepared by the family's Pillow image
processor, whether torchvision is installed or not: the two give different pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from editbench.errors import UserError
from editbench.processors import assemble

if TYPE_CHECKING:
    from transformers import ProcessorMixin

_BROKEN = (ImportError, OSError, ValueError, TypeError, AttributeError, KeyError)
"""What transformers raises for parts that are missing or do not belong together."""


def load(folder: Path) -> ProcessorMixin:
    """Raises UserError where transformers can't make one of what is in `folder`."""
    try:
        return _load(folder)
    except _BROKEN as error:
        message = f"transformers can't make the processor of {folder}: {type(error).__name__}: {error}"
        raise UserError(message, "Is the checkpoint whole, and is its family one that takes still images?") from None


def _load(folder: Path) -> ProcessorMixin:
    from transformers import AutoConfig, AutoTokenizer
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

    base = PROCESSOR_MAPPING[type(AutoConfig.from_pretrained(folder, local_files_only=True))]
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left", local_files_only=True)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return assemble(base, folder, tokenizer)
