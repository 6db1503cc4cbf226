"""The editor that `--model` names: a control, a class of the user's, or a diffusers pipeline."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from PIL import Image

from editbench.edit.editor import Editor, Request, Result, Step, accepted
from editbench.edit.settings import EditSettings
from editbench.errors import UserError
from editbench.models import Kind, Model
from editbench.world.truth import COPY, EDITORS


class Control:
    """An editor whose right score is known: one of CONTROLS."""

    ignored: list[str] = []  # noqa: RUF012 - it has no settings to ignore

    def __init__(self, name: str) -> None:
        self._edit = CONTROLS[name]

    def edit(self, request: Request, step: Step) -> Result:  # noqa: ARG002
        return Result(self._edit(request))


def _edit_of_world(name: str, request: Request) -> Image.Image:
    from editbench.world import editors

    return editors.edit(name, request.images[0], request.instruction)


CONTROLS: dict[str, Callable[[Request], Image.Image]] = {
    COPY: lambda request: request.images[0],
    **{name: partial(_edit_of_world, name) for name in EDITORS},
}
"""`copy` gives back the source: a judge that scores it well does not see edits. The others know the pictures of shards/world
alone (see `world.editors`)."""


class ClassEditor:
    """A class of the user's, `package.module:Class`."""

    def __init__(self, location: str, device: str, settings: EditSettings) -> None:
        module, _, name = location.partition(":")
        self._edit = getattr(importlib.import_module(module), name)(device).edit
        settable = {"steps": settings.steps, "cfg": settings.cfg, "negative_prompt": settings.negative_prompt}
        asked = {name: value for name, value in settable.items() if value is not None}
        # One that is not set is left to the default of edit(); where that has none, it gets None.
        self._settings = {**dict.fromkeys(settable.keys() & _required(self._edit)), **asked}
        self.ignored = sorted(asked.keys() - accepted(self._edit, asked).keys())

    def edit(self, request: Request, step: Step) -> Result:
        offered = {"seed": request.seed, "size": request.size, "step": step, **self._settings}
        if request.size is None and "size" not in _required(self._edit):
            del offered["size"]
        edited = self._edit(request.images, request.instruction, **accepted(self._edit, offered))
        if not isinstance(edited, Image.Image):
            raise UserError(f"the editor returned {type(edited).__name__}, not a PIL image", "Return a PIL.Image from edit().")
        return Result(edited.convert("RGB"))


def load(model: Model, device: str, settings: EditSettings) -> Editor:
    """The editor that `model` names, on `device`."""
    if model.kind == Kind.CONTROL:
        return Control(model.location)
    if model.kind == Kind.CLASS:
        return ClassEditor(model.location, device, settings)
    from editbench.edit.pipeline import PipelineEditor

    return PipelineEditor(model.location, device, settings)


def _required(function: Callable[..., Any]) -> set[str]:
    parameters = inspect.signature(function).parameters.values()
    return {parameter.name for parameter in parameters if parameter.default is parameter.empty}
