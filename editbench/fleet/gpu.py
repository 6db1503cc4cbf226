"""What the driver says of a rank's device, through NVML (`nvidia-ml-py`). Absent cleanly: no GPU, no library, no permission."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from editbench.fleet.status import Gpu


def sensor(device: str) -> Callable[[], Gpu | None]:
    """A function that returns what the driver says of `device` (`cuda:3` as torch counts), and that never raises.

    What the driver does not tell is None, and all of it for a device that is no CUDA device.
    """
    kind, _, index = device.partition(":")
    if kind != "cuda":
        return lambda: None
    torch_device = _TorchDevice(int(index or 0))
    try:
        import pynvml
    except ImportError:
        return torch_device.gpu
    return _Nvml(pynvml, torch_device).gpu


def driver() -> str:
    """The version of NVIDIA's driver; "" where it does not tell."""
    try:
        import pynvml
    except ImportError:
        return ""
    try:
        pynvml.nvmlInit()
        return _text(pynvml.nvmlSystemGetDriverVersion())
    except (pynvml.NVMLError, OSError, AttributeError):
        return ""


class _TorchDevice:
    """What torch knows of its device `index`."""

    def __init__(self, index: int) -> None:
        self.index, self.name, self.uuid = index, None, None
        try:
            from torch import cuda

            properties = cuda.get_device_properties(index)
        except (ImportError, RuntimeError, AssertionError):  # torch raises the last without CUDA
            return
        self.name, self.uuid = properties.name, getattr(properties, "uuid", None)

    def gpu(self) -> Gpu | None:
        return Gpu(self.name) if self.name else None


class _Nvml:
    """NVML counts by PCI bus and sees all devices; torch counts what CUDA_VISIBLE_DEVICES leaves, in another order. Only the
    UUID is the same thing for both."""

    def __init__(self, nvml: ModuleType, device: _TorchDevice) -> None:
        self._nvml, self._device = nvml, device
        self._errors = (nvml.NVMLError, OSError, ValueError, AttributeError)
        self._ask(nvml.nvmlInit)
        self._handle = next((handle for handle in self._handles() if handle is not None), None)

    def gpu(self) -> Gpu | None:
        nvml, handle = self._nvml, self._handle
        if handle is None:
            return self._device.gpu()
        name = self._ask(lambda: nvml.nvmlDeviceGetName(handle)) or self._device.name or "GPU"
        utilisation = self._ask(lambda: float(nvml.nvmlDeviceGetUtilizationRates(handle).gpu))
        memory = self._ask(lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
        power = self._ask(lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1000)
        temperature = self._ask(lambda: float(nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)))
        used, total = (int(memory.used), int(memory.total)) if memory else (None, None)
        return Gpu(_text(name), utilisation, used, total, power, temperature)

    def _ask(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except self._errors:
            return None

    def _handles(self) -> Iterator[Any]:
        """The device's handle by torch's UUID, else by its entry in CUDA_VISIBLE_DEVICES."""
        if self._device.uuid:
            yield from (self._by_uuid(f"{kind}-{self._device.uuid}") for kind in ("GPU", "MIG"))
            return  # the others could only name another device
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        entries = visible.split(",") if visible else []
        if entries and self._device.index >= len(entries):
            return
        entry = entries[self._device.index].strip() if entries else str(self._device.index)
        yield self._by_index(int(entry)) if entry.isdecimal() else self._by_start(entry)

    def _by_uuid(self, uuid: str) -> Any:
        return self._ask(lambda: self._nvml.nvmlDeviceGetHandleByUUID(uuid))

    def _by_index(self, index: int) -> Any:
        return self._ask(lambda: self._nvml.nvmlDeviceGetHandleByIndex(index))

    def _by_start(self, start: str) -> Any:
        """CUDA takes the first letters of a UUID for the whole, NVML does not."""
        if (whole := self._by_uuid(start)) is not None:
            return whole
        handles = [self._by_index(index) for index in range(self._ask(self._nvml.nvmlDeviceGetCount) or 0)]
        known = [handle for handle in handles if handle is not None]
        return next((handle for handle in known if _text(self._uuid(handle)).startswith(start)), None)

    def _uuid(self, handle: Any) -> str:
        return self._ask(lambda: self._nvml.nvmlDeviceGetUUID(handle)) or ""


def _text(name: str | bytes) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name
