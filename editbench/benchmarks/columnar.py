"""Rows of Parquet files and of Arrow files (as `datasets.save_to_disk` writes them), a few at a time.

A file that is damaged, or made to do harm, ends in one UserError: what pyarrow reads of Arrow files is validated before use.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from editbench import files
from editbench.errors import UserError
from editbench.foreign_paths import SavedDatasetPaths
from editbench.paths import is_file_name

if TYPE_CHECKING:
    import pyarrow

ROWS = 8
"""Rows that are in memory at a time, with their pictures. Of a Parquet file pyarrow holds a page of each column besides, of the
100 rows of a group that `datasets` writes: 190 MB for pictures of 500 kB."""
_READ_AHEAD = 1 << 20
_SPLITS = ("train", "validation", "test")
PARQUET, ARROW = ".parquet", ".arrow"


@dataclass(frozen=True)
class Columnar:
    """Files with the same columns, to be read one after the other."""

    files: tuple[Path, ...]

    @classmethod
    def at(cls, path: Path) -> Columnar | None:
        """The Parquet or Arrow files that a path stands for: a file, a folder that `save_to_disk` has written, or a folder with
        Parquet files somewhere in it; None when there are none.

        Raises:
            UserError: a folder with several splits.
        """
        if path.is_file():
            return cls((path,)) if path.suffix.lower() in (PARQUET, ARROW) else None
        saved = SavedDatasetPaths(path)
        if saved.splits.is_file():
            names = files.parse(files.read(saved.splits), str(saved.splits)).get("splits")
            return cls.at(_only_split(path, names if isinstance(names, list) else []))
        if saved.state.is_file():
            return cls(tuple(_listed(saved)))
        paths = sorted(path.rglob(f"*{PARQUET}"))
        splits = sorted(set(filter(None, map(_split, paths))))
        if len(splits) > 1:
            raise UserError(f"{path} has several splits: {', '.join(splits)}", "Name one of its files, or move one split away.")
        return cls(tuple(paths)) if paths else None

    @cached_property
    def schema(self) -> pyarrow.Schema:
        """Raises UserError for a file that can't be read, names a column twice, or has other columns than the first."""
        schemas = [_File(path).schema() for path in self.files]
        for path, schema in zip(self.files, schemas, strict=True):
            if set(schema.names) != set(schemas[0].names):
                raise UserError(f"{path} has other columns than {self.files[0]}", "Name one of the files.")
        return schemas[0]

    @property
    def columns(self) -> list[str]:
        return list(self.schema.names)

    @property
    def pictures(self) -> list[str]:
        """Columns that hold bytes, which extra columns can't."""
        return [field.name for field in self.schema if _holds_bytes(field.type)]

    @cached_property
    def total(self) -> int:
        """Number of rows. Raises UserError for a file that can't be read."""
        return sum(_File(path).count() for path in self.files)

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """(file and number, values by column) of each row. Raises UserError for a file that can't be read."""
        for path in self.files:
            for number, values in enumerate(_File(path).rows(columns), 1):
                yield f"{path} row {number}", values


def _split(path: Path) -> str:
    """Of a Parquet file of the hub, `train-00000-of-00002.parquet` or `train/0000.parquet`; "" for others."""
    return path.name.partition("-")[0] if "-of-" in path.name else path.parent.name if path.parent.name in _SPLITS else ""


def _only_split(path: Path, names: list[Any]) -> Path:
    if len(names) != 1 or not is_file_name(names[0]):
        raise UserError(f"{path} has several splits: {', '.join(map(str, names))}", "Name the folder of one of them.")
    return path / names[0]


def _listed(saved: SavedDatasetPaths) -> Iterator[Path]:
    entries = files.parse(files.read(saved.state), str(saved.state)).get("_data_files")
    for entry in entries if isinstance(entries, list) else []:
        name = entry.get("filename") if isinstance(entry, dict) else None
        if not is_file_name(name):
            raise UserError(f"{saved.state} names a file {name!r}", "Save the data set again.")
        yield saved.root / name


def _holds_bytes(kind: pyarrow.DataType) -> bool:
    import pyarrow

    if pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind):
        return _holds_bytes(kind.value_type)
    if pyarrow.types.is_struct(kind):
        return any(_holds_bytes(field.type) for field in kind)
    return pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind)


class _File:
    """A Parquet or Arrow file. Every method raises UserError for whatever pyarrow finds wrong with it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            remedy = "Install it with: pip install 'editbench[parquet]'"
            raise UserError(f"reading {path} needs pyarrow, which is not installed", remedy) from None
        self._pyarrow = pyarrow

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (self._pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
            # Of pyarrow's own some are ValueErrors, OSErrors, KeyErrors or MemoryErrors, too.
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(f"can't read {self._path}: {reason}", "Download or save it again.") from None

    def schema(self) -> pyarrow.Schema:
        with self._translated():
            schema = self._parquet().schema_arrow if self._is_parquet else self._stream(self._mapped()).schema
            if len(set(schema.names)) < len(schema.names):
                raise UserError(f"{self._path} has columns with the same name", "Rename them.")
            return schema

    def count(self) -> int:
        with self._translated():
            if self._is_parquet:
                return self._parquet().metadata.num_rows
            return sum(batch.num_rows for batch in self._stream(self._mapped()))

    def rows(self, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
        with self._translated():
            for batch in self._batches(columns):
                yield from batch.to_pylist()

    def _batches(self, columns: Sequence[str]) -> Iterator[pyarrow.RecordBatch]:
        if self._is_parquet:
            yield from self._parquet().iter_batches(batch_size=ROWS, columns=list(columns), use_threads=False)
            return
        mapped = self._mapped()
        for batch in self._stream(mapped):
            batch.validate(full=True)  # offsets that point elsewhere would be followed
            for start in range(0, batch.num_rows, ROWS):
                yield batch.select(list(columns)).slice(start, ROWS)
                mapped.madvise(mmap.MADV_DONTNEED)  # else all that was read so far counts as our memory

    @property
    def _is_parquet(self) -> bool:
        return self._path.suffix.lower() == PARQUET

    def _parquet(self) -> Any:
        with files.opened(self._path):
            # Without pre_buffer and with a buffer a row group is read page by page: pictures of 500 kB take 193 MB, else 665.
            return self._pyarrow.parquet.ParquetFile(self._path, pre_buffer=False, buffer_size=_READ_AHEAD)

    def _mapped(self) -> mmap.mmap:
        with files.opened(self._path) as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def _stream(self, mapped: mmap.mmap) -> Any:
        return self._pyarrow.ipc.open_stream(self._pyarrow.BufferReader(mapped))
