"""Editors and judges for tests of the fleet: quick, and misbehaving when the environment says so.

What they do can't be seen with a real model on a CPU in seconds; the real pipelines run in tests/test_chain.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import time
from pathlib import Path

import torch
from PIL import Image

from editbench.score.judge import Judge, Reply

CALLS, SLEEP = "STAND_IN_CALLS", "STAND_IN_SLEEP"
RAISE, DIE, BREAK = "STAND_IN_RAISE", "STAND_IN_DIE", "STAND_IN_BREAK"
HANG_ONCE, OOM_ONCE, STUBBORN, CLOCK, EXIT_RANK = (
    f"STAND_IN_{name}" for name in ("HANG", "OOM", "STUBBORN", "CLOCK", "EXIT_RANK")
)

EXIT, LOST_ONCE, KERNELS = "STAND_IN_EXIT", "STAND_IN_LOST", "STAND_IN_KERNELS"


def _first_time(variable: str, name: str) -> bool:
    """Whether the variable, `NAME:MARKER FILE`, names this sample for the first time."""
    wanted, _, marker = os.environ.get(variable, "").partition(":")
    if wanted != name or Path(marker).exists():
        return False
    Path(marker).touch()
    return True


def _stay() -> None:
    """Stay whatever happens, and note being told to end."""
    terminated = Path(f"{os.environ[STUBBORN].partition(':')[2]}-was-told-to-end")
    signal.signal(signal.SIGTERM, lambda *_: terminated.touch())
    while True:
        time.sleep(1000)


def _misbehave(name: str) -> None:
    if name in os.environ.get(RAISE, "").split(","):
        raise ValueError(f"asked to fail on {name}")
    if name in os.environ.get(DIE, "").split(","):
        os._exit(7)
    if name == os.environ.get(EXIT):
        os._exit(0)
    if _first_time(LOST_ONCE, name):
        raise torch.AcceleratorError("asked to lose the device")
    if _first_time(OOM_ONCE, name):
        raise torch.OutOfMemoryError("asked to run out of memory")
    if _first_time(HANG_ONCE, name):
        time.sleep(1000)
    if _first_time(STUBBORN, name):
        _stay()
    if os.environ.get(CLOCK):
        now = time.time()
        time.time = lambda: now + random.choice([-1, 1]) * 86400.0
    if calls := os.environ.get(CALLS):
        with Path(calls).open("a") as file:
            file.write(f"{name}\n")
    time.sleep(float(os.environ.get(SLEEP, "0")))


def _note_kernels() -> None:
    """Which kernels torch may choose, as a rank has settled it."""
    if path := os.environ.get(KERNELS):
        told = {
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "cudnn": [torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark],
            "tf32": [torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32],
            "cublas": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
        }
        Path(path).write_text(json.dumps(told))


class Painter:
    """An editor whose picture is a function of the seed."""

    def __init__(self, device: str) -> None:
        _note_kernels()
        if os.environ.get(BREAK):
            raise RuntimeError("the weights are broken")
        if os.environ.get(EXIT_RANK) == os.environ.get("RANK"):
            os._exit(9)

    def edit(self, images, instruction, *, seed, step):
        _misbehave(instruction)
        step(1, 1)
        return Image.new("RGB", images[0].size, tuple((seed >> shift) & 255 for shift in (0, 8, 16)))


class Scorer(Judge):
    """A judge whose score is a function of the edited picture."""

    def __init__(self, settings) -> None:
        pass

    def answer(self, prepared):
        for question in prepared:
            _misbehave(question.key)
        numbers = [hashlib.sha256(question.images[1].tobytes()).digest()[0] % 11 for question in prepared]
        return [Reply(f'{{"reason": "as its bytes say", "score": {number}}}') for number in numbers]


class Content(Judge):
    """A judge of any rubric: it gives every criterion of every question a 4."""

    def __init__(self, settings) -> None:
        pass

    def answer(self, prepared):
        return [Reply(json.dumps({criterion.name: 4 for criterion in question.criteria})) for question in prepared]
