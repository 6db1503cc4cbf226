"""A table of pictures: for each sample's id the path of its edit, beside the table or absolute.

Any table that `import` reads, with the columns `id` (the sample's id or key) and `image_path`; a mapping {"image_path": "file"}
says that the table calls it "file". Where a table (Parquet) holds the pictures themselves, all of them are in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from editbench.benchmarks import tables
from editbench.benchmarks.format import Source
from editbench.benchmarks.rows import Picture, Row
from editbench.benchmarks.table import rows_of
from editbench.errors import UserError
from editbench.layouts.matches import SHOWN, Matches
from editbench.records import Sample

NAME = "table"
ID, PICTURE = "id", "image_path"


def match(source: Path, samples: Sequence[Sample], mapping: Mapping[str, str]) -> Matches:
    """The picture of each sample. A row without a path is a sample without a picture.

    Raises:
        UserError: no such table, not one that can be read, without these columns, or with rows that are wrong or name a sample
            twice.
    """
    keys = {name: sample.key for sample in samples for name in (sample.key, sample.id)}
    rows = _rows(source, mapping)
    times = Counter(keys.get(row.id, row.id) for row in rows)
    _refuse(source, [f"{row.where}: a second row for {row.id}" for row in rows if times[keys.get(row.id, row.id)] > 1])
    pictures: dict[str, Picture] = {keys[row.id]: row.sources[0] for row in rows if row.id in keys and row.sources}
    missing = {sample.key: sample.id for sample in samples if sample.key not in pictures}
    return Matches(pictures, missing, [row.id for row in rows if row.id not in keys])


def _rows(source: Path, mapping: Mapping[str, str]) -> Sequence[Row]:
    if unknown := sorted(mapping.keys() - {ID, PICTURE}):
        raise UserError(f"nothing to map is called {', '.join(unknown)}", f"Names to map: {ID}, {PICTURE}.")
    base = source if source.is_dir() else source.parent
    columns = Source(source, mapping={"id": mapping.get(ID, ID), "image": mapping.get(PICTURE, PICTURE)})
    rows = [*rows_of(source, tables.open_table(source), columns, (base,), ("id", "image")).read()]
    _refuse(source, [f"{row.where}: {problem}" for row in rows for problem in row.problems or ([] if row.id else ["no id"])])
    return rows


def _refuse(source: Path, problems: Sequence[str]) -> None:
    if problems:
        more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise UserError("\n".join([f"{source}:", *problems[:SHOWN], *more]), "Mend the rows, or take them out.")
