"""Parquet and Arrow files are read a few rows at a time, and whatever is wrong with one ends in one message."""

from __future__ import annotations

import contextlib
import json
import random
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import public_layouts
import pyarrow
import pyarrow.parquet
import pytest

from editbench.benchmarks import columnar, stage
from editbench.benchmarks.benchmark import Benchmark
from editbench.benchmarks.columnar import Columnar
from editbench.errors import UserError

IMAGE = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])


def row(number: int = 0, **more: Any) -> dict[str, Any]:
    image = {"bytes": public_layouts.picture(), "path": "a.png"}
    return {"id": f"r{number}", "instruction": "Make it red.", "image": image, **more}


def parquet(path: Path, rows: list[dict[str, Any]], types: dict[str, Any] | None = None, **options: Any) -> Path:
    kinds = {"id": pyarrow.string(), "instruction": pyarrow.string(), "image": IMAGE, **(types or {})}
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, pyarrow.schema(kinds)), path, **options)
    return path


def load(source: Path, **options: Any) -> Benchmark:
    out = source.with_name(f"{source.name}-out")
    stage.import_benchmark(source, out=out, **options)
    return Benchmark.open(out)


def refusal(source: Path) -> str:
    with pytest.raises(UserError) as caught:
        load(source)
    return f"{caught.value}\n{caught.value.remedy}"


def test_a_table_may_be_parquet_with_its_pictures(tmp_path: Path) -> None:
    rows = [row(number) for number in range(20)]
    benchmark = load(parquet(tmp_path / "my.parquet", rows, row_group_size=7))
    assert [sample.id for sample in benchmark.samples] == [each["id"] for each in rows]
    assert [stored.read("source.png") for stored in benchmark.stored] == [each["image"]["bytes"] for each in rows]


def test_further_pictures_masks_references_and_paths(tmp_path: Path) -> None:
    public_layouts.put(tmp_path / "m.png")
    held = {"bytes": public_layouts.picture("JPEG"), "path": None}
    more = {"images": [held, held], "reference_image": public_layouts.picture(), "mask_image": {"bytes": None, "path": "m.png"}}
    types = {"images": pyarrow.list_(IMAGE), "reference_image": pyarrow.large_binary(), "mask_image": IMAGE}
    (stored,) = load(parquet(tmp_path / "my.parquet", [row(**more)], types)).stored
    assert [*stored.spans] == ["json", "mask.png", "reference.png", "source.png", "source2.jpg", "source3.jpg"]
    assert stored.read("mask.png") == (tmp_path / "m.png").read_bytes()


def test_a_picture_without_bytes_and_path_is_absent(tmp_path: Path) -> None:
    (stored,) = load(parquet(tmp_path / "my.parquet", [row(mask_image={})], {"mask_image": IMAGE})).stored
    assert [*stored.spans] == ["json", "source.png"]


def test_extra_columns_are_json_and_pictures_among_them_are_left_out_aloud(tmp_path: Path, capsys) -> None:
    more = {"day": date(2026, 1, 2), "price": Decimal("1.10"), "p": float("nan"), "n": None, "box": [1, 2], "raw": b"bytes"}
    kinds = {"day": pyarrow.date32(), "price": pyarrow.decimal128(5, 2), "p": pyarrow.float64(), "n": pyarrow.int64()}
    kinds |= {"box": pyarrow.list_(pyarrow.int64()), "raw": pyarrow.binary()}
    benchmark = load(parquet(tmp_path / "my.parquet", [row(**more)], kinds))
    assert benchmark.samples[0].extra == {"day": "2026-01-02", "price": "1.10", "box": [1, 2]}
    assert "left out, since only pictures can be bytes: raw" in capsys.readouterr().err


def test_files_of_a_folder_are_one_table(tmp_path: Path) -> None:
    for number in range(3):
        parquet(tmp_path / "set" / "data" / f"train-{number:05d}-of-00003.parquet", [row(number)])
    assert [sample.id for sample in load(tmp_path / "set").samples] == ["r0", "r1", "r2"]


def test_splits_are_not_mixed(tmp_path: Path) -> None:
    for name in ("train", "test"):
        parquet(tmp_path / "set" / f"{name}-00000-of-00001.parquet", [row()])
        parquet(tmp_path / "converted" / name / "0000.parquet", [row()])
    assert "has several splits: test, train" in refusal(tmp_path / "set")
    assert "has several splits: test, train" in refusal(tmp_path / "converted")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved/dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    assert "has several splits: train, test" in refusal(tmp_path / "saved")


def test_files_with_other_columns_are_not_mixed(tmp_path: Path) -> None:
    parquet(tmp_path / "set" / "a.parquet", [row()])
    parquet(tmp_path / "set" / "b.parquet", [row(n=1)], {"n": pyarrow.int64()})
    assert "b.parquet has other columns than" in refusal(tmp_path / "set")


@pytest.mark.parametrize("name", ["../x.arrow", "/etc/passwd", "..", "", None, 3])
def test_a_saved_data_set_names_no_file_elsewhere(tmp_path: Path, name: Any) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved/state.json").write_text(json.dumps({"_data_files": [{"filename": name}]}))
    assert f"names a file {name!r}" in refusal(tmp_path / "saved")


@pytest.mark.parametrize("name", ["../train", "..", "a/b"])
def test_a_saved_data_set_names_no_split_elsewhere(tmp_path: Path, name: str) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved/dataset_dict.json").write_text(json.dumps({"splits": [name]}))
    assert "Name the folder of one of them" in refusal(tmp_path / "saved")


def test_without_pyarrow_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = parquet(tmp_path / "my.parquet", [row()])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "needs pyarrow, which is not installed\nInstall it with: pip install 'editbench[parquet]'" in refusal(source)


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
@pytest.mark.parametrize("data", [b"", b"PAR1", b"\xff" * 500, b"ARROW1\0\0"])
def test_a_file_that_is_none_is_told(tmp_path: Path, suffix: str, data: bytes) -> None:
    (tmp_path / f"my{suffix}").write_bytes(data)
    assert "can't read " in refusal(tmp_path / f"my{suffix}")


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_a_file_with_other_bytes_is_read_or_refused(tmp_path: Path, suffix: str) -> None:
    """Without validation pyarrow follows the offsets of an Arrow file wherever they point."""
    whole, path, chance = (
        parquet(tmp_path / "whole.parquet", [row(n) for n in range(3)]),
        tmp_path / f"my{suffix}",
        random.Random(1),
    )
    if suffix == ".arrow":
        data = pyarrow.parquet.read_table(whole)
        with pyarrow.ipc.new_stream(tmp_path / "whole.arrow", data.schema) as writer:
            writer.write_table(data)
    good = (tmp_path / f"whole{suffix}").read_bytes()
    for _ in range(300):
        data = bytearray(good)
        for _ in range(chance.choice([1, 2, 8, 64])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        with contextlib.suppress(UserError):
            source = Columnar.at(path)
            assert all(where for where, _ in source.rows(source.columns))


def test_a_batch_of_an_arrow_file_is_handed_on_a_few_rows_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columnar, "ROWS", 2)
    data = pyarrow.Table.from_pylist([row(number) for number in range(5)])
    with pyarrow.ipc.new_stream(tmp_path / "my.arrow", data.schema) as writer:
        writer.write_table(data)
    assert [batch.num_rows for batch in columnar._File(tmp_path / "my.arrow")._batches(["id"])] == [2, 2, 1]
    assert [values["id"] for _, values in Columnar.at(tmp_path / "my.arrow").rows(["id"])] == [f"r{n}" for n in range(5)]
