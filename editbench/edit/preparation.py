"""The parts of a pipeline that prepare pictures and prompts, where diffusers would load them with code that needs torchvision.

Whether torchvision is installed would also decide the pixels: transformers prepares pictures with it where it can, and with
Pillow elsewhere. Here it is always Pillow.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from editbench.edit.index import Index
from editbench.processors import assemble, explained


def components(index: Index) -> dict[str, Any]:
    """By name, those that `from_pretrained` of the pipeline is to take in place of its own.

    Raises:
        UserError: transformers can't make one of what is in its folder.
    """
    loaded = {}
    for name, (library, kind) in index.components.items():
        if library == "transformers" and kind.endswith(("Processor", "ProcessorFast")):
            with explained(f"the {kind} of {index.folder / name}", "Is the checkpoint whole?"):
                loaded[name] = _load(kind, index.folder / name)
    return loaded


def _load(kind: str, folder: Path) -> Any:
    kind = kind.removesuffix("Fast")
    if kind == "PixtralProcessor":
        _import_pixtral()
    import transformers

    if kind.endswith("ImageProcessor"):
        return getattr(transformers, f"{kind}Pil").from_pretrained(folder, local_files_only=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return assemble(getattr(transformers, kind), folder, tokenizer)


def _import_pixtral() -> None:
    """Make PixtralProcessor (FLUX.2) importable without torchvision: its module wants one function of the image processor that
    needs it, and the Pillow image processor's module has the same."""
    from transformers.models.pixtral import image_processing_pil_pixtral
    from transformers.utils import is_torchvision_available

    if not is_torchvision_available():
        package = image_processing_pil_pixtral.__name__.rpartition(".")[0]
        sys.modules.setdefault(f"{package}.image_processing_pixtral", image_processing_pil_pixtral)
        module = importlib.import_module(f"{package}.processing_pixtral")
        sys.modules["transformers"].PixtralProcessor = module.PixtralProcessor  # type: ignore[attr-defined]
