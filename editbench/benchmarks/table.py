"""Format `table`: a table of one's own.

Columns: id, image, instruction; and if there are any: category, language, reference_text, reference_image, images (further
input pictures: a list, or text separated by ";"), mask_image, group. A mapping {"instruction": "en"} says that the table calls
the instruction "en". Other columns go into the sample's `extra`. A picture is a path, or as the `datasets` library has it,
{"bytes", "path"}. Numbers are taken as text, and an integer of more than 64 bits is text in `extra` too; null and an empty cell
are absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from editbench.benchmarks import tables
from editbench.benchmarks.cells import Cells
from editbench.benchmarks.format import Format, Rows, Source
from editbench.benchmarks.rows import Row
from editbench.benchmarks.tables import Line, Table
from editbench.errors import UserError

REQUIRED = ("id", "image", "instruction")
TEXTS = ("id", "instruction", "category", "language", "group", "reference_text")
COLUMNS = (*TEXTS, "image", "reference_image", "images", "mask_image")


def _recognise(source: Source) -> str:
    path = tables.only_table(source.path)
    if path is None:
        return ""
    return f"a {path.suffix} file" if path == source.path else f"the table {path}"


def _open(source: Source) -> Rows:
    path = tables.only_table(source.path) or source.path
    return rows_of(path, tables.open_table(path), source, source.bases(path.parent if path.is_file() else path), REQUIRED)


def rows_of(path: Path, table: Table, source: Source, bases: Sequence[Path], required: Iterable[str]) -> Rows:
    """The rows of a table.

    Raises:
        UserError: it lacks a column that is required, or one that a mapping names; or a mapping names nothing of ours.
    """
    columns = _columns(path, table.columns, source.mapping, required)
    mapped = set(columns.values())
    unread = [name for name in table.pictures if name not in mapped]
    wanted = [name for name in table.columns if name not in unread]
    notes = (f"left out, since only pictures can be bytes: {', '.join(unread)}",) if unread else ()

    def read() -> Iterator[Row]:
        return (_row(line, columns, bases) for line in table.read(wanted))

    return Rows(table.total, read, notes)


def _columns(path: Path, known: Sequence[str], mapping: Mapping[str, str], required: Iterable[str]) -> dict[str, str]:
    """The table's column for each of our names; checks that those which are needed or asked for exist."""
    listed = f"Its columns: {', '.join(sorted(known))}."
    if unknown := sorted(mapping.keys() - set(COLUMNS)):
        raise UserError(f"nothing to map is called {', '.join(unknown)}", f"Names to map: {', '.join(COLUMNS)}.")
    if missing := [f"{name}={column}" for name, column in mapping.items() if column not in known]:
        raise UserError(f"{path} lacks a column that is mapped: {', '.join(missing)}", listed)
    columns = {name: mapping.get(name, name) for name in COLUMNS}
    # A table of broken lines alone has no columns: its lines say what is wrong.
    if known and (missing := [name for name in required if columns[name] not in known]):
        remedy = f"{listed} Say which one it is: {' '.join(f'--map {name}=COLUMN' for name in missing)}"
        raise UserError(f"{path} has no column {', '.join(missing)}", remedy)
    return columns


def _row(line: Line, columns: Mapping[str, str], bases: Sequence[Path]) -> Row:
    if line.problem:
        return Row(where=line.where, problems=(line.problem,))
    cells = Cells(line.where, line.cells, bases)
    texts = {name: cells.text(columns[name]) for name in TEXTS}
    image, further = cells.picture(columns["image"]), cells.pictures(columns["images"], separator=";")
    return cells.row(
        **texts,
        sources=(image, *further) if image else (),
        reference=cells.picture(columns["reference_image"]),
        mask=cells.picture(columns["mask_image"]),
    )


FORMAT = Format(name="table", recognise=_recognise, open=_open, mapped=True)
