"""A benchmark folder reads back as it was written, and says what is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from PIL import Image

from editbench import shards
from editbench.benchmarks.benchmark import Benchmark, write_benchmark
from editbench.errors import UserError
from editbench.images import encode_png
from editbench.manifests import BenchmarkManifest
from editbench.paths import BenchmarkPaths, EditPaths
from editbench.records import Sample

PNG = encode_png(Image.new("RGB", (6, 4), "red"))


def sample(key: str, category: str = "c") -> Sample:
    return Sample(key=key, id=f"the {key}", instruction="改", category=category, group="g", extra={"n": 1})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A benchmark of five samples in three shards."""
    samples = [(sample(f"k{number}", "cd"[number % 2]), {"source.png": PNG}) for number in range(5)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("editbench.benchmarks.benchmark.SHARD_SIZE", 2)
        write_benchmark(tmp_path / "bench", "mine", samples)
    return tmp_path / "bench"


def shard(root: Path) -> Path:
    return root / "bench-00001.tar"


def test_written_benchmark_reads_back_in_order(root):
    benchmark = Benchmark.open(root)
    assert benchmark.samples == [sample(f"k{number}", "cd"[number % 2]) for number in range(5)]
    assert [stored.shard.name for stored in benchmark.stored] == [f"bench-{number // 2:05d}.tar" for number in range(5)]
    assert {stored.read("source.png") for stored in benchmark.stored} == {PNG}


def test_manifest_counts_samples_by_category_and_shard(root):
    manifest = orjson.loads((root / "manifest.json").read_bytes())
    assert (manifest["name"], manifest["samples"], manifest["categories"]) == ("mine", 5, {"c": 3, "d": 2})
    assert [entry["samples"] for entry in manifest["shards"]] == [2, 2, 1]


def test_digest_changes_with_a_single_record(tmp_path):
    digests = {write_benchmark(tmp_path / key, "same name", [(sample(key), {"source.png": PNG})]).digest for key in ("a", "b")}
    assert len(digests) == 2


def test_select_takes_categories_then_a_limit(root):
    chosen = Benchmark.open(root).select(["d"], limit=1)
    assert [entry.key for entry in chosen.samples] == [stored.key for stored in chosen.stored] == ["k1"]


def test_select_of_an_unknown_category_lists_the_known(root):
    with pytest.raises(UserError, match="has no category x") as caught:
        Benchmark.open(root).select(["c", "x"])
    assert caught.value.remedy == "It has: c, d."


def test_no_folder(tmp_path):
    with pytest.raises(UserError, match="no benchmark folder") as caught:
        Benchmark.open(tmp_path / "nosuch")
    assert "editbench import" in caught.value.remedy


def test_no_manifest(root):
    (root / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"is not a benchmark: it has no manifest\.json"):
        Benchmark.open(root)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        ('{"schema": 99}', "of another schema"),
        ('{"schema": 1, "name": "x", "digest": "x"}', "is not the manifest of a benchmark"),
        ('{"schema": 1, "categories": {}}', "missing required field `name`"),
        ('{"schema": 1, "name": "x", "samples": 0, "categories": {}, "shards": [{"name": "a"}], "digest": ""}', "shards"),
        ('{"schema": 1, "name": "x", "samples": 0, "categories": {}, "shards": ["a"], "digest": "x"}', "shards"),
        ('{"schema": 1, "name": "x", "samples": 0, "categories": {}, "shards": [], "digest": "x"}', "its digest is not"),
        ('{"schema": 1, "name": "x", "samples": 1, "categories": {}, "shards": [], "digest": "x"}', "counts of samples"),
    ],
)
def test_manifest_that_is_wrong(root, text, problem):
    (root / "manifest.json").write_text(text)
    with pytest.raises(UserError, match=problem):
        Benchmark.open(root)


def test_missing_shard(root):
    shard(root).unlink()
    with pytest.raises(UserError, match=r"bench-00001\.tar is missing"):
        Benchmark.open(root)
    with pytest.raises(UserError, match=r"no shard \S*bench-00001\.tar"):
        Benchmark.open(root, verify=False)


def test_shard_cut_short(root):
    shard(root).write_bytes(shard(root).read_bytes()[:-1500])
    with pytest.raises(UserError, match=r"bench-00001\.tar has [\d,]+ bytes, its manifest says"):
        Benchmark.open(root)


@pytest.mark.parametrize("size", [0, 100, 700, 1024, 1800])
def test_shard_cut_short_is_seen_without_hashing(root, size):
    shard(root).write_bytes(shard(root).read_bytes()[:size])
    with pytest.raises(UserError, match=r"bench-00001\.tar (is not a whole tar file|has been cut short)"):
        Benchmark.open(root, verify=False)


def test_one_changed_byte_is_found_by_hashing(root):
    data = bytearray(shard(root).read_bytes())
    data[700] ^= 1
    shard(root).write_bytes(data)
    with pytest.raises(UserError, match=r"bench-00001\.tar has other contents than its manifest says"):
        Benchmark.open(root)


def test_sample_without_a_source_picture(tmp_path):
    write_benchmark(tmp_path, "x", [(sample("k"), {"reference.png": PNG})])
    with pytest.raises(UserError, match="sample k has no source picture"):
        Benchmark.open(tmp_path)


def test_same_samples_give_the_same_bytes(root, tmp_path):
    benchmark = Benchmark.open(root)
    again = tmp_path / "again"
    write_benchmark(again, "mine", ((entry, {"source.png": PNG}) for entry in benchmark.samples))
    write_benchmark(tmp_path / "more", "mine", ((entry, {"source.png": PNG}) for entry in benchmark.samples))
    assert (again / "bench-00000.tar").read_bytes() == (tmp_path / "more" / "bench-00000.tar").read_bytes()


@pytest.mark.parametrize("key", ["PRECIOUS", "../precious", "a/b", "", "k" * 65, "é", "a.b"])
def test_a_key_never_becomes_a_path(tmp_path: Path, key: str) -> None:
    """What such a record named was once sealed into a shard as an edit, and deleted."""
    precious = tmp_path / "precious.tar"
    precious.write_bytes(b"precious")
    key = key.replace("PRECIOUS", str(tmp_path / "precious"))
    root = tmp_path / "bench"
    write_benchmark(root, "x", [(sample("k"), {"source.png": PNG})])
    record = replace(sample("k"), key=key).to_json()
    shards.write_shard(BenchmarkPaths(root).shard(0), [("k", {"json": record, "source.png": PNG})])
    BenchmarkManifest.of("x", {"c": 1}, shards.describe([BenchmarkPaths(root).shard(0)], [1])).dump(
        BenchmarkPaths(root).manifest
    )
    with pytest.raises(UserError, match=r"bench-00000\.tar: k\.json is the record of"):
        Benchmark.open(root)
    with pytest.raises(UserError, match="can be no key of a sample"):
        EditPaths(tmp_path / "edits").spooled(key)
    assert precious.read_bytes() == b"precious"
