"""From judged chunks to scores.jsonl.

A chunk is a fixed run of `size` samples: the batch they are judged in. A finished chunk is one file, by rename; when all are
there they become scores.jsonl, in the benchmark's order, and the manifest comes last.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from editbench import atomic, identity
from editbench.errors import StageError
from editbench.paths import ScorePaths
from editbench.records import ERROR, Judgement


@dataclass(frozen=True, slots=True)
class Chunks:
    """The rows of `samples` samples, `size` a chunk."""

    paths: ScorePaths
    samples: int
    size: int

    def __len__(self) -> int:
        return -(-self.samples // self.size)

    def places(self, number: int) -> range:
        """Places of the chunk's samples in the benchmark's order."""
        return range(number * self.size, min((number + 1) * self.size, self.samples))

    def put(self, number: int, rows: Iterable[Judgement]) -> None:
        """A judged chunk, on disk when this returns; rows that were kept stay as they are. Raises OSError on a full disk."""
        kept = {orjson.loads(line)["key"]: line for line in _read(self.paths.kept(number))}
        atomic.write(self.paths.chunk(number), [kept.get(row.key) or row.to_json() + b"\n" for row in rows])

    def has(self, number: int) -> bool:
        return self.paths.chunk(number).exists()

    def missing(self) -> list[int]:
        return [number for number in range(len(self)) if not self.has(number)]

    def scores(self) -> dict[str, list[float]]:
        """[n, sum] of the scores by category in the chunks that are there."""
        found: dict[str, list[float]] = {}
        for number in range(len(self)):
            for row in map(orjson.loads, _read(self.paths.chunk(number))):
                if row["score"] is not None:
                    count, total = found.get(row["category"], (0, 0.0))
                    found[row["category"]] = [count + 1, total + row["score"]]
        return found

    def reopen(self, statuses: Collection[str] = (ERROR,)) -> None:
        """Take a finished run back to chunks, without the rows of these statuses: they are judged again, in the same company,
        whose own rows are kept."""
        rows = self.paths.scores.read_bytes().splitlines(keepends=True)
        self.clear()
        self.paths.chunks.mkdir()
        for number in range(len(self)):
            mine = [rows[place] for place in self.places(number)]
            kept = [row for row in mine if orjson.loads(row)["status"] not in statuses]
            atomic.write(self.paths.chunk(number) if len(kept) == len(mine) else self.paths.kept(number), kept)
        self.paths.manifest.unlink()

    def finish(self, about: dict[str, Any]) -> dict[str, Any]:
        """Write scores.jsonl and, last, the manifest, which is returned. `about` goes into it.

        Raises:
            StageError: a chunk is missing or has not as many rows as samples.
        """
        digest, statuses, scores = hashlib.sha256(), Counter[str](), []
        with atomic.writing(self.paths.scores) as file:
            for line in self._lines():
                file.write(line)
                digest.update(line)
                row = orjson.loads(line)
                statuses[row["status"]] += 1
                scores += [row["score"]] if row["score"] is not None else []
        manifest = {
            "schema": identity.SCHEMA,
            "samples": self.samples,
            "statuses": dict(sorted(statuses.items())),
            "mean": sum(scores) / len(scores) if scores else None,
            "min": min(scores, default=None),
            "max": max(scores, default=None),
            **about,
            "sha256": digest.hexdigest(),
        }
        manifest["digest"] = identity.digest(manifest)
        atomic.write(self.paths.manifest, orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        self.clear()
        return manifest

    def clear(self) -> None:
        shutil.rmtree(self.paths.chunks, ignore_errors=True)

    def _lines(self) -> Iterator[bytes]:
        for number in range(len(self)):
            lines = _read(self.paths.chunk(number))
            if len(lines) != len(self.places(number)) or not lines[-1].endswith(b"\n"):
                raise StageError(
                    f"{self.paths.chunk(number)} is missing or not whole", "Remove it and run the same command again."
                )
            yield from lines


def _read(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True) if path.exists() else []
