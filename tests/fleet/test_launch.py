"""What ranks find in their environment."""

from __future__ import annotations

import pytest

from editbench.fleet import devices, launch
from editbench.fleet.nodes import Nodes

ALLOCATOR = ("PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_HIP_ALLOC_CONF")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch):
    """A rank's environment, with these variables set by the user."""

    def make(**given: str) -> dict[str, str]:
        for name in ("HF_ENABLE_PARALLEL_LOADING", *ALLOCATOR):
            monkeypatch.delenv(name, raising=False)
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        plan = launch.Launch(paths=None, logs=None, job=None, token="", devices=devices.Devices("cpu", 1, {}), nodes=Nodes())
        return plan._environment()

    return make


def test_ranks_read_weights_in_parallel_and_their_memory_does_not_split_up(environment) -> None:
    found = environment()
    assert found["HF_ENABLE_PARALLEL_LOADING"] == "1"
    assert found["PYTORCH_ALLOC_CONF"] == "expandable_segments:True"


@pytest.mark.parametrize("name", ALLOCATOR)
def test_the_users_own_settings_stay(environment, name: str) -> None:
    found = environment(**{name: "backend:cudaMallocAsync", "HF_ENABLE_PARALLEL_LOADING": "no"})
    assert {each: found[each] for each in ALLOCATOR if each in found} == {name: "backend:cudaMallocAsync"}
    assert found["HF_ENABLE_PARALLEL_LOADING"] == "no"
