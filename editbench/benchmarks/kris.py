"""Format `kris`: KRIS-Bench.

A folder for each category, with `annotation.json` and the pictures: {id: {"ori_img": a path or several, "gt_img", "ins_en",
"explain_en"}}; or one list of such objects with "id" and "type" (the category). A sample's id is `category/id`; `gt_img` is its
reference picture, and `explain_en` its reference text.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from editbench import files
from editbench.benchmarks import strict_json
from editbench.benchmarks.cells import Cells
from editbench.benchmarks.format import Format, Rows, Source
from editbench.benchmarks.release import Release
from editbench.benchmarks.rows import Row
from editbench.errors import UserError
from editbench.foreign_paths import KrisPaths

CATEGORIES = (
    *("count_change", "color_change", "size_adjustment", "part_completion", "anomaly_correction"),
    *("viewpoint_change", "position_movement", "temporal_prediction", "humanities", "practical_knowledge"),
    *("biology", "chemistry", "geography", "medicine", "mathematics", "physics"),
    *("abstract_reasoning", "rule-based_reasoning", "multi-element_composition", "multi-instruction_execution"),
)
_FIELDS = {"ori_img", "ins_en"}


def _fits(value: Any) -> bool:
    first = value[0] if isinstance(value, list) and value else None
    return isinstance(first, dict) and first.keys() >= {*_FIELDS, "id", "type"}


def _annotations(path: Path) -> list[Path]:
    """Of a folder of categories, of one category, or the file itself."""
    paths = KrisPaths(path)
    if path.name == paths.annotation.name and path.is_file():
        return [path]
    return [paths.annotation] if paths.annotation.is_file() else paths.annotations()


def _entries(path: Path) -> dict[str, Any]:
    """Raises UserError for a file that can't be read or is of another shape."""
    value = strict_json.document(files.read(path), str(path), nan=True)
    first = next(iter(value.values()), None) if isinstance(value, dict) else None
    if not isinstance(first, dict) or not first.keys() >= _FIELDS:
        raise UserError(f"{path} is not the annotation of a category of KRIS-Bench", "Is this KRIS-Bench?")
    return value


def _recognise(source: Source) -> str:
    if source.fitting(_fits):
        return "a list with the fields of KRIS-Bench"
    try:
        annotations = _annotations(source.path)
        return "folders with the annotations of KRIS-Bench" if annotations and _entries(annotations[0]) else ""
    except UserError:
        return ""


def _open(source: Source) -> Rows:
    if annotations := _annotations(source.path):
        documents = [(path, _entries(path)) for path in annotations]
        return Rows(sum(len(entries) for _, entries in documents), lambda: _by_category(documents, source))
    path, values = source.document(_fits, "KRIS-Bench")
    return Rows(len(values), lambda: _listed(path, values, source))


def _by_category(documents: list[tuple[Path, dict[str, Any]]], source: Source) -> Iterator[Row]:
    for path, entries in documents:
        name = path.parent.name  # not that of what a link leads to
        category = path.resolve().parent.name if name in ("", "..") else name
        bases = (source.images / category, source.images) if source.images else (path.parent,)
        for key, entry in entries.items():
            yield _row(Cells(f"{path} entry {key}", entry, bases), category, key)


def _listed(path: Path, values: list[Any], source: Source) -> Iterator[Row]:
    root = source.images or path.parent
    for number, value in enumerate(values, 1):
        kind = value.get("type") if isinstance(value, dict) else None
        cells = Cells(f"{path} row {number}", value, (root / kind, root) if isinstance(kind, str) else (root,))
        yield _row(cells, cells.text("type"), cells.text("id"))


def _row(cells: Cells, category: str, name: str) -> Row:
    return cells.row(
        id=f"{category}/{name}" if category and name else "",
        instruction=cells.text("ins_en"),
        category=category,
        language="en",
        reference_text=cells.text("explain_en"),
        sources=cells.pictures("ori_img"),
        reference=cells.picture("gt_img"),
    )


FORMAT = Format(
    name="kris",
    recognise=_recognise,
    open=_open,
    release=Release(name="KRIS-Bench", samples=1267, categories=dict.fromkeys(CATEGORIES)),
    rubric="kris",
)
