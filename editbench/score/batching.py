"""Which cases are judged together: a fixed number of them, or as many as fit into a number of tokens.

Chunks are settled by the input and the settings alone, before anything runs, so that a case has the same company on every
machine.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Sequence

from PIL import Image

from editbench import images
from editbench.paths import ScorePaths
from editbench.score import questions
from editbench.score.chunks import Chunks, Name, RowFile
from editbench.score.items import Case, Cases, Picture
from editbench.score.rubric import Rubric
from editbench.score.rubric import question as kinds
from editbench.score.settings import ScoreSettings

PATCH = 32
"""Pixels along each side of what a picture's token stands for: patches of 16, merged two by two (Qwen3-VL)."""
BYTES = 3
"""UTF-8 bytes of text a token, about: English has four letters a token, Chinese one character of three bytes."""
OVERHEAD = 32
"""Tokens of the chat template."""
_HEAD = 65_536  # bytes of a file in which a picture's size stands, unless a large profile comes first

Starts = list[list[int]]
"""By row file, the first case of each chunk."""


def starts(cases: Cases, rubric: Rubric, settings: ScoreSettings) -> Starts:
    """Where the chunks begin. Reads the pictures' headers if tokens are counted."""
    parts = (cases.samples, cases.controls, cases.anchors)
    if settings.batch_tokens is None:
        return [[*range(0, len(part), settings.batch_size)] for part in parts]
    estimate = Estimate(rubric, settings)
    return [by_tokens(map(estimate.tokens, part), settings.batch_tokens) for part in parts]


def by_tokens(lengths: Iterable[int], most: int) -> list[int]:
    """Starts of runs of cases that stay within `most` tokens; a case that is longer stands alone.

    All of a batch are padded to the longest, so a run of n takes n times its longest.
    """
    found, longest, count = [], 0, 0
    for place, length in enumerate(lengths):
        longest, count = max(longest, length), count + 1
        if not found or longest * count > most:
            found.append(place)
            longest, count = length, 1
    return found


class Estimate:
    """How many tokens a case takes, told from the sizes of its pictures and the length of its texts."""

    def __init__(self, rubric: Rubric, settings: ScoreSettings) -> None:
        self._rubric, self._settings = rubric, settings
        self._judge = settings.for_judge("cpu")
        self._sizes: dict[tuple[str, str], tuple[int, int]] = {}

    def tokens(self, case: Case) -> int:
        """Of the longest question about it; 0 where it has no edit."""
        if not case.pictures:
            return 0
        sizes = {kind: [self._size(picture) for picture in pictures] for kind, pictures in case.pictures.items()}
        if self._rubric.resize_edited:
            sizes[kinds.EDITED] = sizes[kinds.SOURCE][:1]
        seen = {kind: sum(self.picture(*size) for size in found) for kind, found in sizes.items()}
        asked = questions.asks(case.sample, case.kinds, self._rubric, self._settings)
        return OVERHEAD + max(
            sum(seen[kind] for kind in dict.fromkeys(ask.images)) + len(ask.text.encode()) // BYTES for ask in asked
        )

    def picture(self, width: int, height: int) -> int:
        """Tokens of a picture of this size in pixels, made smaller or larger as the judge does."""
        area = min(max(width * height, self._judge.min_pixels), self._judge.max_pixels)
        scale = (area / (width * height)) ** 0.5
        return max(round(width * scale / PATCH), 1) * max(round(height * scale / PATCH), 1)

    def _size(self, picture: Picture) -> tuple[int, int]:
        """Of one that can't be read, the largest that the judge sees: its row will say why."""
        name = (str(picture.stored.shard), picture.name)
        if name not in self._sizes:
            side = round(self._judge.max_pixels**0.5)
            self._sizes[name] = _size(picture, _HEAD) or _size(picture, sys.maxsize) or (side, side)
        return self._sizes[name]


def _size(picture: Picture, most: int) -> tuple[int, int] | None:
    """(width, height) of the file, as the header among its first `most` bytes tells; which way up does not matter here."""
    try:
        with Image.open(io.BytesIO(picture.stored.head(picture.member, most)), formats=images.FORMATS) as image:
            return image.size
    except images.UNREADABLE:
        return None


def chunks(paths: ScorePaths, cases: Cases, begin: Starts, anchors: str = "") -> Chunks:
    """The chunks of a run. `anchors`: digest of the folder of edits that the anchors are from, for the manifest."""
    controls = cases.controls
    order = sorted(range(len(controls)), key=lambda number: (controls[number].place, controls[number].audit))
    row_files = (
        RowFile(paths.scores, _names(cases.samples), begin[0]),
        RowFile(paths.audit, _names(controls), begin[1], order),
        RowFile(paths.anchors, _names(cases.anchors), begin[2], edits=anchors),
    )
    return Chunks(paths, [file for file in row_files if len(file) or file is row_files[0]])


def _names(cases: Sequence[Case]) -> list[Name]:
    return [(case.sample.key, case.audit) for case in cases]
