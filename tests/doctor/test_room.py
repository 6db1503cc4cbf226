from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants
from safetensors.numpy import save_file

from editbench.doctor import room
from editbench.doctor.accelerators import Device
from editbench.edit import memory
from editbench.foreign_paths import CheckpointPaths, LoraPaths
from editbench.models import Kind, Model
from editbench.paths import BenchmarkPaths, TinyPaths

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> object:
    def make(size: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(size, 0, size))

    return make


def test_the_edits_of_a_benchmark_fit_or_do_not(benchmark: Path, tmp_path: Path, free: object) -> None:
    free(10**9)
    assert [(check.what, check.state) for check in room.disk(tmp_path, benchmark)] == [
        ("benchmark", "ok"),
        ("disk for its edits", "ok"),
    ]
    free(100)
    assert [check.state for check in room.disk(tmp_path, benchmark)] == ["ok", "fault"]
    assert [check.what for check in room.disk(tmp_path, None)] == ["disk"]


def test_a_benchmark_that_is_broken_is_a_fault_of_edit(benchmark: Path, tmp_path: Path) -> None:
    BenchmarkPaths(benchmark).manifest.unlink()
    (check,) = room.disk(tmp_path, benchmark)
    assert (check.state, check.stages) == ("fault", ("edit",))
    assert "editbench import" in check.remedy


@pytest.mark.parametrize(("whole", "spare", "state"), [(10**9, 10**9, "ok"), (10**9, 10, "note"), (10, 10, "fault")])
def test_weights_fit_into_the_smallest_device_or_do_not(checkpoints: TinyPaths, whole: int, spare: int, state: str) -> None:
    devices = [Device("cuda", "small", whole, spare), Device("cuda", "large", 10**12, 10**12)]
    editor, judge = ([*room.model(str(folder), devices)] for folder in (checkpoints.editor, checkpoints.judge))
    assert [(check.state, check.stages) for check in editor] == [("ok", ("edit",)), (state, ("edit",))]
    assert [(check.state, check.stages) for check in judge] == [("ok", ("score",)), (state, ("score",))]


def test_an_editor_that_does_not_fit_as_it_is_gets_a_setting_that_does(checkpoints: TinyPaths) -> None:
    pipeline = memory.known(Model(Kind.FOLDER, "tiny", str(checkpoints.editor), {}))
    assert pipeline is not None
    needed = pipeline.peak(memory.Setting("model"), memory.Work(1_048_576, width=2))
    size = int(needed / (1 - memory.KEPT_FREE)) + 1
    (*_, check) = room.model(str(checkpoints.editor), [Device("cuda", "small", size, size)])
    assert (check.state, check.remedy.endswith("edit with --offload model.")) == ("note", True)
    assert "an estimate" in check.here


def test_on_a_cpu_weights_are_twice_as_wide(checkpoints: TinyPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = sum(path.stat().st_size for path in CheckpointPaths(checkpoints.judge).weights())
    monkeypatch.setattr(room, "main_memory", lambda: (2 * stored, 2 * stored))
    assert [check.state for check in room.model(str(checkpoints.judge), [])] == ["ok", "ok"]
    monkeypatch.setattr(room, "main_memory", lambda: (2 * stored - 1, 0))
    assert [check.state for check in room.model(str(checkpoints.judge), [])] == ["ok", "fault"]


def test_a_model_that_is_not_whole_is_a_fault(checkpoints: TinyPaths, tmp_path: Path) -> None:
    judge = shutil.copytree(checkpoints.judge, tmp_path / "judge")
    CheckpointPaths(judge).weights()[0].unlink()
    (check,) = room.model(str(judge), [])
    assert (check.state, "has no weights" in check.here) == ("fault", True)
    assert [check.state for check in room.model("copy", [])] == ["ok"]


def test_a_lora_is_no_model_to_measure(tmp_path: Path) -> None:
    save_file({"transformer.a.lora_A.weight": np.zeros((2, 2), np.float32)}, LoraPaths(tmp_path).weights)
    (check,) = room.model(str(tmp_path), [])
    assert (check.state, "is a LoRA, not a model" in check.here, "--lora" in check.remedy) == ("fault", True, True)


def test_a_model_of_the_hub_is_measured_by_what_is_downloaded_of_it(monkeypatch: pytest.MonkeyPatch, free: object) -> None:
    files = {
        "model_index.json": 1,
        "whole.safetensors": 7 * 10**9,  # at the top: no weights of a pipeline
        "vae/model.safetensors": 10**9,
        "vae/model.fp16.safetensors": 10**9,
        "transformer/a.safetensors": 3 * 10**9,
    }
    siblings = [SimpleNamespace(rfilename=name, size=size) for name, size in files.items()]
    api = SimpleNamespace(model_info=lambda *arguments, **options: SimpleNamespace(siblings=siblings, tags=[], gated=False))
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: api)
    monkeypatch.setattr(
        huggingface_hub, "try_to_load_from_cache", lambda name, file, revision: "/cached" if file.startswith("vae") else None
    )
    hub = Model(Kind.HUB, "a/b", "a/b", {"revision": "0" * 40})
    assert room._on_hub(hub) == room.Weights(4 * 10**9, 3 * 10**9)
    monkeypatch.setattr(room.models, "resolve", lambda name, controls: hub)
    free(10**9)
    checks = [*room.model("a/b", [Device("cuda", "GPU", 80 * 10**9, 80 * 10**9)])]
    assert [(check.what, check.state) for check in checks] == [
        ("model", "ok"),
        ("disk for the model", "fault"),
        ("memory for the model", "ok"),
    ]


def test_a_model_of_the_cache_needs_no_hub(checkpoints: TinyPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = "0" * 40
    repository = tmp_path / "hub" / "models--Org--Judge"
    snapshot = shutil.copytree(checkpoints.judge, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(room, "main_memory", lambda: (10**12, 10**12))
    assert [(check.state, check.stages) for check in room.model("Org/Judge", [])] == 2 * [("ok", ("score",))]
    CheckpointPaths(snapshot).weights()[0].unlink()
    (check,) = room.model("Org/Judge", [])
    assert "not whole in the cache, and the hub does not answer" in check.here


def test_memory_is_that_of_the_machine() -> None:
    whole, available = room.main_memory()
    assert 0 < available <= whole
