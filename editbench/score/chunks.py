"""From judged chunks to scores.jsonl, and to audit.jsonl and anchors.jsonl where those are asked for.

A row file is one of these, and says which rows become it. A chunk is a fixed run of rows of one file: those that are judged
together, in one batch. Chunks and rows are numbered through all row files. A finished chunk is one file, by rename; when all
are finished they become the row files, each in the benchmark's order, and the manifest comes last.
"""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from editbench import atomic, files, shards
from editbench.errors import StageError, UserError
from editbench.manifests import EditsFacts, RowsEntry, ScoreManifest
from editbench.paths import ScorePaths
from editbench.records import ERROR, Judgement, Status

RowName = tuple[str, str]
"""What a row is of: the sample's key, and the kind of control in an audit, else ""."""


class StoredRow(NamedTuple):
    """A row's bytes on disk, line break included, and the judgement that they hold."""

    line: bytes
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class RowFile:
    """A file of rows. `names`: of its rows, in the order in which they are judged. `starts`: the first row of each chunk,
    counted in this file."""

    path: Path
    names: Sequence[RowName]
    starts: Sequence[int]
    order: Sequence[int] | None = None
    """The file's order, where that is not the one in which rows are judged: the row that stands at each line."""
    edits: str | None = None
    """Of anchors: the digest of the edits that they are from, for the manifest."""

    @property
    def title(self) -> str:
        return self.path.stem

    def __len__(self) -> int:
        return len(self.names)

    def rows_of(self, chunk: int) -> range:
        """The rows of a chunk of this file, both counted in this file."""
        ends = (*self.starts[chunk + 1 : chunk + 2], len(self))
        return range(self.starts[chunk], ends[0])

    def read(self) -> list[StoredRow]:
        """The rows of the finished file, in the order in which they are judged. Raises UserError when they are not these."""
        order = range(len(self)) if self.order is None else self.order
        rows = _read(self.path, [self.names[number] for number in order])
        return [row for _, row in sorted(zip(order, rows, strict=True))]


@dataclass(frozen=True, slots=True)
class Chunks:
    """The chunks of a run and the row files that they become: the first is the samples', whose rows the manifest counts."""

    paths: ScorePaths
    files: Sequence[RowFile]

    def __len__(self) -> int:
        return sum(len(file.starts) for file in self.files)

    def rows_of(self, number: int) -> range:
        """The rows of a chunk, both counted through all row files."""
        file, chunk, first = self._file_of(number)
        rows = file.rows_of(chunk)
        return range(first + rows.start, first + rows.stop)

    def title(self, number: int) -> str:
        """A chunk's name for people: `chunk 3`, or `chunk 7 (audit)`."""
        file, _, first = self._file_of(number)
        return f"chunk {number} ({file.title})" if first else f"chunk {number}"

    def put(self, number: int, judgements: Iterable[Judgement]) -> None:
        """A judged chunk, on disk when this returns; rows that were kept stay as they are.

        Raises:
            OSError: the disk is full.
            UserError: what was kept can't be read.
        """
        path = self.paths.kept(number)
        kept = {_name(row.judgement): row.line for row in _read(path)} if path.exists() else {}
        lines = [kept.get(_name(judgement)) or judgement.to_json() + b"\n" for judgement in judgements]
        atomic.write(self.paths.chunk(number), lines)

    def has(self, number: int) -> bool:
        """Whether a chunk is finished."""
        return self.paths.chunk(number).exists()

    def missing(self) -> list[int]:
        """The numbers of the chunks that are not finished."""
        return [number for number in range(len(self)) if not self.has(number)]

    def scores(self) -> dict[str, list[float]]:
        """[n, sum] of the samples' scores by category, in the finished chunks. Raises UserError as `finish` does."""
        totals: dict[str, list[float]] = {}
        for number in filter(self.has, range(len(self.files[0].starts))):
            for _, row in self._chunk(number):
                if row.score is not None:
                    count, total = totals.get(row.category, (0, 0.0))
                    totals[row.category] = [count + 1, total + row.score]
        return totals

    def damaged(self, manifest: ScoreManifest) -> list[RowFile]:
        """The row files of a finished run that are missing or are not what the manifest says."""
        return [
            file
            for file in self.files
            if not file.path.is_file() or shards.sha256(file.path) != getattr(self._entry(file, manifest), "sha256", None)
        ]

    def statuses(self, manifest: ScoreManifest) -> Counter[str]:
        """How many rows of a finished run have each status, those of controls and anchors included."""
        entries = [self._entry(file, manifest) for file in self.files]
        return sum((Counter(entry.statuses) for entry in entries if entry is not None), Counter[str]())

    def owed(self, statuses: Collection[Status], damaged: Collection[RowFile] = ()) -> list[int]:
        """Chunks that `reopen` would leave to be judged."""
        return [number for number, rows, kept in self._kept(statuses, damaged) if len(kept) < len(rows)]

    def reopen(self, statuses: Collection[Status] = (ERROR,), damaged: Collection[RowFile] = ()) -> None:
        """Take a finished run back to chunks, without the rows of these statuses and of these files: they are judged again, in
        the same batches, whose other rows are kept."""
        chunks = [*self._kept(statuses, damaged)]
        self.clear()
        self.paths.chunks.mkdir()
        for number, rows, kept in chunks:
            path = self.paths.chunk(number) if len(kept) == len(rows) else self.paths.kept(number)
            atomic.write(path, [row.line for row in kept])
        self.paths.manifest.unlink()

    def finish(self, edits: EditsFacts, identity: str) -> ScoreManifest:
        """Write the row files and, last, the manifest, which is returned. `identity`: its digest.

        Raises:
            StageError: a chunk is missing or has not as many rows as it should.
            UserError: a chunk holds other rows than its own.
        """
        (samples, scores), *rest = [self._gather(file, rows) for file, rows in self._rows()]
        others = {file.title: entry for file, (entry, _) in zip(self.files[1:], rest, strict=True)}
        manifest = ScoreManifest(
            samples=samples.rows,
            statuses=samples.statuses,
            mean=sum(scores) / len(scores) if scores else None,
            min=min(scores, default=None),
            max=max(scores, default=None),
            edits=edits,
            identity=identity,
            sha256=samples.sha256,
            audit=others.get(self.paths.audit.stem),
            anchors=others.get(self.paths.anchors.stem),
        )
        manifest = replace(manifest, digest=manifest.own_digest())
        manifest.dump(self.paths.manifest)
        self.clear()
        return manifest

    def clear(self) -> None:
        """Remove the files of all chunks."""
        shutil.rmtree(self.paths.chunks, ignore_errors=True)

    def _file_of(self, number: int) -> tuple[RowFile, int, int]:
        """A chunk's row file, its number in that file, and the number of the file's first row among all rows."""
        chunk, first = number, 0
        for file in self.files:
            if chunk < len(file.starts):
                return file, chunk, first
            chunk, first = chunk - len(file.starts), first + len(file)
        raise IndexError(f"no chunk {number}")

    def _entry(self, file: RowFile, manifest: ScoreManifest) -> ScoreManifest | RowsEntry | None:
        """What the manifest says of a row file; None where it says nothing."""
        return manifest if file is self.files[0] else getattr(manifest, file.title)

    def _kept(
        self, statuses: Collection[Status], damaged: Collection[RowFile]
    ) -> Iterator[tuple[int, Sequence[int], list[StoredRow]]]:
        """Of each chunk the number, its rows counted in their file, and those rows of a finished run that stay."""
        number = 0
        for file in self.files:
            rows = [] if file in damaged else file.read()
            for chunk in range(len(file.starts)):
                span = file.rows_of(chunk)
                judged = rows[span.start : span.stop]
                yield number, span, [row for row in judged if row.judgement.status not in statuses]
                number += 1

    def _rows(self) -> Iterator[tuple[RowFile, Iterator[StoredRow]]]:
        """Each row file with its rows, in the file's order."""
        number = 0
        for file in self.files:
            last = number + len(file.starts)
            rows = (row for chunk in range(number, last) for row in self._chunk(chunk))
            if file.order is not None:
                judged = [*rows]
                rows = (judged[row] for row in file.order)
            yield file, rows
            number = last

    def _chunk(self, number: int) -> list[StoredRow]:
        path = self.paths.chunk(number)
        if not path.exists():
            raise StageError(f"{path} is missing", "Run the same command again.")
        file, chunk, _ = self._file_of(number)
        span = file.rows_of(chunk)
        return _read(path, file.names[span.start : span.stop])

    def _gather(self, file: RowFile, rows: Iterable[StoredRow]) -> tuple[RowsEntry, list[float]]:
        """Write a row file: its entry in the manifest, and its scores."""
        digest, statuses, scores = hashlib.sha256(), Counter[str](), []
        with atomic.writing(file.path) as out:
            for line, judgement in rows:
                out.write(line)
                digest.update(line)
                statuses[judgement.status] += 1
                scores += [judgement.score] if judgement.score is not None else []
        counts = dict(sorted(statuses.items()))
        return (RowsEntry(rows=len(file), statuses=counts, sha256=digest.hexdigest(), edits=file.edits), scores)


def _name(judgement: Judgement) -> RowName:
    return judgement.key, judgement.audit


def _read(path: Path, names: Sequence[RowName] | None = None) -> list[StoredRow]:
    """The rows of a file, whose `names` they must have. Raises UserError when one is broken or of another sample."""
    remedy = "Remove it and run the same command again."
    with files.opened(path, remedy) as file:
        lines = file.readlines()
    if lines and not lines[-1].endswith(b"\n"):
        raise UserError(f"{path} has been cut short", remedy)
    rows = [
        StoredRow(line, Judgement.from_dict(files.parse(line, f"{path}, line {number}", remedy), f"{path}, line {number}"))
        for number, line in enumerate(lines, 1)
    ]
    if names is not None and [_name(row.judgement) for row in rows] != [*names]:
        raise UserError(f"{path} does not hold the rows of this run's samples, in their order", remedy)
    return rows
