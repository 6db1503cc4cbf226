"""timings.jsonl: how long each item took, on which rank, gathered from what the ranks of all attempts wrote."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from editbench import atomic, files
from editbench.errors import UserError
from editbench.paths import RunPaths


@dataclass(frozen=True, slots=True)
class _Seconds:
    compute: Annotated[float, Meta(ge=0)]


@dataclass(frozen=True, slots=True)
class _Timed:
    """A row, as far as it is read back."""

    keys: list[str]
    seconds: _Seconds


def merge(paths: RunPaths) -> None:
    """Write the file anew. A row that a killed rank left torn is skipped. Raises OSError when the disk is full."""
    atomic.write(paths.timings, (row + b"\n" for row in _rows(paths)))


def pace(paths: RunPaths) -> float | None:
    """Mean seconds a sample on the device; None where no item has been timed. Rows that can't be read are left out."""
    seconds, samples = 0.0, 0
    for row in _rows(paths):
        with contextlib.suppress(UserError):
            timed = files.checked(files.parse(row, paths.timings.name), _Timed, paths.timings.name)
            seconds, samples = seconds + timed.seconds.compute, samples + len(timed.keys)
    return seconds / samples if samples else None


def _rows(paths: RunPaths) -> Iterator[bytes]:
    for attempt in range(1, paths.last_attempt() + 1):
        for path in paths.attempt(attempt).all_timings():
            yield from (line for line in path.read_bytes().splitlines() if line.endswith(b"}"))
