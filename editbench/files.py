"""Reading what lies on disk. Nothing in it is trusted: whatever is wrong is one UserError that names the file and the place in
it.

A kind of file has a type, a frozen dataclass with checked fields, and `load` and `rows` return that type or raise. The types
are in `records` and `manifests`; msgspec checks values against them, orjson parses (it refuses infinite numbers and unpaired
surrogates).

>>> manifest = files.load(paths.manifest, BenchmarkManifest, "Import the benchmark again.")
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import orjson

from editbench import atomic
from editbench.errors import UserError

SCHEMA = 1
"""Version of the files on disk. A change that an older editbench would misread raises it."""

Kind = TypeVar("Kind")


@contextmanager
def opened(path: Path, remedy: str = "") -> Iterator[BufferedReader]:
    """A regular file, open for reading.

    Raises:
        UserError: it is missing, no regular file (a FIFO or a device might never end), or can't be opened or read.
    """
    try:
        # Without O_NONBLOCK, opening a FIFO that nobody writes to waits for ever.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UserError(f"{path} is not a regular file", remedy)
            yield file
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror or error}", remedy) from None
    except ValueError as error:  # a zero byte in the path
        raise UserError(f"can't read {str(path)!r}: {error}", remedy) from None


def read(path: Path, remedy: str = "") -> bytes:
    """The contents of a regular file. Raises UserError as `opened` does."""
    with opened(path, remedy) as file:
        return file.read()


def parse(data: bytes, where: str, remedy: str = "") -> dict[str, Any]:
    """A JSON object. Raises UserError for anything else; `where` says what it was read from."""
    try:
        value = orjson.loads(data)
        orjson.dumps(value)  # writes fewer levels of nesting than it reads: 254
    except orjson.JSONDecodeError as error:
        raise UserError(f"{where} is not JSON: {error}", remedy) from None
    except orjson.JSONEncodeError as error:
        raise UserError(f"{where} is nested too deeply: {error}", remedy) from None
    if not isinstance(value, dict):
        raise UserError(f"{where} is not a JSON object", remedy)
    return value


def checked(value: Any, kind: type[Kind], where: str, remedy: str = "") -> Kind:
    """A parsed JSON value as `kind`; fields that `kind` does not have are ignored. Raises UserError where it does not fit."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise UserError(f"{where}: {error}", remedy) from None


def load(path: Path, kind: type[Kind], remedy: str = "") -> Kind:
    """A file that holds one JSON object. Raises UserError as `opened`, `parse` and `checked` do."""
    return checked(parse(read(path, remedy), str(path), remedy), kind, str(path), remedy)


def versioned(path: Path, remedy: str = "") -> dict[str, Any]:
    """A JSON object that says its schema. Raises UserError as `opened` and `parse` do, and for another schema than SCHEMA."""
    value = parse(read(path, remedy), str(path), remedy)
    if value.get("schema") != SCHEMA:
        raise UserError(f"{path} is of another schema than {SCHEMA}", "Use the editbench version that made it.")
    return value


def rows(path: Path, kind: type[Kind], remedy: str = "") -> Iterator[Kind]:
    """A file of one JSON object a line. Raises UserError as `load` does, with the line."""
    with opened(path, remedy) as file:
        for number, line in enumerate(file, 1):
            where = f"{path}, line {number}"
            yield checked(parse(line, where, remedy), kind, where, remedy)


def dump(path: Path, value: Any) -> None:
    """Write JSON for people to read, whole or not at all. Raises OSError when the disk is full."""
    atomic.write(path, orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
