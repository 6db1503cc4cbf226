"""Any diffusers edit pipeline as an editor: Qwen-Image-Edit first, and whatever takes an image and a prompt.

The class is the one that model_index.json names. It gets only the arguments that its signature knows; what it does not know is
named.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline

from editbench import kernels
from editbench.edit import (
    arguments,
    attention,
    caches,
    compilation,
    conditioning,
    decoded,
    index,
    memory,
    pipelines,
    preparation,
    size,
    variants,
)
from editbench.edit.editor import Request, Result, Step
from editbench.edit.settings import EditSettings
from editbench.edit.steps import StepCounter
from editbench.errors import UserError


class PipelineEditor:
    """Loads the pipeline in `folder` onto `device`. `attention`: the kernel that its attention is computed by.

    Raises:
        UserError: the pipeline takes no image, or no prompt.
    """

    def __init__(self, folder: str, device: str, settings: EditSettings) -> None:
        self._pipeline = _load(Path(folder), device, settings)
        self._pipeline.set_progress_bar_config(disable=True)
        self._name = type(self._pipeline).__name__
        parameters = inspect.signature(type(self._pipeline).__call__).parameters
        picture = pipelines.picture_argument(parameters)
        missing = [name for name, there in (("image", picture), ("prompt", "prompt" in parameters)) if not there]
        if picture is None or missing:
            message = f"{self._name} takes no {' and no '.join(missing)}: not an edit pipeline"
            raise UserError(message, "Choose an edit model.")
        defaults = {name: parameter.default for name, parameter in parameters.items()}
        wanted = _arguments(settings, arguments.guidance_argument(defaults, settings.negative_prompt))
        self._picture, self._known = picture, parameters.keys()
        self._fixed = {name: value for name, value in wanted.items() if name in parameters}
        self._fixed |= arguments.parse(settings.arguments)
        sized = settings.size == size.PIPELINE or pipelines.takes_size(self._name, parameters)
        self.ignored = sorted([name for name in wanted if name not in parameters] + ["size"] * (not sized))
        self.attention = attention.use(self._pipeline, settings.attention, device)
        caches.enable(self._pipeline, settings.cache)
        conditioning.remember(self._pipeline)
        if settings.compile:
            compilation.compile_blocks(self._pipeline, self.edit)

    @property
    def kernels(self) -> dict[str, str]:
        return kernels.attention(*(part for part in self._pipeline.components.values() if isinstance(part, torch.nn.Module)))

    def edit(self, request: Request, step: Step) -> Result:
        steps = StepCounter(step)
        as_list = len(request.images) > 1 or self._name in pipelines.SEVERAL
        if "callback_on_step_end" not in self._known:
            self._pipeline.progress_bar = steps.progress_bar
        offered = {
            **self._fixed,
            **_sizes(request.size),
            self._picture: request.images if as_list else request.images[0],
            "prompt": pipelines.prompt(self._name, request.instruction, len(request.images)),
            # A CPU generator gives the same noise on every kind of GPU.
            "generator": torch.Generator("cpu").manual_seed(request.seed),
            "callback_on_step_end": steps.callback,
            "output_type": decoded.output_type(self._pipeline),
        }
        caches.forget(self._pipeline)
        torch.manual_seed(request.seed)  # some schedulers draw noise of their own, and are handed no generator
        result = self._pipeline(**{name: value for name, value in offered.items() if name in self._known})
        return replace(decoded.finished(_picture(result)), steps=steps.made)


def _sizes(size: tuple[int, int] | None) -> dict[str, int]:
    """FLUX Kontext would scale to a megapixel without `max_area`."""
    return {} if size is None else {"width": size[0], "height": size[1], "max_area": size[0] * size[1]}


def _picture(result: Any) -> Any:
    """The picture of a pipeline's result: the first of `images` or `image`, or the last of the first video's `frames`."""
    for name in ("images", "image"):
        if (pictures := getattr(result, name, None)) is not None:
            return pictures[0]
    return result.frames[0][-1]


def _arguments(settings: EditSettings, guidance: str | None) -> dict[str, Any]:
    """Settings under the names pipelines use. Those left to the pipeline are left out."""
    wanted = {
        "num_inference_steps": settings.steps,
        guidance or "guidance_scale": settings.cfg,
        "negative_prompt": settings.negative_prompt,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _load(folder: Path, device: str, settings: EditSettings) -> DiffusionPipeline:
    # Passed in, a component is not loaded by the library, whose own may need torchvision.
    options: dict[str, Any] = {"dtype": getattr(torch, settings.dtype), **preparation.components(index.load(folder))}
    options |= variants.load_options(settings, folder)
    if device != "cpu" and settings.offload == "none":
        # Straight to the current device (set by the rank), component by component; memory-mapped, so that all ranks share one
        # page cache.
        options["device_map"] = device.partition(":")[0]
    with memory.explained(folder, settings, device):
        pipeline = DiffusionPipeline.from_pretrained(folder, **options)
        variants.apply(pipeline, settings, device)
    return pipeline
