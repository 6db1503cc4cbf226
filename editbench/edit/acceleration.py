"""The options that make edits faster, as they take effect. Imports nothing heavy."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from editbench import console
from editbench.edit import attention, caches, compilation, index
from editbench.edit.settings import EditSettings
from editbench.errors import UserError
from editbench.models import Kind, Model


def in_effect(settings: EditSettings, model: Model) -> EditSettings:
    """The settings with what they leave to the environment taken from there, so that it is recorded.

    Raises:
        UserError: an unknown kernel or method, or such options with an editor that has no use for them.
    """
    attention.check(settings.attention)
    settings = replace(settings, cache=caches.in_full(settings.cache))
    plain = replace(settings, attention=attention.AUTO, cache=caches.NONE, compile=False)
    if model.kind == Kind.CONTROL:
        return plain
    if model.kind == Kind.CLASS:
        if settings != plain:
            raise UserError(
                f"--attention, --cache and --compile are for pipelines of diffusers, and {model.name} is a class",
                "Leave them out.",
            )
        return settings
    return replace(settings, attention=_taken_over(settings.attention))


def check(settings: EditSettings, model: Model) -> None:
    """Raises UserError for options that the classes of `model`, a pipeline whose settings are here, do not support."""
    checkpoint = index.load(Path(model.location))
    caches.check(settings.cache, checkpoint)
    compilation.check(settings, checkpoint)


def _taken_over(asked: str) -> str:
    """The kernel with the environment variable's in it: diffusers would obey that in the ranks and leave no trace of it."""
    variable = os.environ.pop(attention.VARIABLE, "")
    if not variable:
        return asked
    if asked != attention.AUTO:
        console.warn(f"{attention.VARIABLE}={variable} is left aside: --attention {asked}")
        return asked
    attention.check(variable)
    console.say(f"{attention.VARIABLE}={variable} is taken as --attention {variable}")
    return variable
