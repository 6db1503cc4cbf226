"""Estimates of memory: what they are made of, and what they propose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from editbench.edit import memory
from editbench.edit.memory import Component, Pipeline, Room, Setting, Work
from editbench.edit.settings import EditSettings
from editbench.edit.stage import EditStage
from editbench.foreign_paths import PipelinePaths
from editbench.models import Kind, Model
from editbench.paths import TinyPaths

GB = 10**9
TEXT_ENCODER = Component("text_encoder", matrices=7 * GB, others=GB, largest=GB // 2)
TRANSFORMER = Component("transformer", matrices=20 * GB, others=0, largest=GB // 20)
VAE = Component("vae", matrices=0, others=GB // 8, largest=GB // 100)
EDITOR = Pipeline((TEXT_ENCODER, TRANSFORMER, VAE), hidden=3072, channels=18 * 96, tile=256)
"""About Qwen-Image-Edit."""
MEGAPIXEL = Work(1_000_000, width=2)
DECODING = 1_000_000 * 18 * 96 * 2
DENOISING = 18 * (2_000_000 / 256 + 1500) * 3072 * 2


@pytest.mark.parametrize(
    ("setting", "peak"),
    [
        (Setting(), 56.25 * GB + DECODING),
        (Setting(vae_tiling=True), 56.25 * GB + DENOISING),
        (Setting("model"), 40 * GB + DENOISING),
        (Setting("group"), 2 * GB + DECODING),
        (Setting(quantize="int8"), (27 * 8.1 / 8 + 2.25) * GB + DECODING),
        (Setting("model", "nf4"), 20 * 4.5 / 8 * GB + DENOISING),
    ],
)
def test_the_peak_is_what_is_on_the_device_at_once(setting: Setting, peak: float) -> None:
    assert EDITOR.peak(setting, MEGAPIXEL) == pytest.approx(peak, rel=1e-6)


@pytest.mark.parametrize(
    ("setting", "more"), [(Setting(), 2), (Setting("model"), 2), (Setting(quantize="nf4"), 2), (Setting("group"), 0)]
)
def test_loras_lie_with_the_denoiser_and_are_not_quantized(setting: Setting, more: int) -> None:
    more_at_peak = EDITOR.with_loras(GB).peak(setting, MEGAPIXEL) - EDITOR.peak(setting, MEGAPIXEL)
    assert more_at_peak == pytest.approx(more * GB, abs=1)


def test_more_pixels_and_more_pictures_take_more() -> None:
    bare = EDITOR.peak(Setting("model"), MEGAPIXEL)
    assert EDITOR.peak(Setting("model"), replace(MEGAPIXEL, pictures=3)) > bare
    assert EDITOR.peak(Setting("model"), replace(MEGAPIXEL, area=4_000_000)) > bare


@pytest.mark.parametrize(
    ("card", "main", "proposed"),
    [
        (48, 256, "--offload model"),
        (24, 256, "--offload group"),
        (24, 48, "--offload model --quantize int8"),
        (24, 8, "--quantize nf4"),
        (16, 24, "--offload model --quantize nf4"),
        (2, 256, None),
    ],
)
def test_the_first_setting_that_fits_is_proposed(card: int, main: int, proposed: str | None) -> None:
    room = Room("cuda", "GPU", card * GB, main * GB)
    fitting = memory.proposal(EDITOR, room, MEGAPIXEL)
    assert (fitting and str(fitting[0])) == proposed
    told, fits = memory.fit(EDITOR, room, Setting(), MEGAPIXEL)
    assert not fits
    assert (proposed or "no setting of it would fit") in told
    assert "an estimate" in told


def test_what_fits_needs_no_proposal_and_a_cpu_has_nothing_to_offload_from() -> None:
    large = Room("cuda", "GPU", 80 * GB, 0)
    assert memory.fit(EDITOR, large, Setting(), MEGAPIXEL).fits
    room = Room("cpu", "main memory", 64 * GB, 64 * GB)
    fitting = memory.proposal(EDITOR, room, replace(MEGAPIXEL, width=4))
    assert fitting is not None
    assert str(fitting[0]) == "--quantize int8"


def test_a_checkpoint_is_measured_by_its_files(checkpoints: TinyPaths) -> None:
    pipeline = memory.known(Model(Kind.FOLDER, "tiny", str(checkpoints.editor), {}))
    assert pipeline is not None
    stored = sum(path.stat().st_size for path in checkpoints.editor.glob("*/*.safetensors"))
    assert pipeline.weights(4) == pytest.approx(stored, rel=0.05)  # they are float32, and have headers
    assert (pipeline.hidden, pipeline.channels, pipeline.tile) == (32, 8 * 18, 256)
    assert {component.name for component in pipeline.components} == {"text_encoder", "transformer", "vae"}
    vae = next(component for component in pipeline.components if component.name == "vae")
    assert vae.matrices == 0


def test_of_a_model_without_weights_nothing_is_told(tmp_path: Path) -> None:
    PipelinePaths(tmp_path).transformer.mkdir()
    assert memory.known(Model(Kind.FOLDER, "empty", str(tmp_path), {})) is None
    assert memory.forecast(Model(Kind.FOLDER, "empty", str(tmp_path), {}), EditSettings(), "cpu").fits is None


def test_each_rank_has_its_share_of_main_memory(checkpoints: TinyPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    model, settings = Model(Kind.FOLDER, "tiny", str(checkpoints.editor), {}), EditSettings(size="65536")
    pipeline = memory.known(model)
    assert pipeline is not None
    needed = pipeline.peak(Setting("model"), memory.work_of(settings, "cuda")) / (1 - memory.KEPT_FREE)
    monkeypatch.setattr(memory.devices, "device_memory", lambda kind: ("GPU", int(needed) + 1))
    monkeypatch.setattr(memory.devices, "main_memory", lambda: (pipeline.weights(2), 0))
    assert "--offload model takes" in memory.forecast(model, settings, "cuda", ranks=1).text
    assert "no setting of it would fit" in memory.forecast(model, settings, "cuda", ranks=2).text


@pytest.mark.parametrize(("fits", "warned"), [(False, True), (True, False), (None, False)])
def test_a_run_that_will_hardly_fit_is_warned_of(fits: bool | None, warned: bool, capsys: pytest.CaptureFixture[str]) -> None:
    model = Model(Kind.FOLDER, "tiny", "tiny", {})
    stage = SimpleNamespace(model=model, _memory=lambda: memory.Forecast("about 60 GB", fits))
    EditStage._warn_of_memory(stage)
    assert ("tiny takes about 60 GB" in capsys.readouterr().err) == warned
