"""What is known of diffusers' pipeline classes beyond their signatures: which edit a picture by a prompt, and how they take it.

PIPELINES.md beside this file lists every class with a picture and a prompt among its arguments. Most of it follows from
signatures; the tables here say the rest.
"""

from __future__ import annotations

from collections.abc import Collection

import orjson

from editbench.edit.pipeline_class import REQUIRED, PipelineClass

PICTURES = ("image", "images", "input_images")
"""The arguments that take the pictures to edit, by the names pipelines have for them."""

SEVERAL = frozenset(
    {
        "BriaFibo2Pipeline",
        "BriaFiboEditPipeline",
        "Flux2KleinKVPipeline",
        "Flux2KleinPipeline",
        "Flux2Pipeline",
        "GlmImagePipeline",
        "JoyImageEditPlusPipeline",
        "OmniGenPipeline",
        "QwenImage21Pipeline",
        "QwenImageEditPlusPipeline",
        "ZImageOmniPipeline",
    }
)
"""Classes that take a list of pictures as the inputs of one edit. To the others it is a batch, of which they refuse some."""

LAST_FRAME = frozenset({"ChronoEditPipeline"})
"""Classes that make a short video from the source to the edit, whose last frame is the edit."""

OWN_SIZES = frozenset({"JoyImageEditPipeline", "Kandinsky5I2IPipeline", "SanaSprintImg2ImgPipeline"})
"""Classes that take a width and a height for the choice of one of their own sizes."""

MULTIPLES = {
    "BriaFiboEditPipeline": 32,
    "GlmImagePipeline": 32,
    "HunyuanImageRefinerPipeline": 32,
    "QwenImage21Pipeline": 32,
    "SanaSprintImg2ImgPipeline": 32,
}
"""What widths and heights are multiples of, where it is not `size.MULTIPLE`."""

BFLOAT16 = frozenset({"ZImageOmniPipeline"})
"""Classes whose code converts to bfloat16, whatever the weights are."""

PACKAGES = {"ChronoEditPipeline": "ftfy", "KolorsImg2ImgPipeline": "sentencepiece", "OmniGenPipeline": "torchvision"}
"""What a class needs beyond what diffusers does; without it the class fails, some only in its call."""

_COMBINED = "is put together from two checkpoints"
_EMBEDDINGS = "makes embeddings for another pipeline"
_OTHER_PURPOSE = {
    "DiffusionGemmaPipeline": "makes text",
    "FluxPriorReduxPipeline": _EMBEDDINGS,
    "KandinskyImg2ImgCombinedPipeline": _COMBINED,
    "KandinskyV22Img2ImgCombinedPipeline": _COMBINED,
    "KandinskyV22PriorEmb2EmbPipeline": _EMBEDDINGS,
    "QwenImageLayeredPipeline": "takes a picture apart into layers",
    "StableCascadeCombinedPipeline": _COMBINED,
    "StableCascadePriorPipeline": _EMBEDDINGS,
    "UniDiffuserPipeline": "takes no picture beside a prompt",
}
_OTHER_INPUT = {
    "original_image": "needs a small edit that another pipeline made",
    "mask_image": "needs a mask",
    "control_mask": "needs a mask",
    "control_image": "needs a control picture, such as edges or a depth map",
}
_CONTROL = ("controlnet", "adapter")
"""Components that make the picture a control signal."""


def picture_argument(arguments: Collection[str]) -> str | None:
    """The one of these that takes the pictures to edit."""
    return next((name for name in PICTURES if name in arguments), None)


def takes_size(class_name: str, arguments: Collection[str]) -> bool:
    """Whether the picture is as wide and high as a call with these arguments asks for."""
    return "height" in arguments and class_name not in OWN_SIZES


def refusal(kind: PipelineClass) -> str | None:
    """Why this class edits no pictures by a prompt; None where it does."""
    picture = picture_argument(kind.call)
    missing = [name for name, there in (("image", picture), ("prompt", "prompt" in kind.call)) if not there]
    if missing:
        return f"takes no {' and no '.join(missing)}"
    if kind.name in _OTHER_PURPOSE:
        return _OTHER_PURPOSE[kind.name]
    if kind.name.startswith("Onnx"):
        return "runs on ONNX, not on torch"
    if kind.name not in LAST_FRAME and kind.call.keys() & {"num_frames", "frames", "frame_rate", "pose_video"}:
        return "makes a video"
    if any(name in kind.init for name in _CONTROL):
        return "takes its picture as a control signal, such as edges or a depth map"
    needed = [reason for name, reason in _OTHER_INPUT.items() if name in kind.call]
    needed += [
        f"needs {name}" for name, default in kind.call.items() if default is REQUIRED and name not in {picture, "prompt"}
    ]
    return needed[0] if needed else None


def prompt(class_name: str, instruction: str, pictures: int) -> str:
    """The instruction as the class wants to be prompted."""
    if class_name == "OmniGenPipeline":  # marks where in the prompt each picture stands
        return "".join(f"<img><|image_{number}|></img>" for number in range(1, pictures + 1)) + f" {instruction}"
    if class_name == "BriaFiboEditPipeline":  # takes JSON alone; its card has a model make more of it from the picture
        return orjson.dumps({"edit_instruction": instruction}).decode()
    return instruction
