"""timings.jsonl: how long each item took, on which rank, gathered from what the ranks of all attempts wrote."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from editbench import atomic
from editbench.paths import RunPaths


def merge(paths: RunPaths) -> None:
    """Write the file anew. A row that a killed rank left torn is skipped. Raises OSError when the disk is full."""
    atomic.write(paths.timings, (row + b"\n" for row in _rows(paths)))


def pace(paths: RunPaths) -> Iterator[float]:
    """Mean seconds a sample on the device, if some are known."""
    rows = [orjson.loads(row) for row in _rows(paths)]
    if rows:
        yield sum(row["seconds"]["compute"] for row in rows) / sum(len(row["keys"]) for row in rows)


def _rows(paths: RunPaths) -> Iterator[bytes]:
    for attempt in range(1, paths.last_attempt() + 1):
        for path in paths.attempt(attempt).all_timings():
            yield from (line for line in path.read_bytes().splitlines() if line.endswith(b"}"))
