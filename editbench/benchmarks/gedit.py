"""Format `gedit`: GEdit-Bench as published on the Hugging Face hub, as Parquet files or as `save_to_disk` has written them.

A row: key, task_type, instruction, instruction_language ("en" or "cn"), input_image, and perhaps Intersection_exist. A sample's
id is `task_type/language/key`. The English and the Chinese row of a picture have one key, and share a group.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from editbench.benchmarks.cells import Cells
from editbench.benchmarks.columnar import Columnar
from editbench.benchmarks.format import Format, Rows, Source
from editbench.benchmarks.release import Release
from editbench.benchmarks.rows import GROUP_LENGTH, Picture, Row
from editbench.errors import UserError

IMAGE = "input_image"
COLUMNS = frozenset({"key", "task_type", "instruction", "instruction_language", IMAGE})
CATEGORIES = {
    "background_change": 40,
    "color_alter": 40,
    "material_alter": 40,
    "motion_change": 40,
    "ps_human": 70,
    "style_change": 60,
    "subject-add": 60,
    "subject-remove": 57,
    "subject-replace": 60,
    "text_change": 99,
    "tone_transfer": 40,
}
"""Rows in each language. The hyphens among the underscores are the benchmark's."""


def _recognise(source: Source) -> str:
    data = Columnar.at(source.path)
    return "Parquet or Arrow files with the columns of GEdit-Bench" if data and set(data.columns) >= COLUMNS else ""


def _open(source: Source) -> Rows:
    data = Columnar.at(source.path)
    if data is None:
        remedy = "Name a Parquet file of GEdit-Bench, the folder that has them, or one that `save_to_disk` has written."
        raise UserError(f"{source.path} has no Parquet or Arrow files", remedy)
    if missing := sorted(COLUMNS - set(data.columns)):
        raise UserError(f"{source.path} lacks columns of GEdit-Bench: {', '.join(missing)}", "Is this GEdit-Bench?")
    unread = [name for name in data.pictures if name != IMAGE]
    wanted = [name for name in data.columns if name not in unread]
    return Rows(data.total, lambda: _rows(data, wanted, source))


def _rows(data: Columnar, columns: list[str], source: Source) -> Iterator[Row]:
    groups: dict[str, str] = {}
    for where, values in data.rows(columns):
        cells = Cells(where, values, source.bases(source.path.parent))
        key, category, language = cells.text("key"), cells.text("task_type"), cells.text("instruction_language")
        picture = cells.picture(IMAGE)
        yield cells.row(
            id=f"{category}/{language}/{key}" if key and category and language else "",
            instruction=cells.text("instruction"),
            category=category,
            language=language,
            group=_group(groups, key, picture),
            sources=(picture,) if picture else (),
        )


def _group(groups: dict[str, str], key: str, picture: Picture | None) -> str:
    """The digest of the first picture that comes with a key: rows of one key share it, and so do keys of one picture."""
    if picture and key not in groups:
        try:
            groups[key] = hashlib.sha256(picture.read()).hexdigest()[:GROUP_LENGTH]
        except UserError:  # it is told where pictures are checked
            return ""
    return groups.get(key, "")


def _lacking(ids: set[str]) -> list[str]:
    """Ids of rows that are there in the other language only."""
    parts = sorted(name.rpartition("/") for name in ids)
    twins = {"en": "cn", "cn": "en"}
    others = (f"{head.rpartition('/')[0]}/{twins.get(head.rpartition('/')[2], '')}/{key}" for head, _, key in parts)
    return sorted({other for other in others if "//" not in other} - ids)


FORMAT = Format(
    name="gedit",
    recognise=_recognise,
    open=_open,
    release=Release(
        name="GEdit-Bench",
        samples=1212,
        categories=CATEGORIES,
        languages=("en", "zh"),
        lacking=_lacking,
    ),
    rubric="viescore",
)
