"""Files with one sample a row: JSON Lines, JSON (a list of objects, or an object with one list), CSV and TSV, Parquet, Arrow.

What kind a file is, its suffix says. A file is gone through as often as its rows are asked for, so that nobody keeps them (of
JSON alone all rows are in memory, since it has to be parsed as a whole).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from editbench import files
from editbench.benchmarks import columnar, strict_json
from editbench.benchmarks.columnar import Columnar
from editbench.errors import UserError

_BOM = b"\xef\xbb\xbf"
_LARGEST_CELL = 2**31 - 1
"""Characters of a CSV cell, the most that the parser takes on every system. Its own limit is 131,072."""


class Line(NamedTuple):
    """A row as it stands in the table, or what is wrong with it."""

    where: str
    cells: dict[str, Any]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """`columns` are those that some row has; of `pictures`, those that hold bytes, `read` gives only what it is asked for."""

    total: int
    columns: tuple[str, ...]
    read: Callable[[list[str]], Iterator[Line]]
    """The rows, given the columns that are wanted."""
    pictures: tuple[str, ...] = ()


def is_table(path: Path) -> bool:
    """Whether the suffix is that of a table."""
    return path.suffix.lower() in (*KINDS, columnar.PARQUET, columnar.ARROW)


def only_table(path: Path) -> Path | None:
    """The table that a path stands for: a file, a folder of Parquet or Arrow files, or the one table in a folder.

    Raises UserError as `Columnar.at` does.
    """
    if not path.is_dir():
        return path if is_table(path) else None
    there = sorted(each for each in path.iterdir() if each.suffix.lower() in KINDS and each.is_file())
    return path if Columnar.at(path) else there[0] if len(there) == 1 else None


def open_table(source: Path) -> Table:
    """The table in a file, or in the Parquet or Arrow files of a folder.

    Raises:
        UserError: no such table, not of a kind that is known, not readable as a whole, or without rows.
    """
    if several := Columnar.at(source):
        columns, pictures = tuple(several.columns), tuple(several.pictures)
        table = Table(several.total, columns, lambda wanted: (Line(*row) for row in several.rows(wanted)), pictures)
    elif source.suffix.lower() in KINDS and source.is_file():
        table = _text_table(source)
    else:
        known = ", ".join((*KINDS, columnar.PARQUET, columnar.ARROW))
        raise UserError(f"{source} is not a table (a file {known})", "Name the file that lists the benchmark's samples.")
    if not table.total:
        raise UserError(f"{source} has no rows", "Name a table that lists samples.")
    return table


def cells(source: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row's file and line, and its cells by column. Raises UserError as `open_table` does, and for a row that can't be
    read."""
    table = open_table(source)
    for line in table.read([name for name in table.columns if name not in table.pictures]):
        if line.problem:
            raise UserError(f"{line.where}: {line.problem}", "Mend the row, or take it out.")
        yield line.where, line.cells


def _text_table(source: Path) -> Table:
    read, total = KINDS[source.suffix.lower()](source), 0
    columns: dict[str, None] = {}
    for line in _lines(source, read):
        total += 1
        columns.update(dict.fromkeys(line.cells))
    return Table(total, tuple(columns), lambda _: _lines(source, read))


def _lines(source: Path, read: Callable[[], Iterator[Line]]) -> Iterator[Line]:
    try:
        yield from (line for line in read() if line.problem or line.cells)
    except UnicodeDecodeError as error:
        raise UserError(f"{source} is not UTF-8: {error}", "Save it as UTF-8.") from None


def _jsonl(source: Path) -> Iterator[Line]:
    with files.opened(source) as file:
        for number, line in enumerate(file, 1):
            if number == 1:
                line = line.removeprefix(_BOM)
            if line.strip():
                yield _parse(f"{source}:{number}", line.rstrip(b"\r\n"))


def _parse(where: str, line: bytes) -> Line:
    try:
        return _object(where, strict_json.loads(line))
    except orjson.JSONDecodeError as error:
        return Line(where, {}, f"not JSON: {error.msg} at column {error.colno}")
    except ValueError as error:
        return Line(where, {}, str(error))


def _object(where: str, value: Any) -> Line:
    if not isinstance(value, dict) or not value:
        return Line(where, {}, f"not an object with columns but {orjson.dumps(value).decode()[:40]}")
    return Line(where, value)


def _json(source: Path) -> Callable[[], Iterator[Line]]:
    value = strict_json.document(files.read(source), str(source))
    lists = [value] if isinstance(value, list) else []
    if isinstance(value, dict):
        lists = [inner for inner in value.values() if isinstance(inner, list)]
    if len(lists) != 1:
        raise UserError(f"{source} is neither a list of objects nor an object with one list", "Make it one of the two.")
    return lambda: (_object(f"{source} row {number}", row) for number, row in enumerate(lists[0], 1))


def _csv(source: Path, delimiter: str) -> Iterator[Line]:
    csv.field_size_limit(_LARGEST_CELL)
    with open(source, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
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


def _csv_line(where: str, header: list[str], cells: list[str]) -> Line:
    if len(cells) != len(header):
        return Line(where, {}, f"{len(cells)} cells where the header has {len(header)}")
    # A column without a name is the index that pandas writes.
    return Line(where, {column: cell or None for column, cell in zip(header, cells, strict=True) if column})


KINDS: dict[str, Callable[[Path], Callable[[], Iterator[Line]]]] = {
    ".jsonl": lambda source: partial(_jsonl, source),
    ".json": _json,
    ".csv": lambda source: partial(_csv, source, ","),
    ".tsv": lambda source: partial(_csv, source, "\t"),
}
"""Readers of text tables, by suffix."""
