"""What ranks find in their environment."""

from __future__ import annotations

import pytest

from editbench.fleet import devices, launch
from editbench.fleet.nodes import Nodes

ALLOCATOR = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF")

KEEPING = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch):
    """A rank's environment, with these variables set by the user."""

    def make(device: str = "cpu", **given: str) -> dict[str, str]:
        for name in ("HF_ENABLE_PARALLEL_LOADING", *KEEPING, *ALLOCATOR):
            monkeypatch.delenv(name, raising=False)
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        plan = launch.Launch(paths=None, logs=None, job=None, token="", devices=devices.Devices(device, 1, {}), nodes=Nodes())
        return plan._environment()

    return make


def test_ranks_read_weights_in_parallel_and_their_memory_does_not_split_up(environment) -> None:
    found = environment()
    assert found["HF_ENABLE_PARALLEL_LOADING"] == "1"
    assert found["PYTORCH_ALLOC_CONF"] == "expandable_segments:True"


def test_ranks_on_a_cpu_keep_the_memory_of_large_tensors(environment) -> None:
    assert {environment()[name] for name in KEEPING} == {str(1 << 32)}
    assert environment(MALLOC_TRIM_THRESHOLD_="9")["MALLOC_TRIM_THRESHOLD_"] == "9"
    assert not {*KEEPING} & {*environment("cuda")}


@pytest.mark.parametrize("name", ALLOCATOR)
def test_the_users_own_settings_stay(environment, name: str) -> None:
    found = environment(**{name: "backend:cudaMallocAsync", "HF_ENABLE_PARALLEL_LOADING": "no"})
    assert {each: found[each] for each in ALLOCATOR if each in found} == {name: "backend:cudaMallocAsync"}
    assert found["HF_ENABLE_PARALLEL_LOADING"] == "no"
