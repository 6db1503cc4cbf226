"""The first pass over a benchmark: each picture is read and decoded once, and what is wrong with any row is told.

Of a row only what the second pass needs is kept (about 700 bytes), so that 100,000 rows need no more memory than a hundred.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import orjson

from editbench.benchmarks.format import Rows
from editbench.benchmarks.rows import UNCATEGORIZED, Picture, Row, keys_of, language_of
from editbench.errors import UserError
from editbench.images import decode, suffix
from editbench.wording import counted

SHOWN = 20
"""Problems listed in one message."""
THREADS = 8
"""Pictures decoded at once (PIL releases the GIL)."""
_AHEAD = 2 * THREADS
"""Rows whose pictures are in memory while they wait to be decoded."""


class Checked(NamedTuple):
    """What is known of a picture; the bytes are not kept."""

    sha256: bytes = b""
    suffix: str | None = None
    """The file's own kind, None when it must be rewritten as PNG."""
    problem: str = ""


class Known(NamedTuple):
    """What is known of a row."""

    id: str
    where: str
    fingerprint: bytes
    """Of all that it says, its pictures' bytes excepted."""


@dataclass(slots=True)
class Checks:
    """What the first pass has found out. `keys[i]` is that of `rows[i]`; pictures are by name."""

    rows: list[Known] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    pictures: dict[str, Checked] = field(default_factory=dict)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rows by category and language."""
    problems: list[tuple[int, str]] = field(default_factory=list)
    """Index of a row, and a sentence that names it."""


def check(rows: Rows, advance: Callable[[], None]) -> Checks:
    """Go through all rows. `advance` is called after each."""
    checks = Checks()
    for index, row in enumerate(_examined(rows.read(), checks.pictures)):
        broken = [problem for picture in row.pictures if (problem := checks.pictures[picture.name].problem)]
        mark, unwritable = fingerprint(row)
        problems = [*(row.problems or _missing(row)), *unwritable, *broken]
        checks.problems += [(index, f"{row.where}: {problem}") for problem in problems]
        checks.rows.append(Known(row.id, row.where, mark))
        checks.counts[row.category.strip() or UNCATEGORIZED, language_of(row)] += 1
        advance()
    checks.keys = keys_of(row.id for row in checks.rows)
    checks.problems += _doubles(checks)
    return checks


def refuse(path: Path, checks: Checks) -> None:
    """Raises UserError when anything is wrong, with all problems in the order of the rows."""
    if not checks.problems:
        return
    problems = [sentence for _, sentence in sorted(checks.problems, key=lambda problem: problem[0])]
    more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    title = f"{counted(len(problems), 'problem')} in the {counted(len(checks.rows), 'row')} of {path}:"
    message = "\n".join([title, *problems[:SHOWN], *more])
    raise UserError(message, "Nothing was written. Mend the rows, or take them out, and import again.")


def fingerprint(row: Row) -> tuple[bytes, list[str]]:
    """A digest of what the row says, and what in it can't be written."""
    texts = (row.where, row.id, row.instruction, row.category, row.language, row.group, row.reference_text)
    names = (len(row.sources), row.reference is None, [picture.name for picture in row.pictures])
    try:
        return hashlib.blake2b(orjson.dumps([texts, names, row.extra]), digest_size=16).digest(), []
    except orjson.JSONEncodeError as error:
        return b"", [f"a value can't be written as JSON: {error}"]


def _examined(rows: Iterator[Row], pictures: dict[str, Checked]) -> Iterator[Row]:
    """The rows, each when its pictures have been checked; a picture that several rows name is checked once."""
    waiting: deque[Row] = deque()
    pending: dict[str, Future[Checked]] = {}

    def settle() -> Row:
        row = waiting.popleft()
        for picture in row.pictures:
            if future := pending.pop(picture.name, None):
                pictures[picture.name] = future.result()
        return row

    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:
        for row in rows:
            for picture in row.pictures:
                if picture.name not in pictures and picture.name not in pending:
                    pending[picture.name] = pool.submit(_check_picture, picture)
            waiting.append(row)
            if len(waiting) > _AHEAD:
                yield settle()
        while waiting:
            yield settle()


def _check_picture(picture: Picture) -> Checked:
    try:
        data = picture.read()
        decode(data, picture.name)
        return Checked(hashlib.sha256(data).digest(), suffix(data, picture.name))
    except UserError as error:
        return Checked(problem=str(error))


def _missing(row: Row) -> Iterator[str]:
    if not row.id.strip():
        yield "no id"
    if not row.instruction.strip():
        yield "no instruction"
    if not row.sources:
        yield "no image"


def _doubles(checks: Checks) -> Iterator[tuple[int, str]]:
    by_id: dict[str, int] = {}
    by_key: dict[str, int] = {}
    for index, (row, key) in enumerate(zip(checks.rows, checks.keys, strict=True)):
        if not row.id:
            continue
        if (first := by_id.setdefault(row.id, index)) != index:
            yield index, f"{row.where}: id {row.id} is taken by {checks.rows[first].where}"
        elif (first := by_key.setdefault(key.lower(), index)) != index:
            taken = checks.rows[first]
            yield index, f"{row.where}: id {row.id} gives the same key as {taken.id} of {taken.where}: {key}"
