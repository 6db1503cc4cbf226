"""What torch is here: its build, the devices that it sees, and the kernels of attention. Imports torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.filesize import decimal

from editbench import kernels
from editbench.doctor.check import FAULT, NOTE, Check
from editbench.fleet.devices import DEVICE_NODES


class Device(NamedTuple):
    """`memory`: bytes, of all and what is free; None where the driver does not tell."""

    kind: str
    name: str
    memory: int | None
    free: int | None


def look() -> tuple[list[Check], list[Device]]:
    """What there is to tell, and the devices. Nothing where torch is not installed: that is told of the packages."""
    try:
        import torch
    except ModuleNotFoundError:
        return [], []
    except (ImportError, OSError) as error:  # OSError: a library that it is linked with
        remedy = "torch does not load: install the build for this machine with pip install -c constraints.txt torch"
        return [Check(what="torch", here=f"does not load: {_line(error)}", state=FAULT, remedy=remedy)], []
    devices = _devices(torch)
    return [*_checks(torch, devices)], devices


def _checks(torch: Any, devices: Sequence[Device]) -> Iterator[Check]:
    yield Check(what="torch's build", here=_build(torch))
    yield from (_device(device) for device in devices) if devices else [_none(torch)]
    if devices and devices[0].kind == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        remedy = f"{devices[0].name} has no bfloat16, which --dtype auto takes: give --dtype float16."
        yield Check(what="bfloat16", here="missing", state=NOTE, remedy=remedy)
    yield from _attention(torch)


def _build(torch: Any) -> str:
    for name in ("cuda", "hip", "xpu"):
        if version := getattr(torch.version, name, None):
            return f"{name.upper()} {version}"
    return "CPU"


def _devices(torch: Any) -> list[Device]:
    if not torch.accelerator.is_available():
        return []
    kind = torch.accelerator.current_accelerator().type
    if kind != "cuda":
        return [Device(kind, kind, None, None) for _ in range(torch.accelerator.device_count())]
    return [_cuda(torch, index) for index in range(torch.cuda.device_count())]


def _cuda(torch: Any, index: int) -> Device:
    properties = torch.cuda.get_device_properties(index)
    try:
        free = torch.cuda.mem_get_info(index)[0]
    except RuntimeError:  # a device in exclusive mode that another process has
        free = None
    return Device("cuda", properties.name, properties.total_memory, free)


def _device(device: Device) -> Check:
    if device.memory is None:
        return Check(what="accelerator", here=device.name)
    free = "not to be had" if device.free is None else f"{decimal(device.free)} free"
    check = Check(what="accelerator", here=f"{device.name}, {decimal(device.memory)}, {free}")
    taken = device.free is None or device.free < device.memory / 2
    return check.but_if(taken, f"Something else is using {device.name}: see nvidia-smi.", NOTE)


def _none(torch: Any) -> Check:
    if not (nodes := _nodes()):
        remedy = "No accelerator: models run on the CPU, one thread a rank."
        return Check(what="accelerator", here="none", state=NOTE, remedy=remedy)
    mismatch = "the driver and torch don't go together, or CUDA_VISIBLE_DEVICES hides it"
    why = "torch is a build for the CPU" if _build(torch) == "CPU" else mismatch
    remedy = f"torch sees no accelerator, but /dev has {nodes[0]}: {why}."
    return Check(what="accelerator", here=f"none that torch sees (/dev/{nodes[0]})", state=NOTE, remedy=remedy)


def _nodes() -> list[str]:
    """What the drivers of NVIDIA and AMD put below /dev."""
    return [path.name for pattern in DEVICE_NODES[:3] for path in Path("/dev").glob(pattern)]


def _attention(torch: Any) -> Iterator[Check]:
    """Of scaled_dot_product_attention, which editors and the judge's text use; and what the judge takes for pictures."""
    if not (torch.accelerator.is_available() and torch.cuda.is_available()):
        yield Check(what="attention", here="scaled_dot_product_attention of torch")
        return
    yield Check(what="attention", here=f"scaled_dot_product_attention of torch ({kernels.enabled_sdpa()})")
    problem = _flash_problem(torch)
    remedy = "Pictures go through the judge one by one without flash-attn: pip install flash-attn, built for this torch."
    check = Check(what="attention of pictures", here=problem or "flash_attention_2 works", stages=("score",))
    yield check.but_if(bool(problem), remedy, NOTE)


def _flash_problem(torch: Any) -> str:
    try:
        from transformers.utils import is_flash_attn_2_available

        from editbench.score.qwen3vl.loading import flash_problem
    except ImportError as error:
        return _line(error)
    if not is_flash_attn_2_available():
        return "flash-attn is not installed"
    return flash_problem(torch.device("cuda"), torch.bfloat16, 64)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:160]
