from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from editbench import images
from editbench.benchmarks.benchmark import Benchmark, write_benchmark
from editbench.edit import several
from editbench.edit.settings import EditSettings
from editbench.errors import UserError
from editbench.foreign_paths import PipelinePaths
from editbench.models import Kind, Model
from editbench.records import Sample


@pytest.fixture
def two(tmp_path: Path) -> Benchmark:
    """A sample with one picture, and one with two."""
    picture = images.encode_png(Image.new("RGB", (20, 8)))
    rows = [(Sample(key=key, id=key, instruction="i", category="c"), {"source.png": picture}) for key in "ab"]
    rows[1][1]["source2.png"] = picture
    write_benchmark(tmp_path / "two", "two", rows)
    return Benchmark.open(tmp_path / "two")


def check(benchmark: Benchmark, folder: Path, class_name: str, extra_images: str = "fail") -> None:
    PipelinePaths(folder).index.write_text(f'{{"_class_name": "{class_name}"}}')
    several.check(benchmark, Model(Kind.FOLDER, "m", str(folder), {}), EditSettings(extra_images=extra_images))


def test_several_pictures_are_refused_where_the_pipeline_takes_one(two: Benchmark, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="several pictures in 1 of 2 samples, such as b, and a FluxKontextPipeline takes one"):
        check(two, tmp_path, "FluxKontextPipeline")


@pytest.mark.parametrize("said", ["first", "all"])
def test_what_becomes_of_them_can_be_said(two: Benchmark, tmp_path: Path, said: str) -> None:
    check(two, tmp_path, "FluxKontextPipeline", said)


def test_the_editor_is_shown_as_many_as_are_edited(two: Benchmark) -> None:
    shown = {said: len(several.inputs(two.stored[1], EditSettings(extra_images=said))) for said in ("first", "all", "fail")}
    assert shown == {"first": 1, "all": 2, "fail": 2}


def test_they_are_taken_where_the_pipeline_takes_several(two: Benchmark, tmp_path: Path) -> None:
    check(two, tmp_path, "QwenImageEditPlusPipeline")


def test_a_class_of_the_users_and_a_control_decide_for_themselves(two: Benchmark) -> None:
    for kind in (Kind.CLASS, Kind.CONTROL):
        several.check(two, Model(kind, "copy", "copy", {}), EditSettings())


def test_samples_with_one_picture_are_no_matter(two: Benchmark, tmp_path: Path) -> None:
    check(two.select((), 1), tmp_path, "FluxKontextPipeline")
