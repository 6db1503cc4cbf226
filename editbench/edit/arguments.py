"""`--set NAME=VALUE`: arguments of a pipeline's call that have no option of their own. Values are JSON, or else text."""

from __future__ import annotations

import contextlib
import difflib
import math
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
    """Values by name. Raises UserError for a text that is not NAME=VALUE, and for a number that is not finite."""
    given = options.pairs("--set", [*texts], form="NAME=VALUE", example="num_frames=29")
    return {name: _value(name, text) for name, text in given.items()}


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
        if not _fits(values[name], usual := kind.call[name]):
            wanted = "true or false" if isinstance(usual, bool) else "a number"
            raise UserError(f"--set {name}: it must be {wanted}, as its default {usual} is", f"Write --set {name}=VALUE.")
    return tuple(f"{name}={orjson.dumps(values[name]).decode()}" for name in sorted(values))


def _value(name: str, text: str) -> Any:
    try:
        value = orjson.loads(text)
        orjson.dumps(value)  # writes fewer levels of nesting than it reads
    except orjson.JSONDecodeError:
        with contextlib.suppress(ValueError):
            if not math.isfinite(float(text)):
                raise UserError(f"--set {name}: {text} is no finite number", f"Write --set {name}=NUMBER.") from None
        return text
    except orjson.JSONEncodeError as error:
        raise UserError(f"--set {name}: {error}", "Give a value with fewer levels.") from None
    return value


def _fits(value: Any, default: Any) -> bool:
    """Whether a value may stand for a default: only of numbers and truth values does a default tell what is meant."""
    if value is None or not isinstance(default, int | float):
        return True
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    return isinstance(value, int | float)


def guidance_argument(defaults: Mapping[str, Any], negative_prompt: str | None) -> str | None:
    """The argument that `--cfg` sets, of a call with these defaults; None where it takes no guidance.

    FLUX Kontext has `true_cfg_scale` beside its distilled `guidance_scale`, which is its main one: with a negative prompt true
    CFG is meant.
    """
    distilled = defaults.get("guidance_scale") is not None
    if "true_cfg_scale" in defaults and (negative_prompt is not None or not distilled):
        return "true_cfg_scale"
    return "guidance_scale" if "guidance_scale" in defaults else None
