"""The script for people with a GPU, run on a CPU, and what it holds to be a floor."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import editor
import pytest
import random_editor
import table
import torch

from editbench.paths import TinyPaths


@pytest.fixture
def bench(checkpoints: TinyPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from diffusers.models.attention_dispatch import _AttentionBackendRegistry as registry

    for name in ("VAE_IMAGE_SIZE", "CONDITION_IMAGE_SIZE"):
        monkeypatch.setattr(random_editor.published, name, getattr(random_editor.published, name))
    monkeypatch.setattr(registry, "_active_backend", registry._active_backend)
    return editor.Bench(checkpoints.editor, tmp_path, "tiny", editor.TINY)


def test_it_compares_editbench_with_a_bare_loop(bench) -> None:
    figures = editor.loop(bench)
    assert figures["same_bytes_in_every_run"]
    assert figures["same_pixels_as_plain"]
    assert [len(times) for times in figures["seconds_an_image"].values()] == [2, 2]
    assert figures["floor_s"] > 0 < figures["share_of_floor"]
    phases = editor.phases(bench)
    assert sum(value for name, value in phases.items() if name != "whole") == pytest.approx(phases["whole"])
    assert min(phases.values()) > 0


def test_it_measures_every_variant(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels, caches = editor.kernels(bench), editor.caches(bench)
    assert kernels["native"]["ms_a_pass"] > 0
    assert "can't run here" in kernels["_native_cudnn"]["can_not_run"]
    assert caches["none"]["last_block_ran"] == 2 * bench.plan.steps > caches["taylorseer:3"]["last_block_ran"]
    assert caches["taylorseer:3"]["psnr_db"] > 30
    monkeypatch.setattr(torch.nn.Module, "compile", lambda *_, **__: None)  # takes a minute
    compiled = editor.compiled(bench)
    assert compiled["compiled"]["psnr_db"] is None
    assert compiled["compiled_again_for_another_size"] == 0
    assert compiled["compiling_s"] > 0 < compiled["compiled"]["ms_a_pass"]


def test_operations_are_counted_as_published() -> None:
    config = SimpleNamespace(num_attention_heads=24, attention_head_dim=128, num_layers=60)
    assert editor.operations(SimpleNamespace(config=config), 8192, 228) / 1e12 == pytest.approx(167, abs=1)


def test_parts_of_an_earlier_run_stay_unless_it_was_another(tmp_path: Path) -> None:
    out = tmp_path / "editor.json"
    out.write_text(json.dumps(editor.merged(None, editor.TINY, {"loop": {"ratio": 1.0}, "phases": {}})))
    assert editor.merged(out, editor.TINY, {"phases": {"whole": 2.0}})["parts"] == {
        "loop": {"ratio": 1.0},
        "phases": {"whole": 2.0},
    }
    other = replace(editor.TINY, steps=9)
    assert editor.merged(out, other, {"phases": {}})["parts"] == {"phases": {}}


def test_the_table_in_the_readme_is_that_of_the_files() -> None:
    assert table.table() in table.README.read_text("utf-8")


def test_what_was_not_measured_is_told_as_such(tmp_path: Path) -> None:
    rows = table.table(tmp_path).splitlines()[3:-1]
    assert len(rows) == 8
    assert all(row.endswith("| not measured |") for row in rows)


def test_the_table_holds_the_figures(tmp_path: Path) -> None:
    loop = {
        "seconds_an_image": {"plain": [41.2, 41.4], "editbench": [33.4, 33.5]},
        "ratio": 0.81,
        "share_of_floor": 0.51,
        "peak_memory_gib": 66.25,
        "same_bytes_in_every_run": True,
    }
    kernels = {
        "auto": "_native_cudnn",
        "native": {"ms_a_pass": 512.3, "psnr_db": None},
        "_native_cudnn": {"ms_a_pass": 401.0, "psnr_db": 55.2},
        "flash": {"can_not_run": "no"},
        "seconds": 60.0,
    }
    compiled = {"plain": {"ms_a_pass": 401.0}, "compiled": {"ms_a_pass": 322.0, "psnr_db": 52.6}, "compiling_s": 9.0}
    document = {"device": "H200", "side": 1024, "steps": 40, "parts": {"loop": loop, "kernels": kernels, "compile": compiled}}
    (tmp_path / "editor.json").write_text(json.dumps(document))
    found = table.table(tmp_path)
    assert "H200 | 33.4 to 33.5 s an image, 51% of the floor; same bytes in every run |" in found
    assert "| 41.2 to 41.4 s an image; 0.810 |" in found
    assert "| native 512 ms, _native_cudnn 401 ms (55 dB) |" in found
    assert "| `--compile`, ms a forward pass (PSNR against plain) | plain 401 ms, compiled 322 ms (53 dB) |" in found
    assert "| `--cache`, seconds an image (PSNR against none) | not measured |" in found
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    table.update(readme, tmp_path)
    assert readme.read_text() == f"before\n{found}\nafter\n"
    readme.write_text("no marks")
    with pytest.raises(ValueError, match="has not one part"):
        table.update(readme, tmp_path)
