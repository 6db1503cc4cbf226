"""Format `rise`: RISEBench.

One JSON list of {"index", "category", "instruction", "image" (a path or several), one of "reference", "reference_txt" and
"reference_img", and perhaps "subtask", "consistency_free", "reasoning_img", "reasoning_wo_ins"}; NaN and null are absent. A
sample's id is its index. The pictures' paths start beside the file, in `data` there, or in `--images`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from editbench.benchmarks.cells import Cells
from editbench.benchmarks.format import Format, Rows, Source
from editbench.benchmarks.release import Release
from editbench.benchmarks.rows import Row

CATEGORIES = {"temporal_reasoning": 85, "causal_reasoning": 90, "spatial_reasoning": 100, "logical_reasoning": 85}
_FIELDS = {"index", "category", "instruction", "image"}


def _fits(value: Any) -> bool:
    first = value[0] if isinstance(value, list) and value else None
    return isinstance(first, dict) and first.keys() >= _FIELDS


def _recognise(source: Source) -> str:
    return "a JSON list with the fields of RISEBench" if source.fitting(_fits) else ""


def _open(source: Source) -> Rows:
    path, values = source.document(_fits, "the list of RISEBench's samples")
    return Rows(len(values), lambda: _rows(path, values, source.bases(path.parent, path.parent / "data")))


def _rows(path: Path, values: list[Any], bases: tuple[Path, ...]) -> Iterator[Row]:
    for number, value in enumerate(values, 1):
        cells = Cells(f"{path} row {number}", value, bases)
        texts = [cells.text("reference"), cells.text("reference_txt")]
        yield cells.row(
            id=cells.text("index"),
            instruction=cells.text("instruction"),
            category=cells.text("category"),
            language="en",
            reference_text=next(filter(None, texts), ""),
            sources=cells.pictures("image"),
            reference=cells.picture("reference_img"),
        )


FORMAT = Format(
    name="rise",
    recognise=_recognise,
    open=_open,
    release=Release(name="RISEBench", samples=360, categories=CATEGORIES),
    rubric="rise",
)
