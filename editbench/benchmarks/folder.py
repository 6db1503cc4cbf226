"""Format `folder`: pictures, and beside them one file that says what is to be done with them.

A line of a text file is a picture's name (without its suffix, if one likes), then a tab, a comma, a colon or blanks, then the
instruction. A text of one line that begins with no picture's name is the instruction for all of them. A table (CSV, TSV, JSON
Lines ...) has the columns of format `table`, of which only `image` (or `file_name`, as the `datasets` library has it) and
`instruction` are needed. A sample without an id has its picture's name for one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from editbench import files
from editbench.benchmarks import table, tables
from editbench.benchmarks.format import Format, Rows, Source
from editbench.benchmarks.rows import Picture, Row
from editbench.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
_SEPARATOR = re.compile(r"\s*[\t,:：，|]\s*|\s+")
_PICTURE = re.compile(rf"\S+({'|'.join(map(re.escape, SUFFIXES))})\b", re.IGNORECASE)
_ABOUT = ("readme", "license", "licence")
"""How the names of texts begin that are about the folder."""
_SHOWN = 5


def _recognise(source: Source) -> str:
    if not source.path.is_dir() or len(_texts(source.path)) != 1 or not _pictures(source.path):
        return ""
    return f"pictures with {_texts(source.path)[0].name}"


def _open(source: Source) -> Rows:
    if not source.path.is_dir() or not (texts := _texts(source.path)):
        raise UserError(
            f"{source.path} is no folder with a text or a table",
            "Put the instructions into a .txt or .csv beside the pictures.",
        )
    if len(texts) > 1:
        raise UserError(f"{source.path} has several texts: {', '.join(path.name for path in texts)}", "Leave one of them.")
    return _by_text(texts[0], source) if texts[0].suffix.lower() == ".txt" else _by_table(texts[0], source)


def _texts(path: Path) -> list[Path]:
    kinds = (".txt", *tables.KINDS)
    there = (each for each in path.iterdir() if each.suffix.lower() in kinds and each.is_file())
    return sorted(each for each in there if not each.name.lower().startswith(_ABOUT))


def _pictures(path: Path) -> list[Path]:
    return sorted(each for each in path.iterdir() if each.suffix.lower() in SUFFIXES)


def _by_table(path: Path, source: Source) -> Rows:
    opened = tables.open_table(path)
    if "image" not in (*opened.columns, *source.mapping) and "file_name" in opened.columns:
        source = Source(source.path, source.images, {**source.mapping, "image": "file_name"})
    rows = table.rows_of(path, opened, source, source.bases(path.parent), ("image", "instruction"))
    named = source.mapping.get("id", "id") in opened.columns
    return rows if named else replace(rows, read=lambda: _named(rows.read()))


def _named(rows: Iterator[Row]) -> Iterator[Row]:
    """The rows with ids: each its picture's name, and a number where a picture comes again."""
    times = Counter[str]()
    for row in rows:
        name = Path(row.sources[0].name).stem if row.sources else ""
        times[name] += 1
        yield replace(row, id=f"{name}#{times[name]}" if name and times[name] > 1 else name)


def _by_text(path: Path, source: Source) -> Rows:
    if source.mapping:
        raise UserError(f"{path} has no columns to map", "Leave --map out.")
    lines, pictures = _lines(path), _pictures(source.images or path.parent)
    if not lines or not pictures:
        raise UserError(f"{path} has no lines, or no pictures beside it", "Put the instructions beside the pictures.")
    stems = Counter(each.stem for each in pictures)
    names = {each.stem: each for each in pictures if stems[each.stem] == 1} | {each.name: each for each in pictures}
    rows = [(f"{path}:{number}", *_parted(line, names)) for number, line in lines]
    if len(rows) == 1 and rows[0][1] is None and not _PICTURE.match(rows[0][2]):
        rows = [(str(each), each, rows[0][2]) for each in pictures]
    named = {picture for _, picture, _ in rows}
    without = [each.name for each in pictures if each not in named]
    more = f" and {len(without) - _SHOWN} more" if len(without) > _SHOWN else ""
    notes = (f"pictures without an instruction, left out: {', '.join(without[:_SHOWN])}{more}",) if without else ()
    return Rows(len(rows), lambda: _named(_row(*row) for row in rows), notes)


def _lines(path: Path) -> list[tuple[int, str]]:
    """Lines that say something, with their numbers. Raises UserError for a file that is not UTF-8."""
    try:
        lines = files.read(path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8: {error}", "Save it as UTF-8.") from None
    return [(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _parted(line: str, names: dict[str, Path]) -> tuple[Path | None, str]:
    """The picture that a line begins with, and the rest of the line."""
    line = line.strip()
    ends = [(each.start(), each.end()) for each in _SEPARATOR.finditer(line)]
    for start, end in [(len(line), len(line)), *reversed(ends)]:  # a name may have blanks: the longest that fits
        if picture := names.get(line[:start]):
            return picture, line[end:]
    return None, line


def _row(where: str, picture: Path | None, instruction: str) -> Row:
    if picture is None:
        return Row(where=where, problems=("it begins with the name of no picture in the folder",))
    return Row(where=where, instruction=instruction, sources=(Picture.file(picture),))


FORMAT = Format(name="folder", recognise=_recognise, open=_open, mapped=True)
