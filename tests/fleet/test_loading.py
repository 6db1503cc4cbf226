"""Slots for loading; the lock is the kernel's, so a holder may be a thread or a process."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from editbench.fleet import loading
from editbench.fleet.loading import slot

SLOTS = 2
PATIENCE = 20
HOLD = """
import pathlib, sys
from editbench.fleet.loading import slot
with slot(pathlib.Path(sys.argv[1]), 1):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "POLL", 0.005)


def test_the_first_loads_alone_and_then_as_many_as_there_are_slots(tmp_path: Path) -> None:
    together = threading.Barrier(SLOTS)

    def load() -> None:
        with slot(tmp_path / "slots", SLOTS):
            together.wait(PATIENCE)  # breaks unless so many are in at once

    with ThreadPoolExecutor(SLOTS) as ranks:
        with slot(tmp_path / "slots", SLOTS):
            others = [ranks.submit(load) for _ in range(SLOTS)]
            assert not wait(others, timeout=20 * loading.POLL).done
        for other in others:
            other.result(PATIENCE)


def test_no_more_load_at_once_than_there_are_slots(tmp_path: Path) -> None:
    inside: list[int] = []

    def load(rank: int) -> int:
        with slot(tmp_path / "slots", SLOTS):
            inside.append(rank)
            time.sleep(2 * loading.POLL)  # all others look at the slots meanwhile
            most = len(inside)
            inside.remove(rank)
        return most

    load(0)
    with ThreadPoolExecutor(4 * SLOTS) as ranks:
        assert max(ranks.map(load, range(1, 1 + 4 * SLOTS))) <= SLOTS


def test_a_killed_holder_frees_its_slot_and_leaves_the_cache_cold(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    with ThreadPoolExecutor(1) as ranks:
        waiting = ranks.submit(slot(tmp_path, 1).__enter__)
        assert not wait([waiting], timeout=20 * loading.POLL).done
        holder.kill()
        holder.communicate()
        assert waiting.result(PATIENCE) is None
    assert not (tmp_path / "warm").exists()


def test_a_load_that_fails_frees_its_slot(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="broken"), slot(tmp_path, 1):
        raise ValueError("broken")
    with slot(tmp_path, 1):
        pass


def test_without_a_bound_nothing_is_locked(tmp_path: Path) -> None:
    with slot(tmp_path / "slots", 0), slot(tmp_path / "slots", 0):
        assert not (tmp_path / "slots").exists()
