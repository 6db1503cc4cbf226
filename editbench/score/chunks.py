"""From judged chunks to scores.jsonl, and to audit.jsonl and anchors.jsonl where there are such cases.

A docket is the cases whose rows become one file. A chunk is a fixed run of cases of one docket: those that are judged together.
Chunks and cases are numbered through all dockets. A finished chunk is one file, by rename; when all are there they become the
dockets' files, each in the benchmark's order, and the manifest comes last.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from editbench import atomic, identity, shards
from editbench.errors import StageError
from editbench.paths import ScorePaths
from editbench.records import ERROR, Judgement


@dataclass(frozen=True, slots=True)
class Docket:
    """`cases` cases that become the rows of `path`. `starts`: the first case of each chunk, counted within the docket."""

    path: Path
    cases: int
    starts: Sequence[int]
    order: Sequence[int] | None = None
    """The file's order, where that is not the one in which they are judged: which case each row is of."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """What the manifest says of the file besides its rows; not of the first docket, which the manifest itself is about."""

    @property
    def name(self) -> str:
        return self.path.stem

    def places(self, chunk: int) -> range:
        ends = (*self.starts[chunk + 1 : chunk + 2], self.cases)
        return range(self.starts[chunk], ends[0])

    def rows(self) -> list[bytes]:
        """The rows of the file, each as a line, in the order in which they are judged."""
        lines = _read(self.path)
        return lines if self.order is None else [line for _, line in sorted(zip(self.order, lines, strict=True))]


@dataclass(frozen=True, slots=True)
class Chunks:
    """The first docket is the samples', whose rows the manifest counts."""

    paths: ScorePaths
    dockets: Sequence[Docket]

    def __len__(self) -> int:
        return sum(len(docket.starts) for docket in self.dockets)

    @property
    def cases(self) -> int:
        return sum(docket.cases for docket in self.dockets)

    def places(self, number: int) -> range:
        """The chunk's cases."""
        docket, chunk, place = self._found(number)
        found = docket.places(chunk)
        return range(place + found.start, place + found.stop)

    def name(self, number: int) -> str:
        """`chunk 3`, or `chunk 7 (audit)`."""
        docket, _, place = self._found(number)
        return f"chunk {number} ({docket.name})" if place else f"chunk {number}"

    def put(self, number: int, rows: Iterable[Judgement]) -> None:
        """A judged chunk, on disk when this returns; rows that were kept stay as they are. Raises OSError on a full disk."""
        kept = {_named(orjson.loads(line)): line for line in _read(self.paths.kept(number))}
        lines = [kept.get((row.key, row.audit)) or row.to_json() + b"\n" for row in rows]
        atomic.write(self.paths.chunk(number), lines)

    def has(self, number: int) -> bool:
        return self.paths.chunk(number).exists()

    def missing(self) -> list[int]:
        return [number for number in range(len(self)) if not self.has(number)]

    def scores(self) -> dict[str, list[float]]:
        """[n, sum] of the samples' scores by category in the chunks that are there."""
        found: dict[str, list[float]] = {}
        for number in range(len(self.dockets[0].starts)):
            for row in map(orjson.loads, _read(self.paths.chunk(number))):
                if row["score"] is not None:
                    count, total = found.get(row["category"], (0, 0.0))
                    found[row["category"]] = [count + 1, total + row["score"]]
        return found

    def damaged(self, manifest: Mapping[str, Any]) -> list[Docket]:
        """The dockets of a finished run whose file is missing or is not what the manifest says."""
        return [
            docket
            for docket in self.dockets
            if not docket.path.is_file() or shards.sha256(docket.path) != self._about(docket, manifest).get("sha256")
        ]

    def statuses(self, manifest: Mapping[str, Any]) -> Counter[str]:
        """Of all rows of a finished run, those of controls and anchors included."""
        return sum((Counter(self._about(docket, manifest).get("statuses", {})) for docket in self.dockets), Counter())

    def owed(self, statuses: Collection[str], damaged: Collection[Docket] = ()) -> list[int]:
        """Chunks that `reopen` would leave to be judged."""
        return [number for number, mine, kept in self._sorted_out(statuses, damaged) if len(kept) < len(mine)]

    def reopen(self, statuses: Collection[str] = (ERROR,), damaged: Collection[Docket] = ()) -> None:
        """Take a finished run back to chunks, without the rows of these statuses and of these dockets: they are judged again,
        in the same company, whose own rows are kept."""
        found = [*self._sorted_out(statuses, damaged)]
        self.clear()
        self.paths.chunks.mkdir()
        for number, mine, kept in found:
            atomic.write(self.paths.chunk(number) if len(kept) == len(mine) else self.paths.kept(number), kept)
        self.paths.manifest.unlink()

    def finish(self, about: dict[str, Any]) -> dict[str, Any]:
        """Write the dockets' files and, last, the manifest, which is returned. `about` goes into it.

        Raises:
            StageError: a chunk is missing or has not as many rows as cases.
        """
        first, *others = [self._gather(docket, lines) for docket, lines in self._lines()]
        manifest = {
            "schema": identity.SCHEMA,
            "samples": first["rows"],
            "statuses": first["statuses"],
            **first["scores"],
            **about,
            "sha256": first["sha256"],
        }
        for docket, found in zip(self.dockets[1:], others, strict=True):
            manifest[docket.name] = {name: found[name] for name in ("rows", "statuses", "sha256")} | {**docket.about}
        manifest["digest"] = identity.digest(manifest)
        atomic.write(self.paths.manifest, orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        self.clear()
        return manifest

    def clear(self) -> None:
        shutil.rmtree(self.paths.chunks, ignore_errors=True)

    def _found(self, number: int) -> tuple[Docket, int, int]:
        """A chunk's docket, its number there, and the number of the docket's first case."""
        chunk, place = number, 0
        for docket in self.dockets:
            if chunk < len(docket.starts):
                return docket, chunk, place
            chunk, place = chunk - len(docket.starts), place + docket.cases
        raise IndexError(f"no chunk {number}")

    def _about(self, docket: Docket, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
        return manifest if docket is self.dockets[0] else manifest.get(docket.name, {})

    def _sorted_out(
        self, statuses: Collection[str], damaged: Collection[Docket]
    ) -> Iterator[tuple[int, Sequence[int], list[bytes]]]:
        """Of each chunk the number, the places, and the rows of a finished run that stay."""
        number = 0
        for docket in self.dockets:
            rows = [] if docket in damaged else docket.rows()
            for chunk in range(len(docket.starts)):
                places = docket.places(chunk)
                mine = rows[places.start : places.stop]
                yield number, places, [row for row in mine if orjson.loads(row)["status"] not in statuses]
                number += 1

    def _lines(self) -> Iterator[tuple[Docket, Iterator[bytes]]]:
        number = 0
        for docket in self.dockets:
            last = number + len(docket.starts)
            lines = (line for chunk in range(number, last) for line in self._whole(chunk))
            if docket.order is not None:
                judged = [*lines]
                lines = (judged[place] for place in docket.order)
            yield docket, lines
            number = last

    def _whole(self, number: int) -> list[bytes]:
        lines = _read(self.paths.chunk(number))
        if len(lines) != len(self.places(number)) or not lines[-1].endswith(b"\n"):
            raise StageError(f"{self.paths.chunk(number)} is missing or not whole", "Remove it and run the same command again.")
        return lines

    def _gather(self, docket: Docket, lines: Iterable[bytes]) -> dict[str, Any]:
        """Write the docket's file; what it holds."""
        digest, statuses, scores = hashlib.sha256(), Counter[str](), []
        with atomic.writing(docket.path) as file:
            for line in lines:
                file.write(line)
                digest.update(line)
                row = orjson.loads(line)
                statuses[row["status"]] += 1
                scores += [row["score"]] if row["score"] is not None else []
        ends = {"min": min(scores, default=None), "max": max(scores, default=None)}
        return {
            "rows": docket.cases,
            "statuses": dict(sorted(statuses.items())),
            "scores": {"mean": sum(scores) / len(scores) if scores else None, **ends},
            "sha256": digest.hexdigest(),
        }


def _named(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["key"], row["audit"]


def _read(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True) if path.exists() else []
