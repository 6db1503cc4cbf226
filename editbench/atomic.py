"""Whole or not there: a file appears under its final name only when it is complete and on disk.

Temporary name in the same folder, fsync, rename, fsync of the folder. The price is two disk flushes a file (about 1 ms
on an SSD); what is only informative (`status/`) passes `durable=False` and pays none.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from editbench.paths import TEMPORARY


@contextmanager
def writing(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """A binary file that becomes `path` when the block ends well, and vanishes when it does not.

    Raises:
        OSError: the disk is full, the folder is missing or read-only.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)  # it has its final name by now, unless something went wrong
    if durable:
        _sync_folder(path.parent)


def write(path: Path, data: bytes | Iterable[bytes], *, durable: bool = True) -> None:
    """Write `data` (bytes, or pieces of bytes) to `path`, whole or not at all. Raises OSError as `writing` does."""
    with writing(path, durable=durable) as file:
        file.writelines([data] if isinstance(data, bytes) else data)


def sweep(folder: Path) -> None:
    """Remove the temporary files that killed processes left in `folder`. Only for who holds the folder's lock."""
    for path in filter(is_temporary, folder.iterdir()):
        path.unlink(missing_ok=True)


def is_temporary(path: Path) -> bool:
    """Whether this is the name of a file that is being written, or was when its process was killed."""
    return path.name.startswith(".") and path.name.endswith(TEMPORARY)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
