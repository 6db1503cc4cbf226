from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from editbench import files, identity
from editbench.fleet import forecast
from editbench.fleet.devices import Devices
from editbench.fleet.forecast import Pace
from editbench.paths import RunPaths

CPU = Devices("cpu", 1, {})


def about(stage: str = "edit", model: str = "m", steps: int = 40, seed: int = 0, benchmark: str = "b") -> dict[str, Any]:
    there = {"name": benchmark, "digest": benchmark * 8}
    return identity.make(stage, model={"name": model}, benchmark=there, settings={"steps": steps, "seed": seed})


def run(root: Path, seconds: float, age: float = 0.0, device: str = "1 x cpu", **other: Any) -> RunPaths:
    """A run of two items, of one and of three samples, that took so many seconds a sample."""
    paths = RunPaths(root)
    paths.attempt(1).root.mkdir(parents=True)
    identity.settle(paths.identity, about(**other))
    files.dump(paths.environment, {"devices": [device]})
    os.utime(paths.environment, (1e9 - age, 1e9 - age))
    rows = [{"keys": ["k"] * keys, "seconds": {"compute": seconds * keys}} for keys in (1, 3)]
    paths.attempt(1).rank_timings(0).write_bytes(b"\n".join(map(orjson.dumps, rows)) + b'\n{"keys": ["to')
    return paths


def test_the_pace_is_that_of_earlier_attempts_in_the_folder(tmp_path: Path) -> None:
    mine = run(tmp_path / "mine", 2.0)
    run(tmp_path / "other", 3.0)
    assert forecast.pace(mine, about(), CPU) == Pace(2.0, mine.root)


def test_else_it_is_that_of_the_newest_run_of_the_model_beside_it(tmp_path: Path) -> None:
    run(tmp_path / "old", 9.0, age=100)
    new = run(tmp_path / "new", 3.0, steps=20, seed=7, benchmark="c")
    mine = RunPaths(tmp_path / "mine")
    assert forecast.pace(mine, about(), CPU) == Pace(3.0, new.root, ("benchmark", "steps"))


@pytest.mark.parametrize("other", [{"stage": "score"}, {"model": "n"}, {"device": "1 x cuda"}])
def test_runs_that_can_not_be_compared_say_nothing(tmp_path: Path, other: dict[str, str]) -> None:
    run(tmp_path / "other", 3.0, **other)
    assert forecast.pace(RunPaths(tmp_path / "mine"), about(), CPU) is None


def test_what_can_not_be_read_says_nothing(tmp_path: Path) -> None:
    run(tmp_path / "broken", 3.0).identity.write_bytes(b"{")
    run(tmp_path / "idle", 3.0).attempt(1).rank_timings(0).unlink()
    garbage = run(tmp_path / "garbage", 3.0).attempt(1).rank_timings(0)
    garbage.write_bytes(b'{"keys": 3}\n[}\n{"keys": [], "seconds": {"compute": 1}}\n')
    (tmp_path / "file").touch()
    assert forecast.pace(RunPaths(tmp_path / "mine"), about(), CPU) is None
    assert forecast.pace(RunPaths(tmp_path / "nowhere" / "mine"), about(), CPU) is None
