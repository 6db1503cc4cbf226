"""The cells of one row, read by the name of their column, whatever kind of file they come from.

>>> cells = Cells("table.jsonl:3", {"id": 7, "image": "red.png", "instruction": "Make it blue.", "note": "n"}, (folder,))
>>> cells.row(id=cells.text("id"), instruction=cells.text("instruction"), sources=cells.pictures("image")).extra
{"note": "n"}
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from editbench.benchmarks.rows import Picture, Row

_SHOWN = 40


class Cells:
    """What can't be read is named in `problems` and taken for absent; null, NaN and an empty text are absent."""

    def __init__(self, where: str, values: Any, bases: Sequence[Path]) -> None:
        """`where`: the row's file and line; `values`: by column; `bases`: folders to look for pictures in, in this order."""
        self.where = where
        self.problems: list[str] = []
        self._values: Mapping[str, Any] = values if isinstance(values, dict) else {}
        if not isinstance(values, dict):
            self.problems.append(f"not an object with columns but {_shown(values)}")
        self._bases = bases
        self._read: set[str] = set()

    def text(self, column: str) -> str:
        """Of a number, its digits."""
        value = self._take(column)
        if value is None:
            return ""
        if isinstance(value, bool | list | dict | bytes):
            self._wrong(column, "text", value)
            return ""
        return str(value)

    def picture(self, column: str) -> Picture | None:
        """A path, the picture's bytes, or both as the `datasets` library has them: {"bytes", "path"}."""
        return self._picture(column, self._take(column), column)

    def pictures(self, column: str, separator: str | None = None) -> tuple[Picture, ...]:
        """A picture or a list of pictures; with a `separator`, a text is a list of paths."""
        value = self._take(column)
        if isinstance(value, str) and separator:
            value = [part.strip() for part in value.split(separator) if part.strip()]
        if not isinstance(value, list):
            picture = self._picture(column, value, column)
            return (picture,) if picture else ()
        read = [self._picture(f"{column} {number}", each, column) for number, each in enumerate(value, 1)]
        return tuple(picture for picture in read if picture)

    def row(self, **fields: Any) -> Row:
        """The row, whose `extra` are the columns that nobody asked for."""
        if self.problems:
            return Row(where=self.where, problems=tuple(self.problems))
        rest = {name: _plain(value) for name, value in self._values.items() if name not in self._read}
        return Row(where=self.where, extra={name: value for name, value in rest.items() if value is not None}, **fields)

    def _take(self, column: str) -> Any:
        self._read.add(column)
        value = self._values.get(column)
        return None if value == "" or (isinstance(value, float) and math.isnan(value)) else value

    def _picture(self, name: str, value: Any, column: str) -> Picture | None:
        if isinstance(value, dict) and value.keys() <= {"bytes", "path"} and not any(value.values()):
            return None
        data, path = (value.get("bytes"), value.get("path")) if isinstance(value, dict) else (value, value)
        if isinstance(data, bytes):
            return Picture.held(f"{self.where}: {name}", data)
        if isinstance(path, str) and path:
            return Picture.file(self._located(path))
        if value is not None:
            self._wrong(column, "a picture or its path", value)
        return None

    def _located(self, path: str) -> Path:
        # `base / path` is `path` itself where that is absolute.
        candidates = [base / path for base in self._bases]
        return next((each for each in candidates[:-1] if each.exists()), candidates[-1]) if candidates else Path(path)

    def _wrong(self, column: str, kind: str, value: Any) -> None:
        self.problems.append(f"{column} is not {kind} but {_shown(value)}")


def _shown(value: Any) -> str:
    return orjson.dumps(value, default=lambda _: "...").decode()[:_SHOWN]


def _plain(value: Any) -> Any:
    """The value as JSON has it. Pictures among it are left out, and what JSON does not know (dates, decimals) is text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items() if not isinstance(each, bytes)}
    return value if isinstance(value, str | int | None) else None if isinstance(value, bytes) else str(value)
