"""Taking a folder for a run: one run at a time, one identity, nothing foreign, nothing deleted."""

from __future__ import annotations

import fcntl
import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from editbench import atomic, console, fencing, identity
from editbench.errors import UserError
from editbench.paths import Folder, RunPaths


def check(paths: RunPaths, wanted: dict[str, Any], *, fresh: bool) -> None:
    """Refuse a folder that can't be used, without touching it.

    Raises:
        IdentityError: it holds results of other settings.
        UserError: it is no folder, holds files that are not a run's, or links in place of a run's folders.
    """
    root = paths.root
    if root.exists() and not root.is_dir():
        raise UserError(f"{root} is not a folder", "Choose another --out.")
    if not root.exists():
        return
    refuse_links(paths)
    if paths.identity.exists():
        if not fresh and not _is_bare(paths):
            _compare(paths, wanted)
    elif any(entry not in _locks(paths) and not atomic.is_temporary(entry) for entry in root.iterdir()):
        raise UserError(f"{root} holds files, but no {paths.identity.name}: not a run of editbench", "Choose another --out.")


def _compare(paths: RunPaths, wanted: dict[str, Any]) -> None:
    remedy = "Choose another --out, or start over here with --fresh (the old is kept)."
    identity.compare(paths.identity, wanted, remedy=remedy)


def _is_bare(paths: RunPaths) -> bool:
    """Whether a run has begun in the folder and left no result: it was refused while the model was loaded, say."""
    traces = {*_locks(paths), paths.identity, paths.environment, paths.status, paths.logs}
    others = [entry for entry in paths.root.iterdir() if entry not in traces and not atomic.is_temporary(entry)]
    return all(entry.is_dir() and not any(entry.iterdir()) for entry in others)


def refuse_links(paths: Folder) -> None:
    """Raises UserError when a folder that is written to is a link: nothing outside the folder given as --out is touched."""
    if links := [path for path in paths.folders if path.is_symlink()]:
        raise UserError(f"{links[0]} is a link to another folder", "Remove the link, or choose another --out.")


def refuse_running(paths: RunPaths) -> None:
    """Raises UserError when a run is at work in the folder."""
    if paths.lock.exists():
        lock = os.open(paths.lock, os.O_RDWR)
        try:
            _lock(lock, paths.root)
        finally:
            os.close(lock)


def await_head(paths: RunPaths, wanted: dict[str, Any]) -> None:
    """On another node than the head: wait until the head has taken the folder, and make sure it is for the same run.

    Raises IdentityError as `check` does.
    """
    if not paths.identity.exists():
        console.say(f"waiting for the head node to begin in {paths.root}")
    while not paths.identity.exists():
        time.sleep(0.2)
    check(paths, wanted, fresh=False)
    _compare(paths, wanted)


@contextmanager
def taken(paths: RunPaths, wanted: dict[str, Any], *, fresh: bool) -> Iterator[None]:
    """Hold the folder for the time of the block: locked, of the wanted identity, free of half-written files.

    The lock dies with its holder. With `fresh`, what was there is moved to `FOLDER.old-N` first, and so are the traces of a run
    of other settings that came to no result.

    Raises:
        UserError: another run holds the folder, ranks of an earlier one are still at work in it, or it can't be written; and
            as `check` does.
    """
    check(paths, wanted, fresh=fresh)
    try:
        paths.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"can't write into {paths.root}: {error.strerror}", "Choose another --out.") from None
    with locked(paths):
        check(paths, wanted, fresh=fresh)  # once more: another run may have come and gone before the lock was ours
        if fresh or (paths.identity.exists() and identity.load(paths.identity)["digest"] != wanted["digest"]):
            _move_aside(paths)
        identity.settle(paths.identity, wanted)
        atomic.sweep(paths.root)
        yield


@contextmanager
def locked(paths: RunPaths) -> Iterator[None]:
    """Hold a folder that is there for the time of the block: no run works in it. The lock dies with its holder.

    Raises UserError: another run holds the folder, ranks of an earlier one are still at work in it, or it can't be written.
    """
    try:
        lock = os.open(paths.lock, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UserError(f"can't write into {paths.root}: {error.strerror}", "Choose another --out.") from None
    try:
        _lock(lock, paths.root)
        if paths.ranks.exists():
            fencing.renew(paths)
        yield
    finally:
        os.close(lock)


def _lock(descriptor: int, root: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(f"another run is at work in {root}", "Wait for it, stop it, or choose another --out.") from None


def _locks(paths: RunPaths) -> tuple[Path, ...]:
    """Files that stay where they are, whoever's the folder is: a lock is on a file, not on its name."""
    return paths.lock, paths.ranks


def old(root: Path) -> Path:
    """The first of `FOLDER.old-1`, `FOLDER.old-2`, ... that is free: where what was in `FOLDER` is kept."""
    numbered = (root.with_name(f"{root.name}.old-{number}") for number in itertools.count(1))
    return next(path for path in numbered if not path.exists())


def _move_aside(paths: RunPaths) -> None:
    entries = [entry for entry in paths.root.iterdir() if entry not in _locks(paths)]
    if not entries:
        return
    aside = old(paths.root)
    aside.mkdir()
    # The marker first and the identity last: a crash in the middle leaves a folder that looks neither finished nor foreign.
    for entry in sorted(entries, key=lambda entry: (entry != paths.manifest, entry == paths.identity, entry.name)):
        entry.rename(aside / entry.name)
