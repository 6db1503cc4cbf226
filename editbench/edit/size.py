"""The size of an edit: `source`, an area in pixels, WIDTHxHEIGHT, or `pipeline`: what the pipeline makes of its own accord."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from editbench.errors import UserError

MULTIPLE = 16
"""What most of diffusers' edit pipelines round down to; rounding here keeps the recorded size the true one."""
AREA_MULTIPLE = 32
"""What QwenImageEditPlusPipeline rounds to when it chooses the size itself (`calculate_dimensions`)."""

PIPELINE = "pipeline"
"""Leaves the size to the pipeline."""

Sizer = Callable[[tuple[int, int]], tuple[int, int] | None]
"""(width, height) of the source -> (width, height) of the edit; None where the pipeline is to choose."""


def parse(text: str, multiple: int = MULTIPLE) -> Sizer:
    """The rule that `text` names, for a model whose widths and heights are multiples of `multiple`. An area keeps the source's
    aspect ratio.

    Raises:
        UserError: none of the four forms, or a size that no model takes.
    """
    if text == PIPELINE:
        return lambda _source: None
    if text == "source":
        return lambda source: _rounded(*source, multiple)
    if (match := re.fullmatch(r"([0-9]{1,6})[xX]([0-9]{1,6})", text)) and min(int(match[1]), int(match[2])) >= MULTIPLE:
        fixed = _rounded(int(match[1]), int(match[2]), multiple)
        return lambda _source: fixed
    if re.fullmatch(r"[0-9]{1,12}", text) and int(text) >= AREA_MULTIPLE**2:
        area = int(text)
        return lambda source: _of_area(area, source[0] / source[1], max(multiple, AREA_MULTIPLE))
    remedy = "Use source, WIDTHxHEIGHT, an area of 1024 or more pixels such as 1048576, or pipeline."
    raise UserError(f"--size {text} is no size", remedy)


def keeps_shape(text: str) -> bool:
    """Whether the rule keeps the source's aspect ratio, but for rounding."""
    return "x" not in text.lower()


def _rounded(width: float, height: float, multiple: int) -> tuple[int, int]:
    return max(multiple, round(width / multiple) * multiple), max(multiple, round(height / multiple) * multiple)


def _of_area(area: int, ratio: float, multiple: int) -> tuple[int, int]:
    width = math.sqrt(area * ratio)
    return _rounded(width, width / ratio, multiple)
