"""The table of pipeline classes: `make pipelines` writes it to editbench/edit/PIPELINES.md."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import diffusers
from tiny_pipelines import MAKERS

from editbench.edit import pipeline_class, pipelines
from editbench.edit.defaults import PUBLISHED, Published
from editbench.edit.pipeline_class import PipelineClass
from editbench.errors import UserError

PATH = Path(pipelines.__file__).with_name("PIPELINES.md")
PLUS = "QwenImageEditPlusPipeline"
"""`editbench tiny` writes it."""
HEAD = f"""# Pipeline classes of diffusers {diffusers.__version__}

Every class whose call takes a picture (`image`, `images` or `input_images`) and a prompt. `make pipelines` writes this page
from `edit/pipelines.py` and the signatures of the installed diffusers; tests/edit/test_pipelines.py holds it to them.

- **runs**: seen with a tiny checkpoint with random weights, from loading to a picture, on a CPU.
- **should run**: nothing in its signature speaks against it. Not tried here.
- **refused**: before a weight is loaded, with this reason.

Classes that take a `strength` turn the picture into noise part of the way and come back by the prompt, which describes the
result rather than the change. *Several*: all input pictures of a sample go into one edit; of the others, see `--extra-images`.
Steps and guidance are the defaults of the class; those that models' authors publish are below. A class that is not here (such
as Step1XEditPipeline, of a fork) is refused by its name.

| class | | pictures | steps | guidance | |
| --- | --- | --- | ---: | ---: | --- |"""
PUBLISHED_HEAD = """
## Published settings

The first row that fits a checkpoint counts. Where guidance is true CFG (Qwen-Image) and above 1, the negative prompt is a blank
unless one is given. The scheduler is the one that the checkpoint brings.

| checkpoints of | steps | guidance | from |
| --- | ---: | ---: | --- |"""


def kinds() -> Iterator[PipelineClass]:
    takes_picture = re.compile(rb"^        (?:image|images|input_images)\b", re.MULTILINE)
    public = {*dir(diffusers)}  # hasattr() would import them all
    for name, path in sorted(pipeline_class.sources().items()):
        if name in public and takes_picture.search(path.read_bytes()):
            with contextlib.suppress(UserError):  # raised for a base class without a call, and for what a call returns
                kind = pipeline_class.read(name)
                if pipelines.picture_argument(kind.call) and any("prompt" in each for each in kind.call if "num_" not in each):
                    yield kind


def row(kind: PipelineClass) -> str:
    if reason := pipelines.refusal(kind):
        return f"| {kind.name} | refused | | | | {reason} |"
    seen = "**runs**" if kind.name in MAKERS or kind.name == PLUS else "should run"
    several = "several" if kind.name in pipelines.SEVERAL else "one"
    steps, guidance = kind.call.get("num_inference_steps", ""), guidance_of(kind)
    return f"| {kind.name} | {seen} | {several} | {steps} | {guidance} | {'; '.join(notes(kind))} |"


def guidance_of(kind: PipelineClass) -> str:
    names = [name for name in ("guidance_scale", "true_cfg_scale") if kind.call.get(name) is not None]
    return ", ".join(f"{name} {kind.call[name]}" for name in names)


def notes(kind: PipelineClass) -> Iterator[str]:
    if "strength" in kind.call:
        yield "by `strength`"
    if "height" not in kind.call or kind.name in pipelines.OWN_SIZES:
        yield "chooses the size"
    if kind.name in pipelines.LAST_FRAME:
        yield "the edit is the last frame of its video"
    if kind.name in pipelines.BFLOAT16:
        yield "in bfloat16 alone"
    if kind.name in pipelines.PACKAGES:
        yield f"needs the package {pipelines.PACKAGES[kind.name]}"


def published(each: Published) -> str:
    values = ", ".join(f"{name} {value}".lower() for name, value in each.values.items())
    which = ", ".join(filter(None, (each.class_name, each.named and f"named *{each.named}*", values)))
    return f"| {which} | {each.steps} | {'' if each.cfg is None else each.cfg} | {each.source} |"


def table() -> str:
    parts = (HEAD, *map(row, kinds()), PUBLISHED_HEAD, *map(published, PUBLISHED))
    return "".join(f"{part}\n" for part in parts)


if __name__ == "__main__":
    PATH.write_text(table(), "utf-8")
