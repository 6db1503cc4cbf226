"""Read a table of one's own: JSON Lines (.jsonl), JSON (.json: a list of objects, or an object with one list), CSV (.csv).

Columns: id, image, instruction; and if there are any: category, language, reference_text, reference_image, images (further
input pictures: a list, or text separated by ";"), group. A mapping {"instruction": "en"} says that the table calls the
instruction "en". Other columns go into the sample's `extra`. Numbers are taken as text, and an integer of more
than 64 bits is text in `extra` too; null and an empty cell are absent.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from editbench.benchmarks import strict_json
from editbench.benchmarks.rows import Picture, Row
from editbench.errors import UserError

REQUIRED = ("id", "image", "instruction")
TEXTS = ("id", "instruction", "category", "language", "group", "reference_text")
PATHS = ("image", "reference_image")
COLUMNS = (*TEXTS, *PATHS, "images")

_BOM = b"\xef\xbb\xbf"
_LARGEST_CELL = 2**31 - 1
"""Characters of a CSV cell, the most that the parser takes on every system. Its own limit is 131,072."""


class _Line(NamedTuple):
    """A row as it stands in the table, or what is wrong with it."""

    where: str
    cells: dict[str, Any]
    problem: str = ""


def read(source: Path, *, images: Path | None, mapping: Mapping[str, str]) -> list[Row]:
    """The rows of a table; pictures are looked up in `images`, or beside the table.

    A row that can't be read comes with its `problems`; nothing is said here of missing texts or pictures.

    Raises:
        UserError: no such table, not of a kind that is known, not readable as a whole, without rows, without a column
            that is needed, or without one that `mapping` names.
    """
    lines = _lines(source)
    columns = _columns(source, lines, mapping)
    return [_row(line, columns, images or source.parent) for line in lines]


def _lines(source: Path) -> list[_Line]:
    if source.suffix.lower() not in _READERS or not source.is_file():
        known = ", ".join(_READERS)
        raise UserError(f"{source} is not a table (a file {known})", "Name the file that lists the benchmark's samples.")
    try:
        lines = [line for line in _READERS[source.suffix.lower()](source) if line.problem or line.cells]
    except UnicodeDecodeError as error:
        raise UserError(f"{source} is not UTF-8: {error}", "Save it as UTF-8.") from None
    if not lines:
        raise UserError(f"{source} has no rows", "Name a table that lists samples.")
    return lines


def cells(source: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row's file and line, and its cells by column. Raises UserError as `read` does, and for a row that can't be read."""
    for line in _lines(source):
        if line.problem:
            raise UserError(f"{line.where}: {line.problem}", "Mend the row, or take it out.")
        yield line.where, line.cells


def _columns(source: Path, lines: list[_Line], mapping: Mapping[str, str]) -> dict[str, str]:
    """The table's column for each of our names; checks that those which are needed or asked for exist."""
    known = {column for line in lines for column in line.cells}
    listed = f"Its columns: {', '.join(sorted(known))}."
    if unknown := sorted(mapping.keys() - set(COLUMNS)):
        raise UserError(f"nothing to map is called {', '.join(unknown)}", f"Names to map: {', '.join(COLUMNS)}.")
    if missing := [f"{name}={column}" for name, column in mapping.items() if column not in known]:
        raise UserError(f"{source} lacks a column that is mapped: {', '.join(missing)}", listed)
    columns = {name: mapping.get(name, name) for name in COLUMNS}
    # A table of broken lines alone has no columns: its lines say what is wrong.
    if known and (missing := [name for name in REQUIRED if columns[name] not in known]):
        remedy = f"{listed} Say which one it is: {' '.join(f'--map {name}=COLUMN' for name in missing)}"
        raise UserError(f"{source} has no column {', '.join(missing)}", remedy)
    return columns


def _row(line: _Line, columns: Mapping[str, str], base: Path) -> Row:
    cells = {name: line.cells.get(column) for name, column in columns.items()}
    if problems := (line.problem,) if line.problem else tuple(_wrong_types(cells, columns)):
        return Row(where=line.where, problems=problems)
    text = {name: "" if cells[name] is None else str(cells[name]) for name in (*TEXTS, *PATHS)}
    sources = [path for path in (text["image"], *_list(cells["images"])) if path]
    used = set(columns.values())
    return Row(
        where=line.where,
        id=text["id"],
        instruction=text["instruction"],
        category=text["category"],
        language=text["language"],
        group=text["group"],
        reference_text=text["reference_text"],
        # `base / path` is `path` itself where that is absolute.
        sources=tuple(Picture.file(base / path) for path in sources) if text["image"] else (),
        reference=Picture.file(base / text["reference_image"]) if text["reference_image"] else None,
        extra={column: value for column, value in line.cells.items() if column not in used and value is not None},
    )


def _wrong_types(cells: Mapping[str, Any], columns: Mapping[str, str]) -> Iterator[str]:
    for name in (*TEXTS, *PATHS):
        if isinstance(cells[name], bool | list | dict):
            yield f"{columns[name]} is not text but {orjson.dumps(cells[name]).decode()[:40]}"
    pictures = cells["images"]
    if not (pictures is None or isinstance(pictures, str) or _is_list_of_text(pictures)):
        yield f"{columns['images']} is not a list of paths but {orjson.dumps(pictures).decode()[:40]}"


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(part, str) for part in value)


def _list(value: str | list[str] | None) -> list[str]:
    parts = value.split(";") if isinstance(value, str) else value or []
    return [part.strip() for part in parts if part.strip()]


def _read_jsonl(source: Path) -> Iterator[_Line]:
    for number, line in enumerate(source.read_bytes().removeprefix(_BOM).split(b"\n"), 1):
        if line.strip():
            yield _parse(f"{source}:{number}", line)


def _parse(where: str, line: bytes) -> _Line:
    try:
        return _object(where, strict_json.loads(line))
    except orjson.JSONDecodeError as error:
        return _Line(where, {}, f"not JSON: {error.msg} at column {error.colno}")
    except ValueError as error:
        return _Line(where, {}, str(error))


def _object(where: str, value: Any) -> _Line:
    if not isinstance(value, dict) or not value:
        return _Line(where, {}, f"not an object with columns but {orjson.dumps(value).decode()[:40]}")
    return _Line(where, value)


def _read_json(source: Path) -> Iterator[_Line]:
    try:
        value = strict_json.loads(source.read_bytes().removeprefix(_BOM))
    except orjson.JSONDecodeError as error:
        raise UserError(f"{source}:{error.lineno}: not JSON: {error.msg}", "Mend the file.") from None
    except ValueError as error:
        raise UserError(f"{source}: {error}", "Mend the file.") from None
    lists = [value] if isinstance(value, list) else []
    if isinstance(value, dict):
        lists = [inner for inner in value.values() if isinstance(inner, list)]
    if len(lists) != 1:
        raise UserError(f"{source} is neither a list of objects nor an object with one list", "Make it one of the two.")
    for number, row in enumerate(lists[0], 1):
        yield _object(f"{source} row {number}", row)


def _read_csv(source: Path) -> Iterator[_Line]:
    csv.field_size_limit(_LARGEST_CELL)
    with open(source, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = next(reader, [])
            start = reader.line_num + 1
            if repeated := sorted({column for column in header if column and header.count(column) > 1}):
                raise UserError(f"{source}:1: columns with the same name: {', '.join(repeated)}", "Rename them.")
            for cells in reader:
                if any(cells):
                    yield _csv_line(f"{source}:{start}", header, cells)
                # A quoted cell may span lines; a row is named by its first one.
                start = reader.line_num + 1
        except csv.Error as error:
            raise UserError(f"{source}:{reader.line_num}: not CSV: {error}", "Mend the file.") from None


def _csv_line(where: str, header: list[str], cells: list[str]) -> _Line:
    if len(cells) != len(header):
        return _Line(where, {}, f"{len(cells)} cells where the header has {len(header)}")
    # A column without a name is the index that pandas writes.
    return _Line(where, {column: cell or None for column, cell in zip(header, cells, strict=True) if column})


_READERS = {".jsonl": _read_jsonl, ".json": _read_json, ".csv": _read_csv}
