"""How fast Qwen-Image-Edit-2511 edits on this device, plain and by editbench, and what share of the hardware's floor that is.

    python tests/gpu/editor.py [--part loop --part kernels ...] [--peak 790] [--out tests/gpu/editor.json]
    python tests/gpu/editor.py --tiny       the same code on a CPU in seconds; its figures mean nothing

The weights are random, of the published sizes, and made on the device: nothing is downloaded, and speed does not depend on
them, but for `first-block`, which decides by the values what to leave out. A byte is a token of the prompt here, which makes it
some 270 tokens longer than a real one. The floor is (operations of all forward passes of the denoising model, counted at the
lengths it saw) / (`--peak` TFLOP/s, what large products reach: 790 on an H200, 250 on an A100). Parts, each within 8 minutes
on an H200 by the published speeds:

    loop       a bare loop of the pipeline's calls and editbench's rank, image by image, in turn; pictures compared byte by byte
    phases     where an image's time goes
    kernels    seconds a forward pass by attention kernel, and how far the pictures are apart
    compile    the same with compiled blocks
    caches     seconds an image and pictures by method

Prints JSON. With --out, parts of an earlier run on the same device stay in the file.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import Annotated, Any
from unittest import mock

import numpy as np
import torch
import typer
from PIL import Image
from random_editor import TINY, Bench, Plan, digest, operations
from torch._dynamo.utils import counters

from editbench import tiny
from editbench.edit import decoded
from editbench.edit.editor import Editor
from editbench.errors import UserError

KERNELS = ("native", "_native_cudnn", "_native_flash", "_native_efficient", "flash", "_flash_3")
CACHES = ("none", "first-block", "taylorseer:3", "taylorseer:5")


@dataclass(slots=True)
class Passes:
    """Forward passes of the denoising model: seconds, operations, and how often its last block ran."""

    seconds: list[float] = field(default_factory=list)
    operations: float = 0.0
    last_block: int = 0


def synchronise(plan: Plan) -> None:
    if plan.device != "cpu":
        torch.cuda.synchronize()


@contextmanager
def timed(plan: Plan, owner: Any, name: str, spent: list[float]) -> Iterator[None]:
    """Has the calls of `owner.name` timed, one by one, with nothing else at work on the device."""
    call = getattr(owner, name)

    def measured(*args: Any, **kwargs: Any) -> Any:
        synchronise(plan)
        began = time.perf_counter()
        result = call(*args, **kwargs)
        synchronise(plan)
        spent.append(time.perf_counter() - began)
        return result

    with mock.patch.object(owner, name, measured):
        yield


@contextmanager
def counted(bench: Bench) -> Iterator[Passes]:
    """What the denoising model does meanwhile."""
    passes, model = Passes(), bench.pipeline.transformer

    def note(_module: Any, _args: Any, kwargs: dict[str, Any]) -> None:
        lengths = kwargs["hidden_states"].shape[1], kwargs["encoder_hidden_states"].shape[1]
        passes.operations += operations(model, *lengths)

    def block(*_: Any) -> None:
        passes.last_block += 1

    hooks = [
        model.register_forward_pre_hook(note, with_kwargs=True),
        model.transformer_blocks[-1].attn.register_forward_pre_hook(block),
    ]
    with timed(bench.plan, model, "forward", passes.seconds):
        yield passes
    for hook in hooks:
        hook.remove()


def nothing(_step: int, _steps: int) -> None:
    pass


def edited(bench: Bench, editor: Editor) -> tuple[float, Passes, Image.Image]:
    """(seconds, passes, picture) of an image."""
    with counted(bench) as passes:
        began = time.perf_counter()
        picture = editor.edit(bench.request(), nothing).image
    return time.perf_counter() - began, passes, picture


def decibels(left: Image.Image, right: Image.Image) -> float | None:
    """PSNR; None for equal pictures."""
    error = np.square(np.asarray(left, float) - np.asarray(right, float)).mean()
    return float(10 * np.log10(255**2 / error)) if error else None


def loop(bench: Bench) -> dict[str, Any]:
    plan = bench.plan
    _, passes, _ = edited(bench, bench.editor(steps=plan.few))  # kernels are loaded and chosen
    floor = passes.operations * plan.steps / plan.few / (plan.peak * 1e12)
    sides: dict[str, list[float]] = {"plain": [], "editbench": []}
    digests, rows = set(), []
    if plan.device != "cpu":
        torch.cuda.reset_peak_memory_stats()
    for repeat in range(plan.repeats):
        began = time.perf_counter()
        plain = [digest(bench.plain(number)) for number in range(plan.images)]
        sides["plain"].append((time.perf_counter() - began) / plan.images)
        spent, rows, ours = bench.rank(f"edits-{repeat}")
        sides["editbench"].append(spent / plan.images)
        digests.add(tuple(ours))
    phases = {name: median(row["seconds"][name] for row in rows) for name in rows[0]["seconds"]}
    middle = median(sides["editbench"])
    return {
        "seconds_an_image": sides,
        "ratio": middle / median(sides["plain"]),
        "floor_s": floor,
        "share_of_floor": floor / middle,
        "phases_of_a_rank_s": phases,
        "same_bytes_in_every_run": len(digests) == 1,
        "same_pixels_as_plain": digests == {tuple(plain)},
        "peak_memory_gib": torch.cuda.max_memory_allocated() / 2**30 if plan.device != "cpu" else None,
    }


def phases(bench: Bench) -> dict[str, Any]:
    """Seconds of an image by part, with the device made to wait between them."""
    plan, editor, pipeline = bench.plan, bench.editor(), bench.pipeline
    owners = {
        "text_encoder": (pipeline.text_encoder, "forward"),
        "vae_encode": (pipeline.vae, "encode"),
        "denoise": (pipeline.transformer, "forward"),
        "vae_decode": (pipeline.vae, "decode"),
        "to_host": (decoded, "finished"),
    }
    spent: dict[str, list[float]] = {name: [] for name in owners}
    for _ in range(2):  # the first warms up
        for each in spent.values():
            each.clear()
        pipeline.encode_prompt._answers.clear()
        with ExitStack() as stack:
            for name, owner in owners.items():
                stack.enter_context(timed(plan, *owner, spent[name]))
            began = time.perf_counter()
            editor.edit(bench.request(), nothing)
            whole = time.perf_counter() - began
    parts = {name: sum(values) for name, values in spent.items()}
    return {**parts, "rest": whole - sum(parts.values()), "whole": whole}


def kernels(bench: Bench) -> dict[str, Any]:
    figures: dict[str, Any] = {"auto": bench.editor(steps=1).attention}
    usual: Image.Image | None = None
    for name in KERNELS:
        try:
            editor = bench.editor(steps=bench.plan.few, attention=name)
        except UserError as error:
            figures[name] = {"can_not_run": str(error)}
            continue
        edited(bench, editor)
        _, passes, picture = edited(bench, editor)
        usual = usual or picture
        figures[name] = {**_a_pass(bench, passes), "psnr_db": decibels(picture, usual)}
    return figures


def compiled(bench: Bench) -> dict[str, Any]:
    plain = bench.editor(steps=bench.plan.few)
    edited(bench, plain)
    _, before, usual = edited(bench, plain)
    counters.clear()
    began = time.perf_counter()
    try:
        editor = bench.editor(steps=bench.plan.few, compile=True)
    except UserError as error:
        return {"can_not_run": str(error)}
    loading = time.perf_counter() - began
    edited(bench, editor)
    _, after, picture = edited(bench, editor)
    graphs = counters["stats"]["unique_graphs"]
    side = bench.plan.side
    other = replace(bench.request(), size=(side // 2, side), images=[bench.sources[0].resize((side // 2, side))])
    editor.edit(other, nothing)
    return {
        "plain": _a_pass(bench, before),
        "compiled": {**_a_pass(bench, after), "psnr_db": decibels(picture, usual)},
        "compiling_s": loading,
        "compiled_again_for_another_size": counters["stats"]["unique_graphs"] - graphs,
    }


def caches(bench: Bench) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    usual: Image.Image | None = None
    edited(bench, bench.editor(steps=bench.plan.few))
    for name in CACHES:
        spent, passes, picture = edited(bench, bench.editor(cache=name))
        usual = usual or picture
        figures[name] = {"seconds": spent, "last_block_ran": passes.last_block, "psnr_db": decibels(picture, usual)}
    return figures


def _a_pass(bench: Bench, passes: Passes) -> dict[str, float]:
    middle = median(passes.seconds)
    floor = passes.operations / len(passes.seconds) / (bench.plan.peak * 1e12)
    return {"ms_a_pass": 1e3 * middle, "share_of_floor": floor / middle}


class Part(StrEnum):
    LOOP = "loop"
    PHASES = "phases"
    KERNELS = "kernels"
    COMPILE = "compile"
    CACHES = "caches"


PARTS: dict[Part, Callable[[Bench], dict[str, Any]]] = {
    Part.LOOP: loop,
    Part.PHASES: phases,
    Part.KERNELS: kernels,
    Part.COMPILE: compiled,
    Part.CACHES: caches,
}


def measured(shape: str, plan: Plan, parts: Sequence[Part]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(tiny.write(Path(work) / "tiny").editor, Path(work), shape, plan)
        figures: dict[str, Any] = {}
        for part in parts:
            began = time.perf_counter()
            figures[part.value] = {**PARTS[part](bench), "seconds": time.perf_counter() - began}
            sys.stderr.write(f"{part.value} {json.dumps(figures[part.value])}\n")
    return figures


def main(
    part: Annotated[list[Part], typer.Option(help="Only these.")] = [*Part],  # noqa: B006
    device: str = "cuda",
    dtype: str = "bfloat16",
    side: int = 1024,
    steps: int = 40,
    images_a_side: Annotated[int, typer.Option("--images", help="Of each side, a repeat of the loop.")] = 2,
    repeats: int = 2,
    peak: Annotated[float, typer.Option(help="TFLOP/s that large products reach on this device.")] = 790.0,
    quick: Annotated[bool, typer.Option("--tiny", help="A tiny model on the CPU: shows that it runs.")] = False,
    out: Annotated[Path | None, typer.Option(help="For the JSON; else it is printed.")] = None,
) -> None:
    """Measure, and print JSON."""
    plan = Plan(device=device, dtype=dtype, side=side, steps=steps, images=images_a_side, repeats=repeats, peak=peak)
    plan = TINY if quick else plan
    if plan.device == "cpu":
        torch.set_num_threads(1)
    document = merged(out, plan, measured("tiny" if quick else "2511", plan, part))
    text = json.dumps(document, indent=2)
    out.write_text(text + "\n") if out else sys.stdout.write(text + "\n")


def merged(out: Path | None, plan: Plan, parts: dict[str, Any]) -> dict[str, Any]:
    """The document, with the parts that are in the file and were measured alike."""
    name = "cpu" if plan.device == "cpu" else torch.cuda.get_device_name(plan.device)
    about = {"device": name, "torch": torch.__version__, "peak_tflops": plan.peak, "side": plan.side, "steps": plan.steps}
    earlier = json.loads(out.read_text()) if out and out.is_file() else {}
    alike = {key: earlier.get(key) for key in about} == about
    return {**about, "parts": {**(earlier["parts"] if alike else {}), **parts}}


if __name__ == "__main__":
    typer.run(main)
