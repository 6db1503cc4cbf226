"""The process that those of the module `warm` are forked from: `python warm_server.py ADDRESS`.

A connection asks for one command and is told its process id and, in the end, its exit status; or it just lasts, and keeps the
server alive.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import itertools
import json
import os
import resource
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import huggingface_hub.constants
from warm import EXECUTED, MESSAGE, PATIENCE

OWN = ("editbench", "stand_ins")
"""Imported anew by each process: some of their modules read the environment, and all of them may hold state."""
OTHERS = (
    "rich.live",
    "torch.distributed.elastic.agent.server.local_elastic_agent",
    "torch.distributed.elastic.rendezvous.c10d_rendezvous_backend",
    "torch.distributed.run",
    "transformers.models.qwen3_vl.modeling_qwen3_vl",
    "transformers.models.qwen3_vl_moe.modeling_qwen3_vl_moe",
    "typer",
)
POLL = 0.01
CLONE_NEWNET = 0x40000000

Popen = subprocess.Popen


def serve(address: str) -> None:
    """Until nobody is connected any more."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        listener.bind(f"\0{address}")
    except OSError:
        return  # another one serves
    _preload()
    listener.listen(64)
    selector = selectors.DefaultSelector()
    selector.register(listener, selectors.EVENT_READ)
    commands: dict[int, socket.socket] = {}
    deadline = time.monotonic() + PATIENCE  # for the first
    while len(selector.get_map()) > 1 or time.monotonic() < deadline:
        for key, _ in selector.select(POLL):
            if key.fileobj is listener:
                deadline = 0.0
                selector.register(listener.accept()[0], selectors.EVENT_READ)
            elif order := key.fileobj.recv(MESSAGE):
                pid = os.fork() or _become(*_ordered(**json.loads(order)))
                commands[pid] = key.fileobj
                _tell(key.fileobj, pid)
            else:
                selector.unregister(key.fileobj)
        while commands and (ended := os.waitpid(-1, os.WNOHANG))[0]:
            _tell(commands.pop(ended[0]), os.waitstatus_to_exitcode(ended[1]))


def _preload() -> None:
    for name in OTHERS:
        importlib.import_module(name)
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus
    from torch.distributed.elastic.multiprocessing.subprocess_handler import subprocess_handler
    from torch.distributed.elastic.rendezvous import dynamic_rendezvous

    subprocess.Popen = subprocess_handler.Popen = WarmPopen
    # The editor looks at its inputs at a million pixels, which takes a CPU two seconds a picture.
    pipeline_qwenimage_edit_plus.CONDITION_IMAGE_SIZE = pipeline_qwenimage_edit_plus.VAE_IMAGE_SIZE = 64 * 64
    # The rendezvous looks for the names of its callers, for its log; among so many modules that takes seconds.
    dynamic_rendezvous.get_method_name = lambda *_: "unnamed"


def _tell(connection: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # who asked may be gone
        connection.send(json.dumps(number).encode())


def _ordered(
    *,
    arguments: Sequence[str],
    env: Mapping[str, str],
    cwd: str,
    outputs: Sequence[str],
    file_limit: int | None = None,
    network: str | None = None,
) -> tuple[Sequence[str], Callable[[], None]]:
    def set_up() -> None:
        os.chdir(cwd)
        if network is not None and ctypes.CDLL(None).setns(os.open(f"/run/netns/{network}", os.O_RDONLY), CLONE_NEWNET):
            raise OSError(f"can't enter the network {network}")
        if file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
        _wire(env, (subprocess.DEVNULL, *(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND) for path in outputs)))

    return arguments, set_up


class WarmPopen(Popen):
    """Forks for modules of Python, and executes everything else."""

    def __new__(cls, args: Sequence[str], **options: Any) -> Any:
        python, *arguments = (part for part in args if part != "-u")  # which torchrun adds
        forked = python == sys.executable and arguments[:1] == ["-m"]
        if not forked or arguments[1] in os.environ.get(EXECUTED, "").split(","):
            return super().__new__(cls)
        return Forked(arguments[1:], **options)


class Forked:
    """As much of Popen as launcher, torchrun and keepers use."""

    def __init__(
        self,
        args: Sequence[str],
        *,
        env: Mapping[str, str],
        stdin: Any = None,
        stdout: Any = None,
        stderr: Any = None,
        start_new_session: bool = False,
        preexec_fn: Callable[[], None] = lambda: None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.args, self.returncode = args, None

        def set_up() -> None:
            _wire(env, (stdin, stdout, stderr), pass_fds)
            if start_new_session:
                os.setsid()
            preexec_fn()

        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # on forking beside threads
            self.pid = os.fork() or _become(args, set_up)

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self.args, timeout)
            time.sleep(POLL)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _wire(env: Mapping[str, str], files: Iterable[Any], pass_fds: Sequence[int] = ()) -> None:
    """Environment, descriptors and signals as `exec` would leave them."""
    os.environ.clear()
    os.environ.update(env)
    for target, file in enumerate(files):
        source = os.open(os.devnull, os.O_RDWR) if file == subprocess.DEVNULL else file
        if source is not None:
            os.dup2(source if isinstance(source, int) else source.fileno(), target)
    for before, after in itertools.pairwise([2, *sorted(pass_fds), os.sysconf("SC_OPEN_MAX")]):
        os.closerange(before + 1, after)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode, closefd=False) for number, mode in enumerate("rww"))
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def _become(arguments: Sequence[str], set_up: Callable[[], None]) -> NoReturn:
    """`python -m ARGUMENTS` in this process."""
    code = 1
    try:
        set_up()
        for name in [name for name in sys.modules if name.partition(".")[0] in OWN]:
            del sys.modules[name]
        importlib.reload(huggingface_hub.constants)  # which hub, and which cache, as the environment says
        tempfile.tempdir = None  # and which temporary folder
        sys.argv = [*arguments]
        sys.path[:0] = [str(Path.cwd()), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:  # noqa: BLE001 - as the interpreter does
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(sys.argv[1])
