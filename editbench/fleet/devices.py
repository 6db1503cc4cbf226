"""Which accelerators a run uses."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from editbench.errors import UserError

DEVICE_NODES = ("nvidia*", "dxg", "kfd", "dri", "accel*", "davinci*", "hl*")
"""Below /dev: NVIDIA, NVIDIA under WSL, AMD, Intel, and accelerators of other makers."""
DTYPES = ("bfloat16", "float16", "float32")


@dataclass(frozen=True, slots=True)
class Devices:
    """The devices of this machine that a run uses. `kind`: torch device type, `cpu` without an accelerator. `count`: ranks.
    `environment`: variables that confine the ranks to these devices."""

    kind: str
    count: int
    environment: dict[str, str]

    def dtype(self, asked: str) -> str:
        """The name of the torch dtype that `asked` (or `auto`) means here. Raises UserError for an unknown one."""
        if asked == "auto":
            return "float32" if self.kind == "cpu" else "bfloat16"
        if asked not in DTYPES:
            raise UserError(f"--dtype {asked} is unknown", f"Choose auto, {', '.join(DTYPES)}.")
        return asked


def choose(nproc: int | None, indices: list[int] | None) -> Devices:
    """One rank an accelerator that torch sees; without any, `nproc` (default 1) ranks on the CPU, of one thread each.

    Raises:
        UserError: more ranks than accelerators, or an index that does not exist.
    """
    if not _accelerated():
        if indices:
            raise UserError("--devices names accelerators, and torch sees none", "Leave --devices out, or mend the driver.")
        return Devices("cpu", nproc or 1, {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""})
    import torch

    kind, visible = torch.accelerator.current_accelerator().type, torch.accelerator.device_count()
    if wrong := [index for index in indices or [] if not 0 <= index < visible]:
        message = f"--devices {','.join(map(str, wrong))}: torch sees {visible} ({kind})"
        raise UserError(message, f"Choose from 0 to {visible - 1}.")
    if indices and (len(set(indices)) != len(indices) or kind != "cuda"):
        raise UserError(f"--devices {','.join(map(str, indices))} does not name different CUDA devices", "Name each once.")
    available = len(indices) if indices else visible
    if nproc is not None and nproc > available:
        raise UserError(
            f"--nproc {nproc} is more than the {available} {kind} devices", "Ask for fewer ranks, or leave --nproc out."
        )
    return Devices(kind, nproc or available, _visible(indices) if indices else {})


def device_memory(kind: str) -> tuple[str, int] | None:
    """Name and bytes of memory of the smallest device of the torch type `kind`, main memory for `cpu`; None where the driver
    does not tell."""
    if kind == "cpu":
        return "main memory", main_memory()[0]
    import torch

    if kind != "cuda":
        return None
    devices = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    smallest = min(devices, key=lambda device: device.total_memory)
    return smallest.name, smallest.total_memory


def main_memory() -> tuple[int, int]:
    """Bytes of main memory: all of it, and what programs can have without swapping."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        lines = (line.split() for line in Path("/proc/meminfo").read_text("ascii").splitlines())
        available = {name: int(value) * 1024 for name, value, *_ in lines}.get("MemAvailable:", whole)
    except OSError:  # not Linux
        return whole, whole
    return whole, available


def _accelerated() -> bool:
    """Whether torch sees an accelerator. Importing it takes a second, and on Linux one without a device node can't be seen."""
    if sys.platform == "linux" and not any(path for pattern in DEVICE_NODES for path in Path("/dev").glob(pattern)):
        return False
    import torch

    return torch.accelerator.is_available()


def _visible(indices: list[int]) -> dict[str, str]:
    """CUDA_VISIBLE_DEVICES for the ranks; a mask that is already set is narrowed, not replaced."""
    mask = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = mask.split(",") if mask else None
    return {"CUDA_VISIBLE_DEVICES": ",".join(names[index] if names else str(index) for index in indices)}
