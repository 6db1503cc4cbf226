"""Processes that do not outlive their parent.

The kernel can be asked to kill a process when its parent dies (`prctl(PR_SET_PDEATHSIG)`, Linux only). It tells only of deaths
to come, so a process whose parent died while it was starting must notice that it has another parent by now. Who that is (init,
a subreaper, process 1 of a container) differs between machines; that it is not the one who started it is certain. For the
kernel the parent is the *thread* that started the process, so processes are started from the main thread.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

PARENT_VARIABLE = "EDITBENCH_PARENT"
"""Process id of the parent, for a process that somebody else's code starts."""
GRACE = float(os.environ.get("EDITBENCH_GRACE", "8"))
"""Seconds that torchrun gets to end after SIGTERM, before SIGKILL; keepers and ranks, below it, get less. Tests change it."""
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded here: between fork and exec is no time for it


def start(command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Start a process that dies with this one; `options` are those of Popen. Only from the main thread."""
    parent = os.getpid()
    return subprocess.Popen(command, preexec_fn=lambda: die_with(parent), **options)


def die_with(parent: int) -> None:
    """Have this process killed when its parent, which has the process id `parent`, dies; at once when it is dead already."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
