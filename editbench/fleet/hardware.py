"""What a rank's device is, as far as it may change the bits of results."""

from __future__ import annotations

import platform
import re
from pathlib import Path

from editbench import kernels
from editbench.fleet import gpu

_CPUINFO = Path("/proc/cpuinfo")


def describe(device: str) -> dict[str, str]:
    """Card, driver, toolkit and kernels of attention of `device` (as torch names it), which is this rank's own; what can't be
    told is left out."""
    import torch

    if device == "cpu":
        return {"card": f"{_cpu()} ({torch.backends.cpu.get_cpu_capability()})"}
    if not device.startswith("cuda"):
        return {"card": device.partition(":")[0]}
    told = {
        "card": torch.cuda.get_device_name(device),
        "driver": gpu.driver(),
        "cuda": torch.version.cuda,
        "hip": torch.version.hip,
        "scaled_dot_product_attention": kernels.enabled_sdpa(),
    }
    return {name: value for name, value in told.items() if value}


def _cpu() -> str:
    """The processor's model, where the system tells it."""
    match = re.search(r"^model name\s*:\s*(.+)$", _CPUINFO.read_text("utf-8", "replace"), re.M) if _CPUINFO.is_file() else None
    return match[1].strip() if match else platform.processor() or platform.machine()
