"""Whole or not there: a file or folder appears under its final name only when it is complete and on disk.

Temporary name in the same folder, fsync, rename, fsync of the folder. The price is two disk flushes a file (about 1 ms
on an SSD); what is only informative (`status/`) passes `durable=False` and pays none.

What is being written is locked, and the kernel frees the lock when its writer dies. So what killed processes left is told from
what others are writing at this moment, by its lock alone: process ids mean nothing on another machine or in another container.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from editbench.paths import DAMAGED, TEMPORARY

_FOLDER = f".folder{TEMPORARY}"
"""Ends the name of a folder that is being built, where that of its lock ends in TEMPORARY."""


@contextmanager
def writing(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """A binary file that becomes `path` when the block ends well, and vanishes when it does not.

    Raises:
        OSError: the disk is full, the folder is missing or read-only.
    """
    with _temporary(path) as file:
        yield file
        file.flush()
        if durable:
            os.fsync(file.fileno())
        os.replace(file.name, path)
    if durable:
        _sync_folder(path.parent)


def write(path: Path, data: bytes | Iterable[bytes], *, durable: bool = True) -> None:
    """Write `data` (bytes, or pieces of bytes) to `path`, whole or not at all. Raises OSError as `writing` does."""
    try:
        with writing(path, durable=durable) as file:
            file.writelines([data] if isinstance(data, bytes) else data)
    except OSError as error:  # of a full disk it does not say where
        error.filename = error.filename or str(path)
        raise


@contextmanager
def building(path: Path) -> Iterator[Path]:
    """A new folder beside `path`, for the block to fill and rename; one that is not renamed vanishes. First removes what killed
    processes left of such folders. Raises OSError as `writing` does.
    """
    sweep(path.parent, path.name)
    with _temporary(path) as lock:
        folder = _folder(Path(lock.name))
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def set_aside(path: Path, folder: Path | None = None) -> Path:
    """Rename a file to NAME.damaged (-2, -3 ...) in `folder` (default: its own), over nothing that is there.

    Returns the new path. Raises OSError when it can't be renamed.
    """
    names = (f"{path.name}{DAMAGED}{f'-{number}' if number > 1 else ''}" for number in itertools.count(1))
    aside = next(kept for name in names if not (kept := (folder or path.parent) / name).exists())
    return path.rename(aside)


def sweep(folder: Path, name: str | None = None) -> None:
    """Remove the files that killed processes left half-written in `folder` and below; with `name`, only those that were to be
    `folder/name`, and folders, too."""
    candidates = folder.iterdir() if name else (path for path in folder.rglob(f".*{TEMPORARY}") if not path.is_dir())
    for path in [path for path in candidates if is_temporary(path, name)]:
        _remove_unlocked(path)


def is_temporary(path: Path, name: str | None = None) -> bool:
    """Whether this is the temporary name of a file or folder that is being written, or was when its process was killed; with
    `name`, of one that was to become `name`."""
    final = ".+" if name is None else re.escape(name)
    return re.fullmatch(rf"\.{final}\.[0-9a-f]+(\.folder)?{re.escape(TEMPORARY)}", path.name, re.DOTALL) is not None


@contextmanager
def _temporary(path: Path) -> Iterator[BinaryIO]:
    """A locked file beside `path` for the time of the block."""
    file = _create(path)
    try:
        with file:
            yield file
    finally:
        Path(file.name).unlink(missing_ok=True)  # it has its final name by now, unless something went wrong


def _create(path: Path) -> BinaryIO:
    while True:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
        file = open(temporary, "x+b")  # noqa: SIM115 - the caller closes it
        with contextlib.suppress(OSError):  # where there are no locks, nothing can be swept either
            fcntl.flock(file, fcntl.LOCK_SH)
        if temporary.exists():
            return file
        file.close()  # it was swept before it was locked


def _remove_unlocked(path: Path) -> None:
    with contextlib.suppress(OSError):  # locked, or gone already
        if path.is_dir():
            if not (path.name.endswith(_FOLDER) and _lock(path).exists()):  # else it goes with its lock
                shutil.rmtree(path, ignore_errors=True)
            return
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(_folder(path), ignore_errors=True)
            path.unlink()
        finally:
            os.close(descriptor)


def _folder(lock: Path) -> Path:
    return lock.with_name(lock.name.removesuffix(TEMPORARY) + _FOLDER)


def _lock(folder: Path) -> Path:
    return folder.with_name(folder.name.removesuffix(_FOLDER) + TEMPORARY)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
