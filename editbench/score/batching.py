"""Which items are judged together: a fixed number of them, or as many as fit into a number of tokens.

Chunks are settled by the input and the settings alone, before anything runs, so that an item is in the same batch on every
machine.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Sequence

from PIL import Image

from editbench import images
from editbench.paths import ScorePaths
from editbench.records import EXPECTED
from editbench.score import questions
from editbench.score.chunks import Chunks, RowFile, RowName
from editbench.score.items import JudgedItem, JudgedItems, StoredImage
from editbench.score.rubric import Rubric
from editbench.score.rubric import prompts as kinds
from editbench.score.settings import DEFAULT_BATCH, ScoreSettings

PATCH = 32
"""Pixels along each side of what a picture's token stands for: patches of 16, merged two by two (Qwen3-VL)."""
BYTES = 3
"""UTF-8 bytes of text a token, about: English has four letters a token, Chinese one character of three bytes."""
OVERHEAD = 32
"""Tokens of the chat template."""
_HEAD = 65_536  # bytes of a file in which a picture's size stands, unless a large profile comes first

Starts = list[list[int]]
"""By row file, the first row of each chunk."""


def default_size(samples: int, settings: ScoreSettings) -> int:
    """The batch size for so many samples where none is asked for. It does not depend on the number of ranks, so that a sample
    is in the same batch on every machine.

    In readout `expected` without thoughts a sample takes nearly as long in a small batch as in a large one (2,600 tokens are
    read of each), and 64 chunks keep the GPUs of several machines busy to the end. Writing takes a batch about as long as one
    sample: 20 samples become 7 chunks, one for each GPU of a machine, and not 20, which one GPU would write in turn.
    """
    chunks = 64 if settings.readout == EXPECTED and settings.thinking_budget is None else 8
    return min(DEFAULT_BATCH, max(-(-samples // chunks), 1))


def starts(items: JudgedItems, rubric: Rubric, settings: ScoreSettings) -> Starts:
    """Where the chunks begin. Reads the pictures' headers if tokens are counted."""
    row_files = (items.samples, items.controls, items.anchors)
    if settings.batch_tokens is None:
        size = settings.batch_size or DEFAULT_BATCH
        return [[*range(0, len(rows), size)] for rows in row_files]
    estimate = TokenEstimate(rubric, settings)
    return [by_tokens(map(estimate.tokens, rows), settings.batch_tokens) for rows in row_files]


def by_tokens(lengths: Iterable[int], limit: int) -> list[int]:
    """Starts of runs of rows that stay within `limit` tokens; a row that is longer is alone.

    All of a batch are padded to the longest, so a run of n takes n times its longest.
    """
    begins: list[int] = []
    longest, count = 0, 0
    for row, length in enumerate(lengths):
        longest, count = max(longest, length), count + 1
        if not begins or longest * count > limit:
            begins.append(row)
            longest, count = length, 1
    return begins


class TokenEstimate:
    """How many tokens an item takes, told from the sizes of its images and the length of its texts."""

    def __init__(self, rubric: Rubric, settings: ScoreSettings) -> None:
        self._rubric, self._settings = rubric, settings
        self._judge = settings.for_judge("cpu")
        self._sizes: dict[tuple[str, str], tuple[int, int]] = {}

    def tokens(self, item: JudgedItem) -> int:
        """Tokens of the longest question about an item; 0 where it has no edit."""
        return max(self.by_ask(item)) if item.images else 0

    def by_ask(self, item: JudgedItem) -> list[int]:
        """Tokens of each question about an item that has an edit."""
        sizes = {kind: [self._size(image) for image in stored] for kind, stored in item.images.items()}
        if self._rubric.resize_edited:
            sizes[kinds.EDITED] = sizes[kinds.SOURCE][:1]
        by_kind = {kind: sum(self.image_tokens(*size) for size in several) for kind, several in sizes.items()}
        asks = questions.asks(item.sample, item.kinds, self._rubric, self._settings)
        return [
            OVERHEAD + sum(by_kind[kind] for kind in dict.fromkeys(ask.images)) + len(ask.text.encode()) // BYTES
            for ask in asks
        ]

    def image_tokens(self, width: int, height: int) -> int:
        """Tokens of an image of this size in pixels, made smaller or larger as the judge does."""
        area = min(max(width * height, self._judge.min_pixels), self._judge.max_pixels)
        scale = (area / (width * height)) ** 0.5
        return max(round(width * scale / PATCH), 1) * max(round(height * scale / PATCH), 1)

    def _size(self, image: StoredImage) -> tuple[int, int]:
        """(width, height); of an image that can't be read, the largest that the judge sees: its row will say why."""
        name = (str(image.stored.shard), image.name)
        if name not in self._sizes:
            side = round(self._judge.max_pixels**0.5)
            self._sizes[name] = _size(image, _HEAD) or _size(image, sys.maxsize) or (side, side)
        return self._sizes[name]


def _size(image: StoredImage, limit: int) -> tuple[int, int] | None:
    """(width, height) of the file, as the header in its first `limit` bytes tells; which way up does not matter here."""
    try:
        with Image.open(io.BytesIO(image.stored.head(image.member, limit)), formats=images.FORMATS) as opened:
            return opened.size
    except images.UNREADABLE:
        return None


def chunks(paths: ScorePaths, items: JudgedItems, begins: Starts, anchors: str = "") -> Chunks:
    """The chunks of a run. `anchors`: digest of the folder of edits that the anchors are from, for the manifest."""
    controls = items.controls
    order = sorted(range(len(controls)), key=lambda row: (controls[row].index, controls[row].audit))
    row_files = (
        RowFile(paths.scores, _names(items.samples), begins[0]),
        RowFile(paths.audit, _names(controls), begins[1], order),
        RowFile(paths.anchors, _names(items.anchors), begins[2], edits=anchors),
    )
    return Chunks(paths, [file for file in row_files if len(file) or file is row_files[0]])


def _names(items: Sequence[JudgedItem]) -> list[RowName]:
    return [(item.sample.key, item.audit) for item in items]
