"""Files for people: `KEY.png` (or as the picture is, `.jpg`, `.webp`), and a CSV that says which is which.

The CSV opens in a spreadsheet, where people can put scores beside the names of the pictures, for `report --ratings`.
When pictures are read, a file may also be called by the sample's id.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from editbench.errors import UserError
from editbench.layouts.layout import SUFFIXES, File, Layout, checked, numbers_of
from editbench.paths import IMAGE_SUFFIXES
from editbench.printable import spreadsheet_text
from editbench.records import Judgement, Sample

EDITS, SCORES = "edits.csv", "scores.csv"


class Files(Layout):
    name = "files"
    example = "KEY.png or ID.png"
    kinds = IMAGE_SUFFIXES

    def stem(self, sample: Sample) -> str:
        return sample.key

    def other_stems(self, sample: Sample) -> Iterator[str]:
        try:
            name = checked(sample.id)
        except UserError:
            return  # an id may be any text; such a one names no file
        yield name
        stem, _, suffix = name.rpartition(".")
        if suffix.lower() in SUFFIXES:  # an id that is a file's name
            yield stem

    def listing(self, edits: Sequence[tuple[Sample, str | None]]) -> Iterator[File]:
        names = ("key", "image_path", "id", "category", "language", "group", "instruction")
        rows = ([sample.key, file, *_texts(sample, names[2:])] for sample, file in edits)
        yield EDITS, _csv([names, *rows])

    def record(self, model: str, rows: Sequence[Judgement]) -> Iterator[File]:  # noqa: ARG002
        """`scores.csv`: a row a sample, with a column for each criterion and step; an empty cell where there is no number."""
        names = ("id", "category", "language", "group", "status")
        numbers = [*dict.fromkeys(name for row in rows for name in numbers_of(row))]
        lines = ([row.key, row.score, *_texts(row, names), *map(numbers_of(row).get, numbers)] for row in rows)
        yield SCORES, _csv([("key", "score", *names, *numbers), *lines])


def _texts(record: Sample | Judgement, names: Iterable[str]) -> list[str]:
    return [spreadsheet_text(getattr(record, name)) for name in names]


def _csv(rows: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8-sig")  # without the mark, spreadsheets take UTF-8 for something else
