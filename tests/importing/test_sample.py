"""The sample benchmark is whole, varied and small, is what its script makes, and reads as its README says."""

from __future__ import annotations

import re
import runpy
from collections import Counter
from pathlib import Path

import pytest

from editbench import images
from editbench.benchmarks.benchmark import Benchmark

SHARDS = Path(__file__).parents[2] / "shards"
README = (SHARDS / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    return Benchmark.open(SHARDS / "sample")


def test_it_has_twenty_samples_four_a_category(benchmark):
    categories = Counter(sample.category for sample in benchmark.samples)
    assert categories == dict.fromkeys(["physical", "environmental", "social", "causal", "referential"], 4)


def test_it_has_both_languages_in_every_category(benchmark):
    spoken = Counter((sample.category, sample.language) for sample in benchmark.samples)
    assert len(spoken) == 10
    assert set(spoken.values()) == {2}


def test_some_samples_share_a_photograph(benchmark):
    photographs = {sample.group: sample.extra["photograph"] for sample in benchmark.samples}
    assert 8 <= len(photographs) == len(set(photographs.values())) < len(benchmark.samples)


def test_it_is_small(benchmark):
    assert sum(path.stat().st_size for path in benchmark.root.iterdir()) < 3_000_000


def test_pictures_are_whole_and_at_most_512_pixels_a_side(benchmark):
    sizes = [images.decode(stored.read("source.jpg"), stored.key).size for stored in benchmark.stored]
    assert all(300 <= max(size) <= 512 for size in sizes)


def test_every_photograph_is_credited(benchmark):
    for extra in (sample.extra for sample in benchmark.samples):
        assert re.search(rf"\| {extra['photograph']}\b.* \| {extra['author']} \| {extra['licence']} \|", README)


def test_instructions_differ_and_none_is_terse(benchmark):
    instructions = [sample.instruction for sample in benchmark.samples]
    assert len(set(instructions)) == 20
    assert min(len(text.encode()) for text in instructions) > 50


def test_script_makes_what_is_there_and_the_same_bytes_each_time(benchmark, tmp_path):
    pytest.importorskip("skimage")
    make = runpy.run_path(str(SHARDS / "make_sample.py"))["make"]
    assert make(tmp_path / "a") == make(tmp_path / "b")

    def records(root: Path) -> list[dict]:
        # Another libjpeg gives other bytes of the pictures, and so another group.
        return [{**sample.to_dict(), "group": ""} for sample in Benchmark.open(root).samples]

    assert records(tmp_path / "a") == records(benchmark.root)


def test_webdataset_snippet_of_the_readme_works(monkeypatch, capsys):
    monkeypatch.chdir(SHARDS.parent)
    exec(SNIPPETS[0], {})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 20
    assert lines[0].startswith("physical-frozen-espresso (512, 341) Show this coffee")


def test_datasets_snippet_of_the_readme_works(monkeypatch, capsys, tmp_path):
    datasets = pytest.importorskip("datasets")
    monkeypatch.chdir(SHARDS.parent)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    names = {}
    exec(SNIPPETS[1], names)
    assert capsys.readouterr().out.startswith("Show this coffee")
    assert names["samples"].num_rows == 20
