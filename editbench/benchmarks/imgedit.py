"""Format `imgedit`: the basic edits of ImgEdit-Bench.

One JSON file, {key: {"id": the source picture's path, "prompt", "edit_type"}}; a sample's id is its key. The pictures' paths
start beside the file, in `singleturn` there, or in `--images`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from editbench.benchmarks.cells import Cells
from editbench.benchmarks.format import Format, Rows, Source
from editbench.benchmarks.release import Release
from editbench.benchmarks.rows import Row

CATEGORIES = {
    "extract": 117,
    "style": 100,
    "add": 95,
    "adjust": 94,
    "background": 94,
    "replace": 92,
    "remove": 86,
    "action": 36,
    "compose": 23,
}
_OLDER = {"alter": "adjust"}
"""What earlier releases call a kind of edit."""


def _fits(value: Any) -> bool:
    first = next(iter(value.values()), None) if isinstance(value, dict) else None
    return isinstance(first, dict) and first.keys() >= {"id", "prompt", "edit_type"}


def _recognise(source: Source) -> str:
    return "a JSON file with the fields of ImgEdit-Bench" if source.fitting(_fits) else ""


def _open(source: Source) -> Rows:
    path, entries = source.document(_fits, "the list of ImgEdit-Bench's basic edits")
    return Rows(len(entries), lambda: _rows(path, entries, source.bases(path.parent, path.parent / "singleturn")))


def _rows(path: Path, entries: dict[str, Any], bases: tuple[Path, ...]) -> Iterator[Row]:
    for key, entry in entries.items():
        cells = Cells(f"{path} entry {key}", entry, bases)
        kind = cells.text("edit_type")
        yield cells.row(
            id=key,
            instruction=cells.text("prompt"),
            category=_OLDER.get(kind, kind),
            language="en",
            sources=cells.pictures("id"),
        )


FORMAT = Format(
    name="imgedit",
    recognise=_recognise,
    open=_open,
    release=Release(name="ImgEdit-Bench (basic)", samples=737, categories=CATEGORIES),
    rubric="imgedit",
)
