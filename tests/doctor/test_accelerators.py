from __future__ import annotations

import builtins
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from editbench.doctor import accelerators
from editbench.doctor.accelerators import Device
from editbench.doctor.check import Check


def torch_with(*memories: tuple[int, int], build: str | None = "13.0", bfloat16: bool = True) -> Any:
    """A torch that sees CUDA devices of these bytes, (all, free)."""
    yes, cuda = (lambda: True), bool(memories)
    return SimpleNamespace(
        version=SimpleNamespace(cuda=build),
        accelerator=SimpleNamespace(
            is_available=lambda: cuda, current_accelerator=lambda: SimpleNamespace(type="cuda"), device_count=len(memories)
        ),
        cuda=SimpleNamespace(
            is_available=lambda: cuda,
            device_count=lambda: len(memories),
            get_device_properties=lambda index: SimpleNamespace(name=f"GPU {index}", total_memory=memories[index][0]),
            mem_get_info=lambda index: (memories[index][1], memories[index][0]),
            is_bf16_supported=lambda including_emulation: bfloat16,
        ),
        backends=SimpleNamespace(
            cuda=SimpleNamespace(
                is_flash_attention_available=yes,
                flash_sdp_enabled=yes,
                mem_efficient_sdp_enabled=yes,
                cudnn_sdp_enabled=lambda: False,
                math_sdp_enabled=yes,
            )
        ),
    )


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The checks and the devices, with this torch; `nodes`: what lies below /dev."""

    def checks(torch: Any, nodes: tuple[str, ...] = (), flash: str = "") -> tuple[list[Check], list[Device]]:
        monkeypatch.setitem(sys.modules, "torch", torch)
        monkeypatch.setattr(accelerators, "_flash_problem", lambda torch: flash)
        monkeypatch.setattr(accelerators, "_nodes", lambda: list(nodes))
        return accelerators.look()

    return checks


def test_devices_are_told_with_their_memory_and_kernels(seen: Any) -> None:
    checks, devices = seen(torch_with((80_000_000_000, 79_000_000_000), (80_000_000_000, 1_000_000_000)))
    assert [(check.what, check.state) for check in checks] == [
        ("torch's build", "ok"),
        ("accelerator", "ok"),
        ("accelerator", "note"),  # somebody else has it
        ("attention", "ok"),
        ("attention of pictures", "ok"),
    ]
    assert [check.here for check in checks[:2]] == ["CUDA 13.0", "GPU 0, 80.0 GB, 79.0 GB free"]
    assert checks[3].here.endswith("(flash, memory-efficient, math)")
    assert [device.name for device in devices] == ["GPU 0", "GPU 1"]


def test_what_the_gpu_lacks_is_noted(seen: Any) -> None:
    checks, _ = seen(torch_with((16_000_000_000, 16_000_000_000), bfloat16=False), flash="no kernel image")
    noted = {check.what: check.here for check in checks if check.state == "note"}
    assert noted == {"bfloat16": "missing", "attention of pictures": "no kernel image"}


@pytest.mark.parametrize(
    ("build", "nodes", "remedy"),
    [
        (None, (), "models run on the CPU"),
        (None, ("nvidia0",), "torch is a build for the CPU"),
        ("13.0", ("nvidia0",), "the driver and torch don't go together"),
    ],
)
def test_without_an_accelerator_it_is_said_why(seen: Any, build: str | None, nodes: tuple[str, ...], remedy: str) -> None:
    checks, devices = seen(torch_with(build=build), nodes)
    (noted,) = [check for check in checks if check.state == "note"]
    assert remedy in noted.remedy
    assert devices == []


@pytest.mark.parametrize(
    ("error", "faults"), [(OSError("libcudart.so.13: cannot open"), ["torch"]), (ModuleNotFoundError("no torch"), [])]
)
def test_a_torch_that_does_not_load_is_a_fault(error: Exception, faults: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def broken(name: str, *arguments: Any) -> Any:
        if name == "torch":
            raise error
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", broken)
    assert [check.what for check in accelerators.look()[0] if check.state == "fault"] == faults
