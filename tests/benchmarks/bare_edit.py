"""The yardstick of `editbench edit`: the same pipeline calls one after the other, each picture saved where it is made.

    python bare_edit.py JOB.json        one process, one thread, PNGs at Pillow's default compression

It loads the model, waits for a line on stdin, and goes through the loop; at the end of stdin it just ends.
JOB.json: benchmark, model, out (folder for the pictures), result (file), samples, area, steps, cfg. The result, in seconds:

    began, ended    Unix times of the loop; the model is loaded before
    items           Unix time at which each sample was taken up
    saving          spent saving pictures, a part of the loop
    saving_fast     what saving them at compress_level=1 would have taken, measured after the loop
"""

from __future__ import annotations

import io
import sys
import time
from pathlib import Path
from typing import Any

import orjson
import torch
from diffusers import DiffusionPipeline
from PIL import Image
from transformers import Qwen2VLProcessor

from editbench import images
from editbench.benchmarks.benchmark import Benchmark
from editbench.edit import size
from editbench.edit.worker import seed_of
from editbench.foreign_paths import PipelinePaths
from editbench.paths import SOURCE
from editbench.processors import load_processor


def main(job: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    benchmark = Benchmark.open(Path(job["benchmark"])).select(limit=job["samples"])
    sizer, pipeline = size.parse(str(job["area"])), _load(Path(job["model"]))
    if not sys.stdin.readline():
        return
    pictures, items, saving = [], [], 0.0
    for sample, stored in zip(benchmark.samples, benchmark.stored, strict=True):
        items.append(time.time())
        source = images.decode(stored.read(stored.images(SOURCE)[0]), sample.key)
        width, height = sizer(source.size)
        result = pipeline(
            image=source,
            prompt=sample.instruction,
            negative_prompt=" ",
            true_cfg_scale=job["cfg"],
            num_inference_steps=job["steps"],
            width=width,
            height=height,
            generator=torch.Generator("cpu").manual_seed(seed_of(0, sample.key)),
        )
        pictures.append(result.images[0])
        began_saving = time.perf_counter()
        pictures[-1].save(Path(job["out"]) / f"{sample.key}.png")
        saving += time.perf_counter() - began_saving
    times = {"began": items[0], "ended": time.time(), "items": items, "saving": saving, "saving_fast": _saving_fast(pictures)}
    Path(job["result"]).write_bytes(orjson.dumps(times))


def _load(folder: Path) -> DiffusionPipeline:
    # The library's own processor needs torchvision.
    processor = load_processor(PipelinePaths(folder).processor, Qwen2VLProcessor)
    pipeline = DiffusionPipeline.from_pretrained(folder, processor=processor, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _saving_fast(pictures: list[Image.Image]) -> float:
    began = time.perf_counter()
    for picture in pictures:
        picture.save(io.BytesIO(), "PNG", compress_level=1)
    return time.perf_counter() - began


if __name__ == "__main__":
    main(orjson.loads(Path(sys.argv[1]).read_bytes()))
