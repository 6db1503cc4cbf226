"""Any diffusers edit pipeline as an editor: Qwen-Image-Edit first, and whatever takes an image and a prompt.

The class is the one that model_index.json names. It gets only the arguments that its signature knows; what it does not know is
named.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline
from diffusers.image_processor import VaeImageProcessor
from PIL import Image

from editbench import files
from editbench.edit.editor import Request, Result, Step, accepted
from editbench.edit.settings import EditSettings
from editbench.errors import UserError
from editbench.foreign_paths import PipelinePaths
from editbench.kernels import attention
from editbench.processors import load_processor


class PipelineEditor:
    """Loads the pipeline in `folder` onto `device`.

    Raises:
        UserError: the pipeline takes no image, or no prompt.
    """

    def __init__(self, folder: str, device: str, settings: EditSettings) -> None:
        self._pipeline = _load(Path(folder), device, settings.dtype)
        self._pipeline.set_progress_bar_config(disable=True)
        call = type(self._pipeline).__call__
        wanted = _arguments(settings, true_cfg=_has_true_cfg(call, settings))
        known = accepted(call, dict.fromkeys([*wanted, "image", "prompt", "height", "callback_on_step_end", "generator"]))
        if missing := {"image", "prompt"} - known.keys():
            name = type(self._pipeline).__name__
            raise UserError(
                f"{name} takes no {' and no '.join(sorted(missing))}: not an edit pipeline", "Choose an edit model."
            )
        self._fixed = {name: value for name, value in wanted.items() if name in known}
        self._known = known.keys()
        self.ignored = sorted([name for name in wanted if name not in known] + ["size"] * ("height" not in known))

    @property
    def kernels(self) -> dict[str, str]:
        return attention(*(part for part in self._pipeline.components.values() if isinstance(part, torch.nn.Module)))

    def edit(self, request: Request, step: Step) -> Result:
        images = request.images if len(request.images) > 1 else request.images[0]
        offered = {
            **self._fixed,
            "image": images,
            "prompt": request.instruction,
            "width": request.size[0],
            "height": request.size[1],
            "max_area": request.size[0] * request.size[1],  # FLUX Kontext would scale to a megapixel without it
            # A CPU generator gives the same noise on every kind of GPU.
            "generator": torch.Generator("cpu").manual_seed(request.seed),
            "callback_on_step_end": _reporter(step),
            "output_type": "np",
        }
        result = self._pipeline(**accepted(type(self._pipeline).__call__, offered))
        return _finished(result.images[0])


def _finished(image: Image.Image | np.ndarray) -> Result:
    """A pipeline's picture, of 8 bits or of floats (height, width, channels) in 0..1, as 8-bit RGB.

    Floats become what the pipeline itself would make of them (`output_type="pil"`), and NaN 0: what numpy would cast it to
    differs by machine. Looking for it takes 0.3 ms a megapixel.
    """
    if isinstance(image, Image.Image):
        return Result(image.convert("RGB"))
    finite = bool(np.isfinite(image).all())
    if not finite:
        image = np.nan_to_num(image, nan=0.0, posinf=1.0, neginf=0.0)
    return Result(VaeImageProcessor.numpy_to_pil(image)[0].convert("RGB"), finite)


def _reporter(step: Step) -> Any:
    def report(pipeline: Any, index: int, _timestep: Any, _tensors: dict[str, Any]) -> dict[str, Any]:
        step(index + 1, pipeline.num_timesteps)
        return {}

    return report


def _has_true_cfg(call: Any, settings: EditSettings) -> bool:
    """Whether `cfg` means `true_cfg_scale` here: FLUX Kontext has it beside its distilled `guidance_scale`, which is its main
    one."""
    parameters = inspect.signature(call).parameters
    distilled = "guidance_scale" in parameters and parameters["guidance_scale"].default is not None
    return "true_cfg_scale" in parameters and (settings.negative_prompt is not None or not distilled)


def _arguments(settings: EditSettings, *, true_cfg: bool) -> dict[str, Any]:
    """Settings under the names pipelines use. Those left to the pipeline are left out."""
    wanted = {
        "num_inference_steps": settings.steps,
        "true_cfg_scale" if true_cfg else "guidance_scale": settings.cfg,
        "negative_prompt": settings.negative_prompt,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _load(folder: Path, device: str, dtype: str) -> DiffusionPipeline:
    options: dict[str, Any] = {"dtype": getattr(torch, dtype)}
    path = PipelinePaths(folder).index
    index = files.parse(files.read(path), str(path))
    if index.get("processor", [None, None])[1] == "Qwen2VLProcessor":
        from transformers import Qwen2VLProcessor

        # The library's own would build a video processor too, which needs torchvision. Passed in, none is loaded.
        options["processor"] = load_processor(PipelinePaths(folder).processor, Qwen2VLProcessor)
    if device == "cpu":
        return DiffusionPipeline.from_pretrained(folder, **options)
    # Straight to the current device (set by the rank), component by component; memory-mapped, so that all ranks share one page
    # cache.
    return DiffusionPipeline.from_pretrained(folder, device_map=device.partition(":")[0], **options)
