"""No process of an earlier attempt works beside those of a later one.

Keepers and ranks hold a shared lock on `.ranks` for as long as they live; the file holds the token of the attempt that they
belong to. An attempt begins by taking the lock alone, which waits for those still alive (on a node that has not yet noticed
that its head is gone, or stuck in a driver), and with a new token: a process that comes late has an old one, and ends before
it has touched anything. The kernel frees a lock when its last holder dies.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import time

from editbench import console
from editbench.errors import UserError
from editbench.paths import RunPaths

TOKEN_VARIABLE = "EDITBENCH_ATTEMPT"
"""Environment variable that hands the token down to the keepers."""
TIMEOUT = 120.0
"""Seconds to wait for ranks of an earlier attempt. A file server (NFS 4) frees the locks of a machine that is gone after 90."""
NOTICE_AFTER = 2.0
"""Seconds of waiting after which the user reads why."""
POLL = 0.05


def renew(paths: RunPaths) -> str:
    """Wait for all ranks of earlier attempts to end; returns the token of the next attempt, with which the folder is no longer
    theirs.

    Raises:
        UserError: they don't end, or the folder can't be written.
    """
    token = secrets.token_hex(8)
    try:
        descriptor = os.open(paths.ranks, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            _lock_alone(descriptor, paths)
            os.pwrite(descriptor, token.encode(), 0)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise UserError(f"can't write {paths.ranks}: {error.strerror}", "Choose another --out.") from None
    return token


def join(paths: RunPaths, token: str) -> int | None:
    """Belong to the attempt of that token; on another node than the head, which does not know it (""), to the one under way.

    Returns a descriptor that is to stay open, and that child processes may inherit; None when the folder belongs to another
    attempt.
    """
    try:
        descriptor = os.open(paths.ranks, os.O_RDONLY)
    except FileNotFoundError:
        return None
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    if token and os.pread(descriptor, len(token), 0) != token.encode():
        os.close(descriptor)
        return None
    return descriptor


def _lock_alone(descriptor: int, paths: RunPaths) -> None:
    began, announced = time.monotonic(), False
    while True:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        waited = time.monotonic() - began
        if waited > TIMEOUT:
            remedy = f"Stop them (the files in {paths.status} say where); if their machine is gone, remove {paths.ranks}."
            raise UserError(f"ranks of an earlier run are still at work in {paths.root}", remedy)
        if waited > NOTICE_AFTER and not announced:
            console.say(f"waiting for ranks of an earlier run in {paths.root} to end")
            announced = True
        time.sleep(POLL)
