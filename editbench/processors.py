"""Processors for still images: no video processor, and so no torchvision.

transformers builds a video processor inside the processors of most families, and that needs torchvision. Editors and judges
see still images only. Pictures are always prepared by the Pillow image processor: AutoImageProcessor picks by whether
torchvision is installed, and the two give different pixels.

>>> processor = load_processor(Path("Qwen3-VL-8B-Instruct"), Qwen3VLProcessor)
>>> inputs = processor(text=prompts, images=pictures, padding=True, return_tensors="pt")
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editbench import files
from editbench.errors import UserError
from editbench.foreign_paths import CheckpointPaths

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase, ProcessorMixin


@dataclass(frozen=True, slots=True)
class _ChatTemplate:
    """chat_template.json, as older versions of transformers wrote it."""

    chat_template: str


_TOKENS = {"image": "<|image_pad|>", "video": "<|video_pad|>"}
_TOKENS |= {name: f"<|{name}|>" for name in ("vision_start", "vision_end")}


def still_images_only(base: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """`base` (Qwen2VLProcessor, Qwen2_5_VLProcessor, Qwen3VLProcessor) without its video processor."""
    from transformers import ProcessorMixin

    class StillImageProcessor(base):
        # ProcessorMixin reads the parts of a processor off this signature.
        def __init__(self, image_processor: Any = None, tokenizer: Any = None, chat_template: str | None = None) -> None:
            for name, token in _TOKENS.items():
                setattr(self, f"{name}_token", token)
                setattr(self, f"{name}_token_id", tokenizer.convert_tokens_to_ids(token))
            ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

    # What is saved names its class; a stranger's from_pretrained must find the library's own.
    StillImageProcessor.__name__ = base.__name__
    StillImageProcessor.__module__ = base.__module__
    return StillImageProcessor


def load_processor(
    folder: Path, base: type[ProcessorMixin], *, padding_side: str = "left", **image_options: Any
) -> ProcessorMixin:
    """The processor in `folder`, as transformers 5 saves it (processor_config.json) or as published (preprocessor_config.json).

    `image_options` override the checkpoint's image settings, such as `size={"shortest_edge": a, "longest_edge": b}` (areas in
    pixels). The chat template is that of chat_template.jinja, else chat_template.json, else the tokenizer's, else None.

    Raises:
        OSError: no tokenizer or no image settings in `folder`.
    """
    from transformers import AutoTokenizer
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side=padding_side, local_files_only=True)
    if "size" in image_options:  # Older checkpoints have these beside the size, and they would win.
        image_options |= {"min_pixels": None, "max_pixels": None}
    images = Qwen2VLImageProcessorPil.from_pretrained(folder, local_files_only=True, **image_options)
    return still_images_only(base)(images, tokenizer, chat_template=chat_template(CheckpointPaths(folder), tokenizer))


@contextmanager
def explained(what: str, remedy: str) -> Iterator[None]:
    """Around making `what`: parts that are missing or do not belong together become a UserError."""
    try:
        yield
    except (ImportError, OSError, ValueError, TypeError, AttributeError, KeyError) as error:  # whatever transformers raises
        raise UserError(f"transformers can't make {what}: {type(error).__name__}: {error}", remedy) from None


def assemble(base: type[ProcessorMixin], folder: Path, tokenizer: PreTrainedTokenizerBase) -> ProcessorMixin:
    """A processor of any family, `base`, from the settings in `folder`: its parts for videos and sounds are None.

    Raises:
        As `explained` says.
    """
    from transformers import AutoImageProcessor

    images = AutoImageProcessor.from_pretrained(folder, backend="pil", local_files_only=True)
    parts = {"tokenizer": tokenizer, "image_processor": images}
    settings, _ = base.get_processor_dict(folder, local_files_only=True)
    settings["chat_template"] = chat_template(CheckpointPaths(folder), tokenizer) or settings.get("chat_template")
    kind = _without_missing_parts(base)
    return kind.from_args_and_dict([parts.get(name) for name in kind.get_attributes()], settings)


def _without_missing_parts(base: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """`base`, whose parts may be None."""

    class StillImageProcessor(base):
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            return None if argument is None else super().check_argument_for_proper_class(argument_name, argument)

    StillImageProcessor.__name__ = base.__name__
    return StillImageProcessor


def chat_template(paths: CheckpointPaths, tokenizer: PreTrainedTokenizerBase) -> str | None:
    """That of chat_template.jinja, else chat_template.json, else the tokenizer's, else None."""
    if paths.chat_template.is_file():
        return paths.chat_template.read_text(encoding="utf-8")
    if paths.chat_template_json.is_file():
        return files.load(paths.chat_template_json, _ChatTemplate, "Download the checkpoint again.").chat_template
    return tokenizer.chat_template
