"""What an editor takes on this device with each setting for little memory: bytes against the estimate, seconds, and how far its
pictures are from those without it.

    python tests/gpu/memory.py [--model FOLDER] [--setting "--offload group" ...] [--steps 4] [--side 1024] [--out FILE]
    python tests/gpu/memory.py --tiny        the same code on a CPU in seconds; its figures mean nothing

Without `--model` it writes a thin Qwen-Image-Edit with random weights: layers of the published width, but four of the
denoiser's 60 and of the text encoder's 28 (about 5 GB on disk). Nothing is downloaded. Prints JSON; PSNR is None for equal
pictures.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any
from unittest import mock

import numpy as np
import torch
import typer
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus
from PIL import Image

from editbench import tiny
from editbench.edit import memory
from editbench.edit.editor import Request
from editbench.edit.memory import Setting
from editbench.edit.pipeline import PipelineEditor
from editbench.edit.settings import EditSettings
from editbench.models import Kind, Model

SETTINGS = [Setting(), Setting(vae_tiling=True), Setting("model"), Setting("group")]
SETTINGS += [Setting(quantize=method) for method in ("int8", "fp8", "nf4")]
SETTINGS += [Setting("model", "nf4"), Setting("model", "int8"), Setting("group", "int8")]
ON_CPU = [Setting(), Setting(vae_tiling=True), Setting(quantize="int8")]
WIDE = {"hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28, "num_key_value_heads": 4}
"""Of Qwen2.5-VL-7B; its vocabulary is the tiny one."""
TOWER = {"hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 3584}
LAYERS = 4


def write_thin(folder: Path) -> Path:
    """A pipeline whose layers have the published sizes."""
    import diffusers

    text, vision = tiny._text_config, tiny._vision_config
    rope, wide = {"mrope_section": [16, 24, 24], "rope_theta": 1e6}, {"num_hidden_layers": LAYERS, **WIDE}
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    denoiser, vae = diffusers.QwenImageTransformer2DModel(num_layers=LAYERS), diffusers.AutoencoderKLQwenImage()
    with (
        mock.patch.object(tiny, "_text_config", lambda tokenizer, _rope: {**text(tokenizer, rope), **wide}),
        mock.patch.object(tiny, "_vision_config", lambda **sizes: {**vision(**sizes), "depth": LAYERS, **TOWER}),
        mock.patch.object(diffusers, "QwenImageTransformer2DModel", return_value=denoiser),
        mock.patch.object(diffusers, "AutoencoderKLQwenImage", return_value=vae),
    ):
        tiny._write_editor(folder, tiny._tokenizer())
    torch.set_default_dtype(torch.float32)
    return folder


def measured(folder: Path, setting: Setting, device: str, *, steps: int, side: int) -> tuple[dict[str, Any], np.ndarray]:
    """Figures of one setting, and the picture that it gives."""
    dtype = "float32" if device == "cpu" else "bfloat16"
    options = {"offload": setting.offload, "quantize": setting.quantize, "vae_tiling": setting.vae_tiling}
    settings = EditSettings(steps=steps, cfg=4.0, negative_prompt=" ", dtype=dtype, size=str(side * side), **options)
    source = Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8))
    request = Request(images=[source], instruction="make it snow", seed=1, size=(side, side))
    on_cuda = device.startswith("cuda")
    if on_cuda:
        torch.cuda.reset_peak_memory_stats()
    editor = PipelineEditor(str(folder), device, settings)
    editor.edit(request, lambda *_: None)  # warms up
    began = time.perf_counter()
    picture = np.asarray(editor.edit(request, lambda *_: None).image).astype(float)
    spent = time.perf_counter() - began
    pipeline = memory.known(Model(Kind.FOLDER, folder.name, str(folder), {}))
    estimate = pipeline.peak(setting, memory.work_of(settings, device.partition(":")[0])) if pipeline else None
    peak = torch.cuda.max_memory_allocated() if on_cuda else None
    return {"setting": str(setting) or "none", "seconds": spent, "peak": peak, "estimate": estimate}, picture


def compared(folder: Path, settings: list[Setting], device: str, *, steps: int, side: int) -> list[dict[str, Any]]:
    """Figures of all settings, the first of which the pictures of the others are compared with. One that fails says why."""
    rows, first = [], None
    for setting in settings:
        try:
            row, picture = measured(folder, setting, device, steps=steps, side=side)
        except (RuntimeError, ImportError, ValueError, AssertionError) as error:
            row = {"setting": str(setting) or "none", "error": f"{type(error).__name__}: {error}"[:300]}
        else:
            first = picture if first is None else first
            row["psnr"] = psnr(first, picture)
        rows.append(row)
        sys.stderr.write(f"{row}\n")
        gc.collect()
        if device.startswith("cuda"):
            torch.cuda.empty_cache()
    return rows


def psnr(one: np.ndarray, other: np.ndarray) -> float | None:
    """In decibels; None for equal pictures."""
    error = float(((one - other) ** 2).mean())
    return 10 * float(np.log10(255**2 / error)) if error else None


def parsed(text: str) -> Setting:
    """`--offload model --quantize nf4` as a setting."""
    return next(setting for setting in [*SETTINGS, *memory.CANDIDATES] if (str(setting) or "none") == text)


def main(
    model: Annotated[Path | None, typer.Option(help="A pipeline's folder; default: a thin one with random weights.")] = None,
    setting: Annotated[list[str], typer.Option(help="Such as '--offload group'; default: all.")] = [],  # noqa: B006
    device: str = "cuda:0",
    steps: int = 4,
    side: int = 1024,
    quick: Annotated[bool, typer.Option("--tiny", help="A tiny model on the CPU: shows that it runs.")] = False,
    out: Annotated[Path | None, typer.Option(help="For the JSON; else it is printed.")] = None,
) -> None:
    """Measure, and print JSON."""
    settings = [parsed(text) for text in setting] or (ON_CPU if quick else SETTINGS)
    with tempfile.TemporaryDirectory() as work:
        if quick:
            torch.set_num_threads(1)
            folder, device, steps, side = tiny.write(Path(work) / "tiny").editor, "cpu", 1, 64
            for name in ("CONDITION_IMAGE_SIZE", "VAE_IMAGE_SIZE"):
                setattr(pipeline_qwenimage_edit_plus, name, side * side)
        else:
            folder = model or write_thin(Path(work) / "thin")
        rows = compared(folder, settings, device, steps=steps, side=side)
    name = "cpu" if device == "cpu" else torch.cuda.get_device_name(device)
    text = json.dumps({"device": name, "torch": torch.__version__, "steps": steps, "side": side, "rows": rows}, indent=2)
    out.write_text(text + "\n") if out else sys.stdout.write(text + "\n")


if __name__ == "__main__":
    typer.run(main)
