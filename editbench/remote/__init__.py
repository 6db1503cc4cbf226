"""Folders in an object store, given by a URL that fsspec knows: s3://, gs://, hf://, file:// and others.

A URL of the command line stands for a local copy of the folder it names, below `$EDITBENCH_CACHE`; all of editbench works on
the copy. `pull` brings the copy what the store has, checked against the manifest. `pushing` uploads what a command makes there.
Both do nothing for a folder that no URL was given for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from editbench.errors import Incomplete, UserError
from editbench.remote.mirror import Mirror
from editbench.remote.mirror_paths import MirrorPaths
from editbench.remote.store import check_backend
from editbench.urls import Url

GRACE = 5.0
"""Seconds that an upload may still take when the command that it is for has failed."""

_urls: dict[Path, Url] = {}
"""By the copy, those that this process was given. Nowhere else are their credentials kept."""
_held: set[Path] = set()
"""The copies that are in the hands of `pushing`."""


def folder(text: str) -> Path:
    """The local copy of the folder that the URL `text` names; nothing is brought or made yet.

    Raises UserError for what is no URL of a folder, and where the package for such URLs is missing.
    """
    url = Url.parse(text)
    check_backend(url.scheme)
    root = MirrorPaths.of(url.text).root
    _urls[root] = url
    return root


def is_copy(root: Path) -> bool:
    """Whether a URL was given for which `root` stands."""
    return root in _urls


def pull(root: Path, *, finished: bool = True) -> None:
    """Bring the local copy `root` what the store has and it lacks.

    Raises:
        UserError: the store fails, there is too little room for it here, a file is not what the manifest says; with `finished`,
            nothing finished lies there; without, another command is at work on the URL. What has arrived is kept.
    """
    if not is_copy(root) or root in _held:
        return
    mirror = _mirror(root)
    with mirror.locked(wait=finished):
        mirror.look()
        mirror.bring(finished=finished)


@contextmanager
def pushing(root: Path, *, fresh: bool = False) -> Iterator[Callable[[], None]]:
    """For the time in which a command makes the folder `root`: first `pull`, then upload what is sealed, and when the block
    ends well (or Incomplete), the rest, the manifest last. A block that changes what is finished first calls what it is given.

    Raises:
        UserError: as `pull` does; another command is at work on the same URL; with `fresh`, something lies there.
    """
    if not is_copy(root):
        yield lambda: None
        return
    mirror = _mirror(root)
    with mirror.locked(wait=False):
        if mirror.look() and fresh:
            raise UserError(
                f"{_urls[root].text} is not empty, and --fresh deletes nothing", "Move it, or choose another --out."
            )
        mirror.bring(finished=False)
        stop = threading.Event()
        following = threading.Thread(target=mirror.follow, args=(stop,), daemon=True)
        following.start()
        patience: float | None = GRACE
        incomplete: Incomplete | None = None
        _held.add(root)
        try:
            yield mirror.reopen
            patience = None
        except Incomplete as error:
            incomplete, patience = error, None
        finally:
            _held.discard(root)
            stop.set()
            following.join(patience)
        mirror.publish()
        if incomplete:
            raise incomplete


def _mirror(root: Path) -> Mirror:
    return Mirror(MirrorPaths(root), _urls[root])
