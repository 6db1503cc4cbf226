"""The processor of a checkpoint as transformers has it for its family, but for still images only.

Processors of most families build a video processor, which needs torchvision. Pictures are prepared by the family's Pillow image
processor, whether torchvision is installed or not: the two give different pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from editbench.processors import assemble, explained

if TYPE_CHECKING:
    from transformers import ProcessorMixin


def load(folder: Path) -> ProcessorMixin:
    """Raises UserError where transformers can't make one of what is in `folder`."""
    with explained(f"the processor of {folder}", "Is the checkpoint whole, and is its family one that takes still images?"):
        from transformers import AutoConfig, AutoTokenizer
        from transformers.models.auto.processing_auto import PROCESSOR_MAPPING

        base = PROCESSOR_MAPPING[type(AutoConfig.from_pretrained(folder, local_files_only=True))]
        tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left", local_files_only=True)
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        return assemble(base, folder, tokenizer)
