"""`--set NAME=VALUE`: arguments of a pipeline's call that have no option of their own. Values are JSON, or else text."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from editbench import options
from editbench.edit.pipeline_class import PipelineClass
from editbench.edit.pipelines import PICTURES
from editbench.errors import UserError

_OPTIONS = {
    "num_inference_steps": "--steps",
    "negative_prompt": "--negative-prompt",
    "width": "--size",
    "height": "--size",
    "max_area": "--size",
}
_OURS = frozenset({*PICTURES, "prompt", "generator", "output_type", "return_dict", "num_images_per_prompt", "callback"})
_CALLBACKS = "callback_"


def parse(texts: Sequence[str]) -> dict[str, Any]:
    """Values by name. Raises UserError for a text that is not NAME=VALUE."""
    values: dict[str, Any] = {}
    for name, text in options.pairs("--set", [*texts], form="NAME=VALUE", example="num_frames=29").items():
        try:
            values[name] = orjson.loads(text)
        except orjson.JSONDecodeError:
            values[name] = text
    return values


def settle(texts: Sequence[str], kind: PipelineClass, guidance: str | None) -> tuple[str, ...]:
    """The same in one spelling, whatever the order and the blanks; `guidance` is the argument that `--cfg` sets.

    Raises:
        UserError: an argument that the class's call does not have, or one that an option or editbench itself sets.
    """
    values = parse(texts)
    taken = _OPTIONS | ({guidance: "--cfg"} if guidance else {})
    for name in values:
        if name in taken:
            raise UserError(f"--set {name}: {taken[name]} sets it", f"Use {taken[name]}.")
        if name in _OURS or name.startswith(_CALLBACKS):
            raise UserError(f"--set {name}: it is set for each sample, and can't be chosen", "Leave it out.")
        if name not in kind.call:
            near = difflib.get_close_matches(name, kind.call, n=1)
            settable = sorted(name for name in kind.call.keys() - taken.keys() - _OURS if not name.startswith(_CALLBACKS))
            remedy = f"Did you mean {near[0]}?" if near else f"It takes {', '.join(settable)}."
            raise UserError(f"--set {name}: a call of {kind.name} has no such argument", remedy)
    return tuple(f"{name}={orjson.dumps(values[name]).decode()}" for name in sorted(values))


def guidance_argument(defaults: Mapping[str, Any], negative_prompt: str | None) -> str | None:
    """The argument that `--cfg` sets, of a call with these defaults; None where it takes no guidance.

    FLUX Kontext has `true_cfg_scale` beside its distilled `guidance_scale`, which is its main one: with a negative prompt true
    CFG is meant.
    """
    distilled = defaults.get("guidance_scale") is not None
    if "true_cfg_scale" in defaults and (negative_prompt is not None or not distilled):
        return "true_cfg_scale"
    return "guidance_scale" if "guidance_scale" in defaults else None
