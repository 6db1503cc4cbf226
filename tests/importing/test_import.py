"""Keys, and what an import does to the folder it is asked to make."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import public_layouts
import pytest

from editbench.benchmarks import checks, formats, stage
from editbench.benchmarks.benchmark import Benchmark
from editbench.benchmarks.format import Format, Rows
from editbench.benchmarks.rows import KEY_LENGTH, Picture, Row, keys_of
from editbench.errors import UserError

ROW = {"id": "a", "image": "red.png", "instruction": "Make it blue."}


def load(source: Path, out: Path, **options) -> dict:
    return stage.import_benchmark(source, format="jsonl", out=out, **options)


def snapshot(folder: Path) -> dict[Path, tuple[bytes, int]]:
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_id_that_webdataset_can_carry_is_the_key():
    assert keys_of(["a", "Bb-3_x", "x" * KEY_LENGTH]) == ["a", "Bb-3_x", "x" * KEY_LENGTH]


@pytest.mark.parametrize(
    ("name", "slug"),
    [("a/b.c", "a-b-c"), ("v1.png", "v1-png"), ("猫 cat", "cat"), ("猫", "sample"), ("x" * 65, "x" * 55), ("a\n", "a")],
)
def test_other_ids_give_a_slug_with_a_digest(name, slug):
    (key,) = keys_of([name])
    assert key.rpartition("-")[0] == slug
    assert len(key.rpartition("-")[2]) == 8
    assert len(key) <= KEY_LENGTH


def test_ids_that_slugs_can_not_tell_apart_have_their_own_keys():
    assert len(set(keys_of(["a/b", "a.b", "a b"]))) == 3


def test_keys_differ_even_where_case_does_not_count():
    assert len({key.lower() for key in keys_of(["Cat", "cat", "CAT", "dog"])}) == 4


def test_key_does_not_depend_on_order_or_company():
    assert keys_of(["a/b", "c"]) == keys_of(["c", "x/y", "a/b"])[::-2]


def test_id_that_looks_like_the_key_of_another_is_refused(table, tmp_path):
    (key,) = keys_of(["a/b"])
    with pytest.raises(UserError, match=rf"table\.jsonl:2: id {key} gives the same key as a/b of \S*table\.jsonl:1"):
        load(table({**ROW, "id": "a/b"}, {**ROW, "id": key}), tmp_path / "out")


def test_manifest_is_returned_and_parents_are_made(table, tmp_path):
    out = tmp_path / "new" / "deep" / "out"
    manifest = load(table(ROW, {**ROW, "id": "b", "category": "c"}), out)
    assert (manifest.samples, manifest.categories) == (2, {"c": 1, "uncategorized": 1})
    assert manifest.digest == Benchmark.open(out).digest


def test_same_import_again_touches_nothing(table, tmp_path):
    source, out = table(ROW), tmp_path / "out"
    first = load(source, out)
    before = snapshot(tmp_path)
    assert load(source, out) == first
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("options", [{}, {"name": "other"}])
def test_another_import_into_the_folder_is_refused(table, tmp_path, options):
    out = tmp_path / "out"
    load(table(ROW), out)
    source = table(ROW if options else {**ROW, "instruction": "Make it green."})
    before = snapshot(tmp_path)
    with pytest.raises(UserError, match="holds another benchmark") as caught:
        load(source, out, **options)
    assert "remove this one" in caught.value.remedy
    assert snapshot(tmp_path) == before


def test_same_import_puts_back_lost_shards_and_refuses_changed_ones(table, tmp_path):
    load(table(ROW), tmp_path / "out")
    shard = tmp_path / "out" / "bench-00000.tar"
    whole = shard.read_bytes()
    shard.unlink()
    load(table(ROW), tmp_path / "out")
    assert shard.read_bytes() == whole
    shard.write_bytes(whole[:-512])
    with pytest.raises(UserError, match=r"damaged: \S*bench-00000\.tar has") as caught:
        load(table(ROW), tmp_path / "out")
    assert "verify --repair" in caught.value.remedy


def test_empty_folder_is_filled_and_one_with_other_files_refused(table, tmp_path):
    (tmp_path / "empty").mkdir()
    assert load(table(ROW), tmp_path / "empty").samples == 1
    with pytest.raises(UserError, match="is not empty and holds no benchmark"):
        load(table(ROW), tmp_path / "work")
    with pytest.raises(UserError, match=r"red\.png is a file"):
        load(table(ROW), tmp_path / "work" / "red.png")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_interrupted_import_leaves_nothing(table, tmp_path, monkeypatch, stop):
    def stopped(*_args):
        raise stop

    source = table(ROW)
    monkeypatch.setattr(os, "fsync", stopped)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises((KeyboardInterrupt, UserError)):
        load(source, tmp_path / "out")
    assert sorted(tmp_path.rglob("*")) == before


def test_killed_import_leaves_nothing_under_the_final_name(table, tmp_path):
    code = f"""
import os, signal
from pathlib import Path
from editbench.benchmarks import checks, formats, stage
from editbench.manifests import BenchmarkManifest
BenchmarkManifest.dump = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # when only the manifest is missing
stage.import_benchmark(Path({str(table(ROW))!r}), format="jsonl", out=Path({str(tmp_path / "out")!r}))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert not (tmp_path / "out").exists()
    assert [*tmp_path.glob(".out.*")]
    assert load(table(ROW), tmp_path / "out").samples == 1
    assert not [*tmp_path.glob(".*")]


def test_imports_to_one_name_at_one_time_leave_each_other_alone(table, tmp_path, monkeypatch):
    source, out, write = table(ROW), tmp_path / "out", stage.write_benchmark
    others = iter([lambda: load(source, out)])

    def while_another(*arguments):
        next(others, lambda: None)()
        return write(*arguments)

    monkeypatch.setattr(stage, "write_benchmark", while_another)
    assert load(source, out).samples == 1
    assert (next(others, None), [*tmp_path.glob(".*")]) == (None, [])


def test_picture_that_changes_during_the_import_is_noticed(table, work, tmp_path, monkeypatch):
    source, write = table(ROW), stage.write_benchmark

    def late(*arguments):
        (work / "red.png").write_bytes((work / "blue.jpg").read_bytes())
        return write(*arguments)

    monkeypatch.setattr(stage, "write_benchmark", late)
    with pytest.raises(UserError, match=r"red\.png changed while it was imported"):
        load(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("changed", [[ROW], [ROW, {**ROW, "id": "b"}, {**ROW, "id": "c"}], [ROW, {**ROW, "id": "b", "n": 1}]])
def test_table_that_changes_during_the_import_is_noticed(table, work, tmp_path, monkeypatch, changed):
    source, write = table(ROW, {**ROW, "id": "b"}), stage.write_benchmark

    def late(*arguments):
        table(*changed)
        return write(*arguments)

    monkeypatch.setattr(stage, "write_benchmark", late)
    with pytest.raises(UserError, match=r"table\.jsonl:\d changed while it was imported"):
        load(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_rows_are_let_go_as_the_import_goes_on(tmp_path, monkeypatch):
    alive = most = 0
    one = public_layouts.picture()

    class Held(bytes):
        def __new__(cls, data):
            nonlocal alive, most
            alive += 1
            most = max(most, alive)
            return super().__new__(cls, data)

        def __del__(self):
            nonlocal alive
            alive -= 1

    def read():
        for number in range(300):
            pictures = (Picture.held(f"picture {number}", Held(one)),)
            yield Row(where=str(number), id=str(number), instruction="x", sources=pictures)

    given = Format(name="given", recognise=lambda _: "", open=lambda _: Rows(300, read))
    monkeypatch.setitem(formats.FORMATS, "given", given)
    assert stage.import_benchmark(tmp_path, format="given", out=tmp_path / "out").samples == 300
    assert most < 30


def test_picture_of_many_rows_is_decoded_once(table, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(checks, "decode", lambda data, name: seen.append(name))
    load(table(*({**ROW, "id": str(number)} for number in range(9))), tmp_path / "out")
    assert len(seen) == 1


def test_checking_a_benchmark_imports_neither_torch_nor_webdataset():
    code = "import sys, editbench.benchmarks.stage as _; sys.exit(bool({'torch', 'webdataset'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
