"""The protocol of an editor.

An editor of your own is a class that takes the torch device and has a method `edit`. It asks only for the settings it knows:

    class Mirror:
        def __init__(self, device: str) -> None: ...
        def edit(self, images, instruction, *, seed):
            return images[0].transpose(Image.Transpose.FLIP_LEFT_RIGHT)

and runs with `editbench edit BENCH --model my_module:Mirror --out EDITS`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from PIL import Image

Step = Callable[[int, int], None]
"""`step(i, n)`: i of n denoising steps are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One edit. `images`: upright RGB inputs, at least one; `size`: (width, height) in pixels, None where it is left to the
    editor."""

    images: list[Image.Image]
    instruction: str
    seed: int
    size: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Result:
    """An edited RGB picture. `finite`: whether every value of it was a finite number before it became 8 bits a channel.
    `steps`: denoising steps made for it, None where the editor does not tell."""

    image: Image.Image
    finite: bool = True
    steps: int | None = None


class Editor(Protocol):
    """`ignored` names the settings that this editor does not know."""

    ignored: list[str]

    def edit(self, request: Request, step: Step) -> Result:
        """The edited picture. Equal requests give equal pixels on one kind of hardware."""
        ...


def accepted(function: Callable[..., Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the `offered` arguments that `function` takes."""
    parameters = inspect.signature(function).parameters.values()
    if any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters):
        return dict(offered)
    names = {parameter.name for parameter in parameters}
    return {name: value for name, value in offered.items() if name in names}
