"""The sensor against an NVML that pretends: which device it asks about, and that no error gets out."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from editbench import kernels
from editbench.fleet import gpu, hardware
from editbench.fleet.status import Gpu

UUIDS = ("GPU-aaaa-1", "GPU-bbbb-2", "MIG-cccc-3")


class NVMLError(Exception):
    pass


class FakeNvml(ModuleType):
    """Three devices; every function named in `broken` raises. Handles are the devices' UUIDs."""

    NVML_TEMPERATURE_GPU = 0
    NVMLError = NVMLError

    def __init__(self, *broken: str) -> None:
        super().__init__("pynvml")
        for name in broken:
            setattr(self, name, self._break)

    def _break(self, *_arguments: object) -> None:
        raise NVMLError("Not Supported")

    def nvmlInit(self) -> None:  # noqa: N802
        pass

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(UUIDS)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:  # noqa: N802
        return UUIDS[index] if index < len(UUIDS) else self._break()

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:  # noqa: N802
        return uuid if uuid in UUIDS else self._break()

    def nvmlDeviceGetUUID(self, handle: str) -> str:  # noqa: N802
        return handle

    def nvmlSystemGetDriverVersion(self) -> bytes:  # noqa: N802
        return b"580.65"

    def nvmlDeviceGetName(self, handle: str) -> str:  # noqa: N802
        return f"NVIDIA {handle}"

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(gpu=97)

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(used=5, total=9)

    def nvmlDeviceGetPowerUsage(self, handle: str) -> int:  # noqa: N802
        return 640_000

    def nvmlDeviceGetTemperature(self, handle: str, kind: int) -> int:  # noqa: N802
        return 61


def read(monkeypatch, device: str = "cuda:0", *, nvml: FakeNvml | None = None, uuid: str | None = None) -> Gpu | None:
    """What the sensor says; `uuid` is the one that torch knows the device by."""
    import torch

    def properties(index: int) -> SimpleNamespace:
        return SimpleNamespace(name="torch's name", **({"uuid": uuid} if uuid else {}))

    monkeypatch.setattr(torch.cuda, "get_device_properties", properties)
    monkeypatch.setitem(sys.modules, "pynvml", nvml or FakeNvml())
    return gpu.sensor(device)()


def test_a_rank_tells_its_card_and_what_belongs_to_it(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"card of {device}")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(kernels, "enabled_sdpa", lambda: "flash, math")
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())
    told = {"card": "card of cuda:1", "cuda": "13.0", "scaled_dot_product_attention": "flash, math"}
    assert hardware.describe("cuda:1") == {**told, "driver": "580.65"}
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml("nvmlSystemGetDriverVersion"))
    assert hardware.describe("cuda:1") == told
    assert hardware.describe("xpu:0") == {"card": "xpu"}


def test_it_tells_everything_in_the_units_of_the_status(monkeypatch):
    assert read(monkeypatch, uuid="aaaa-1") == Gpu("NVIDIA GPU-aaaa-1", 97.0, 5, 9, 640.0, 61.0)


@pytest.mark.parametrize(("uuid", "device"), [("bbbb-2", "GPU-bbbb-2"), ("cccc-3", "MIG-cccc-3")])
def test_the_device_is_the_one_torch_means_whatever_its_index(monkeypatch, uuid, device):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert read(monkeypatch, uuid=uuid).name == f"NVIDIA {device}"


@pytest.mark.parametrize(
    ("visible", "device", "name"),
    [
        ("", "cuda:1", "GPU-bbbb-2"),
        ("1,0", "cuda:0", "GPU-bbbb-2"),
        ("GPU-bbbb-2", "cuda:0", "GPU-bbbb-2"),
        ("GPU-bb", "cuda:0", "GPU-bbbb-2"),
        ("0,MIG-cccc-3", "cuda:1", "MIG-cccc-3"),
        ("1", "cuda", "GPU-bbbb-2"),
    ],
)
def test_without_a_uuid_the_visible_devices_say_which(monkeypatch, visible, device, name):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert read(monkeypatch, device).name == f"NVIDIA {name}"


@pytest.mark.parametrize(
    ("function", "field"),
    [
        ("nvmlDeviceGetUtilizationRates", "utilisation"),
        ("nvmlDeviceGetMemoryInfo", "memory_used"),
        ("nvmlDeviceGetPowerUsage", "power"),
        ("nvmlDeviceGetTemperature", "temperature"),
    ],
)
def test_what_the_driver_does_not_tell_is_none_and_the_rest_is_there(monkeypatch, function, field):
    said = read(monkeypatch, nvml=FakeNvml(function), uuid="aaaa-1")
    assert getattr(said, field) is None
    assert sum(value is not None for value in (said.utilisation, said.memory_used, said.power, said.temperature)) == 3


def test_an_unknown_device_is_not_mistaken_for_another(monkeypatch):
    assert read(monkeypatch, uuid="dddd-4") == Gpu("torch's name")


@pytest.mark.parametrize("broken", ["nvmlInit", "nvmlDeviceGetHandleByUUID"])
def test_a_driver_that_is_not_there_leaves_the_name(monkeypatch, broken):
    names = ("nvmlDeviceGetHandleByUUID", "nvmlDeviceGetHandleByIndex", broken)
    assert read(monkeypatch, nvml=FakeNvml(*names), uuid="aaaa-1") == Gpu("torch's name")


def test_without_the_library_the_name_is_all(monkeypatch):
    read(monkeypatch, uuid="aaaa-1")
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert gpu.sensor("cuda:0")() == Gpu("torch's name")


@pytest.mark.parametrize("device", ["cpu", "mps", ""])
def test_what_is_no_cuda_device_has_no_sensor(monkeypatch, device):
    assert read(monkeypatch, device) is None


def test_a_torch_without_cuda_has_no_gpu(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert gpu.sensor("cuda:0")() is None
