"""The size of an edit: `source`, an area in pixels, or WIDTHxHEIGHT."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from editbench.errors import UserError

MULTIPLE = 16
"""What diffusers' edit pipelines round down to; rounding here keeps the recorded size the true one."""
AREA_MULTIPLE = 32
"""What QwenImageEditPlusPipeline rounds to when it chooses the size itself (`calculate_dimensions`)."""

Sizer = Callable[[tuple[int, int]], tuple[int, int]]
"""(width, height) of the source -> (width, height) of the edit."""


def parse(text: str) -> Sizer:
    """The rule that `text` names. An area keeps the source's aspect ratio.

    Raises:
        UserError: none of the three forms, or a size that no model takes.
    """
    if text == "source":
        return lambda source: _rounded(*source, MULTIPLE)
    if (match := re.fullmatch(r"(\d+)[xX](\d+)", text)) and min(int(match[1]), int(match[2])) >= MULTIPLE:
        fixed = _rounded(int(match[1]), int(match[2]), MULTIPLE)
        return lambda _source: fixed
    if text.isdecimal() and int(text) >= AREA_MULTIPLE**2:
        area = int(text)
        return lambda source: _of_area(area, source[0] / source[1])
    raise UserError(f"--size {text} is no size", "Use source, an area in pixels such as 1048576, or WIDTHxHEIGHT.")


def keeps_shape(text: str) -> bool:
    """Whether the rule keeps the source's aspect ratio, but for rounding."""
    return "x" not in text.lower()


def _rounded(width: float, height: float, multiple: int) -> tuple[int, int]:
    return max(multiple, round(width / multiple) * multiple), max(multiple, round(height / multiple) * multiple)


def _of_area(area: int, ratio: float) -> tuple[int, int]:
    width = math.sqrt(area * ratio)
    return _rounded(width, width / ratio, AREA_MULTIPLE)
