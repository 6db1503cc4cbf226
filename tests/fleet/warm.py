"""Commands that are forked from a process that has imported torch and the models' libraries, instead of importing them anew.

A run of the fleet is a launcher, torchrun, and a keeper and a rank a device. Executed, torchrun and ranks import torch, for
two seconds, or the models' libraries, for six. Here they are processes all the same, with the parents, sessions, signals,
descriptors and exit statuses that `exec` would give them, and with modules of editbench of their own: only the imports are
left out.

The pytest processes of a session share the process that is forked from (the module `warm_server`). The first that needs it
starts it, and it ends after the last.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

EXECUTED = "WARM_EXECUTED"
"""Environment variable: modules that are executed all the same, for the sake of the time that takes."""
SESSION = os.environ.get("PYTEST_XDIST_TESTRUNUID") or str(os.getpid())
ADDRESS = f"\0editbench-tests-{SESSION}"  # an abstract one, which leaves no file
MESSAGE = 2**20
PATIENCE = 120.0
"""Seconds that anything may take on a machine that is busy with other things."""


class Running:
    """`python -m ARGUMENTS`, as much of Popen as tests use.

    `options`: `cwd`; `file_limit`, bytes that a file may grow to; `network`, the name of the network namespace to run in.
    """

    def __init__(self, arguments: Sequence[str], env: Mapping[str, str], **options: Any) -> None:
        self.returncode: int | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="editbench-tests-")
        self._outputs = [Path(self._folder.name, name) for name in ("out", "err")]
        order = {"arguments": arguments, "env": env, "cwd": Path.cwd(), "outputs": self._outputs, **options}
        _session()
        self._server = _connect()
        self._server.send(json.dumps(order, default=str).encode())
        self.pid: int = json.loads(self._server.recv(MESSAGE))

    def poll(self) -> int | None:
        return self._await(0.0)

    def communicate(self, timeout: float = PATIENCE) -> tuple[str, str]:
        if self._await(timeout) is None:
            raise subprocess.TimeoutExpired("editbench", timeout)
        out, err = (path.read_text() for path in self._outputs)
        self._folder.cleanup()
        return out, err

    def send_signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _await(self, timeout: float) -> int | None:
        if self.returncode is None:
            self._server.settimeout(timeout)
            try:
                self.returncode = json.loads(self._server.recv(MESSAGE))
            except (BlockingIOError, TimeoutError):
                return None
            self._server.close()
        return self.returncode


@cache
def _session() -> socket.socket:
    """A connection that lasts as long as this process: the server ends when there is none."""
    command = [sys.executable, str(Path(__file__).with_name("warm_server.py")), ADDRESS[1:]]
    # Of several that are started at once, all but the first find the address taken, and end.
    subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    return _connect()


def _connect() -> socket.socket:
    deadline = time.monotonic() + PATIENCE
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            connection.connect(ADDRESS)
            return connection
        except ConnectionRefusedError:
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
