from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from editbench import images, shards
from editbench.benchmarks.benchmark import write_benchmark
from editbench.edit.editor import Result
from editbench.edit.seed import seed_of
from editbench.edit.settings import EditSettings
from editbench.edit.worker import EditWorker
from editbench.errors import UserError
from editbench.fleet.worker import Pulse
from editbench.paths import EditPaths
from editbench.records import Sample

PULSE = Pulse(step=lambda step, steps: None, ahead=lambda: None)


class Shrink:
    """An editor whose pictures have a size of their own."""

    def __init__(self, device: str) -> None:
        pass

    def edit(self, images: list[Image.Image], instruction: str) -> Image.Image:
        return images[-1].resize((5, 4))


class Ramp(Shrink):
    """Another picture, as large as the source."""

    def edit(self, images: list[Image.Image], instruction: str) -> Image.Image:
        return Image.linear_gradient("L").resize(images[0].size)


@pytest.fixture
def out(tmp_path: Path) -> EditPaths:
    paths = EditPaths(tmp_path / "edits")
    paths.spool.mkdir(parents=True)
    return paths


@pytest.fixture
def worker(benchmark: Path, out: EditPaths):
    return lambda **changes: make(benchmark, out, **changes)


def make(
    benchmark: Path, out: EditPaths, model: str = "copy", plan: tuple[int, ...] = (0, 1, 2), **settings: Any
) -> EditWorker:
    made = EditWorker(
        benchmark=str(benchmark),
        out=str(out.root),
        model={"kind": "control" if model == "copy" else "class", "name": model, "location": model, "identity": {}},
        settings=EditSettings(**{"shard_size": 2, **settings}).to_dict(),
        plan=list(plan),
    )
    made.load("cpu")
    return made


def run(worker: EditWorker, item: int) -> None:
    worker.store(item, worker.compute(item, worker.prepare(item), PULSE), 1.0)


def test_a_seed_is_a_hash_of_the_setting_and_the_key_alone() -> None:
    assert seed_of(0, "a-key") == int(hashlib.sha256(b"0:a-key").hexdigest()[:16], 16) // 2
    assert seed_of(0, "a-key") == 8_014_622_703_875_148_553
    seeds = {seed_of(seed, key) for seed in (0, 1) for key in ("a", "b", "0")}
    assert len(seeds) == 6
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_sample_becomes_its_source_untouched_the_edit_and_a_record(worker: Any, benchmark: Path, out: EditPaths) -> None:
    run(worker(seed=3), 1)
    (stored,) = shards.index(out.spooled("environmental"))
    source = shards.index(benchmark / "bench-00000.tar")[1]
    assert sorted(stored.spans) == ["edited.png", "json", "source.png"]
    assert stored.read("source.png") == source.read("source.png")
    assert images.decode(stored.read("edited.png"), "").tobytes() == images.decode(source.read("source.png"), "").tobytes()
    record = stored.record()
    edit = record.pop("edit")
    assert record == source.record()
    assert (edit["model"], edit["seed"], edit["steps"], edit["cfg"]) == ("copy", seed_of(3, "environmental"), None, None)
    assert (edit["asked_size"], edit["size"]) == ([1248, 832], [48, 32])


@pytest.mark.parametrize(
    ("model", "settings", "flags"),
    [
        ("copy", {}, ["identical", "uniform"]),
        (f"{__name__}:Shrink", {"size": "64x64"}, ["aspect", "identical", "uniform"]),
        (f"{__name__}:Ramp", {}, []),
        (f"{__name__}:Ramp", {"size": "64x64"}, ["aspect"]),
    ],
)
def test_what_is_odd_about_an_edit_is_on_record_and_told(
    worker: Any, out: EditPaths, model: str, settings: dict[str, str], flags: list[str]
) -> None:
    made = worker(model=model, **settings)
    (event,) = made.store(0, made.compute(0, made.prepare(0), PULSE), 1.0)
    (stored,) = shards.index(out.spooled("physical"))
    assert stored.record()["edit"]["flags"] == flags
    told = flags and model != "copy"  # the control is identical by design
    assert (event.status, event.note) == ("ok", f"flags: {', '.join(flags)}" if told else "")


def test_a_picture_that_was_not_finite_is_flagged(worker: Any, out: EditPaths) -> None:
    made = worker()
    edited = made.compute(0, made.prepare(0), PULSE)
    made.store(0, replace(edited, picture=Result(Image.new("RGB", (48, 32)), finite=False)), 1.0)
    (stored,) = shards.index(out.spooled("physical"))
    assert stored.record()["edit"]["flags"] == ["nan", "uniform"]


def test_the_size_on_record_is_the_pictures_own(worker: Any, out: EditPaths) -> None:
    run(worker(model=f"{__name__}:Shrink", size="64x64"), 0)
    (stored,) = shards.index(out.spooled("physical"))
    assert stored.record()["edit"]["asked_size"] == [64, 64]
    assert stored.record()["edit"]["size"] == list(images.size(stored.read("edited.png"), "")) == [5, 4]


def test_settings_that_the_editor_does_not_know_are_noted(worker: Any) -> None:
    made = worker(model=f"{__name__}:Shrink", steps=3)
    assert made.load("cpu") == [f"{__name__}:Shrink does not know and so ignored: steps"]
    assert worker().load("cpu") == []


def test_all_inputs_the_reference_and_the_mask_come_along(tmp_path: Path, out: EditPaths) -> None:
    pictures = {
        name: images.encode_png(Image.new("RGB", (size, 8))) for size, name in enumerate(("source.png", "source2.png"), 20)
    }
    record = Sample(key="a", id="a", instruction="i", category="c")
    write_benchmark(
        tmp_path / "two",
        "two",
        [(record, {**pictures, **dict.fromkeys(("mask.png", "reference.png"), pictures["source.png"])})],
    )
    made = make(tmp_path / "two", out, plan=(0,))
    assert [image.size for image in made.prepare(0).images] == [(20, 8), (21, 8)]
    run(made, 0)
    (stored,) = shards.index(out.spooled("a"))
    assert sorted(stored.spans) == ["edited.png", "json", "mask.png", "reference.png", "source.png", "source2.png"]


def test_of_several_inputs_the_first_can_be_taken_alone(tmp_path: Path, out: EditPaths) -> None:
    pictures = {name: images.encode_png(Image.new("RGB", (8, 8))) for name in ("source.png", "source2.png")}
    record = Sample(key="a", id="a", instruction="i", category="c")
    write_benchmark(tmp_path / "two", "two", [(record, pictures)])
    assert len(make(tmp_path / "two", out, plan=(0,), extra_images="first").prepare(0).images) == 1
    assert len(make(tmp_path / "two", out, plan=(0,), extra_images="all").prepare(0).images) == 2


def test_the_steps_on_record_are_those_that_were_made(worker: Any, out: EditPaths) -> None:
    made = worker(steps=2)
    edited = made.compute(0, made.prepare(0), PULSE)
    for index, steps in ((0, 5), (1, None)):
        made.store(index, replace(edited, picture=replace(edited.picture, steps=steps)), 1.0)
    recorded = [shards.index(out.spooled(key))[0].record()["edit"]["steps"] for key in ("physical", "environmental")]
    assert recorded == [5, 2]


def test_a_size_that_is_left_to_the_pipeline_is_not_asked_for(worker: Any, out: EditPaths) -> None:
    run(worker(size="pipeline"), 0)
    (stored,) = shards.index(out.spooled("physical"))
    assert (stored.record()["edit"]["asked_size"], stored.record()["edit"]["size"]) == (None, [48, 32])


def test_a_broken_source_names_shard_and_member(tmp_path: Path, out: EditPaths) -> None:
    record = Sample(key="a", id="a", instruction="i", category="c")
    write_benchmark(tmp_path / "broken", "broken", [(record, {"source.png": b"no picture"})])
    with pytest.raises(UserError, match=r"bench-00000\.tar: a\.source\.png is not a picture"):
        make(tmp_path / "broken", out, plan=(0,)).prepare(0)


def test_a_shard_is_sealed_when_its_last_sample_is_through(worker: Any, out: EditPaths) -> None:
    made, counts = worker(plan=(3, 0, 1)), iter((1, 1, 2))
    for item in range(3):
        run(made, item)
        made.finished(item, lambda shard: next(counts))
    assert [out.shard(number).exists() for number in range(3)] == [True, False, False]
    assert all(made.done(item) for item in range(3))


def test_a_shard_with_a_failure_waits_for_the_end(worker: Any, out: EditPaths) -> None:
    made = worker(plan=(0, 1))
    run(made, 0)
    (event,) = made.fail(1, "error", "it broke", 1)
    made.finished(1, lambda shard: 2)
    assert (event.key, event.status, event.note) == ("environmental", "edit_failed", "error: it broke")
    assert not out.shard(0).exists()
    assert not made.done(1)


def test_a_step_is_told_and_the_last_one_lets_the_next_sample_be_prepared(worker: Any) -> None:
    told: list[Any] = []
    made = worker()

    class Stepping:
        def edit(self, request: Any, step: Any) -> Result:
            step(1, 2)
            step(2, 2)
            return Result(Image.new("RGB", (8, 8)))

    made._editor = Stepping()
    made.compute(0, made.prepare(0), Pulse(step=lambda *steps: told.append(steps), ahead=lambda: told.append("ahead")))
    assert told == [(1, 2), (2, 2), "ahead"]


def test_a_picture_without_pixels_is_a_failure_of_the_sample(worker: Any) -> None:
    made = worker()
    made._editor = type("Empty", (), {"edit": lambda self, request, step: Result(Image.new("RGB", (0, 0)))})()
    with pytest.raises(ValueError, match="without pixels"):
        made.compute(0, made.prepare(0), PULSE)
