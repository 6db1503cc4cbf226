"""Pictures that a table names."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from editbench.edits import Edits
from editbench.errors import UserError
from editbench.layouts.importing import import_edits
from editbench.paths import EditPaths

from .small import fill, picture


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return fill(tmp_path / "work", {f"out/{number}.png": picture(number) for number in range(3)})


def load(three: Path, table: Path, out: Path, **mapping: str) -> dict[str, bytes]:
    import_edits(three, table, layout="table", name="m", out=out, mapping=mapping, max_failures="2")
    stored = {entry.sample.id: entry.stored for entry in Edits.open(out).entries if entry.stored}
    return {name: each.read(each.edited) for name, each in stored.items()}


def test_ids_and_paths_beside_the_table_or_absolute(three: Path, pictures: Path, tmp_path: Path) -> None:
    rows = [{"id": "emu", "image_path": "out/1.png"}, {"id": "cat", "image_path": str(pictures / "out/2.png")}, {"id": "dog"}]
    (pictures / "table.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert load(three, pictures / "table.jsonl", tmp_path / "edits") == {"emu": picture(1), "cat": picture(2)}


def test_columns_of_any_name(three: Path, pictures: Path, tmp_path: Path) -> None:
    with open(pictures / "表.csv", "w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([("编号", "图片"), ("cat", "out/0.png")])
    assert load(three, pictures / "表.csv", tmp_path / "edits", id="编号", image_path="图片") == {"cat": picture(0)}


@pytest.mark.parametrize(
    ("rows", "mapping", "message"),
    [
        ([("cat", "out/0.png"), ("cat", "out/1.png")], {}, r"table\.csv:2: a second row for cat"),
        ([("cat", "out/0.png"), ("", "out/1.png")], {}, r"table\.csv:3: no id"),
        ([("cat", "out/0.png")], {"id": "nr"}, "lacks a column that is mapped: id=nr"),
        ([("cat", "out/0.png")], {"picture": "id"}, "nothing to map is called picture"),
        ([("bird", "out/0.png")], {}, "no picture of any sample: cat was looked for; there is bird"),
    ],
)
def test_what_is_wrong_with_a_table_is_told(
    rows: list, mapping: dict, message: str, three: Path, pictures: Path, tmp_path: Path
) -> None:
    with open(pictures / "table.csv", "w", newline="") as file:
        csv.writer(file).writerows([("id", "image_path"), *rows])
    with pytest.raises(UserError, match=message):
        load(three, pictures / "table.csv", tmp_path / "edits", **mapping)
    assert not (tmp_path / "edits").exists()


def test_a_row_of_no_sample_is_told_with_the_nearest(
    three: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open(pictures / "table.csv", "w", newline="") as file:
        csv.writer(file).writerows([("id", "image_path"), ("cat", "out/0.png"), ("dogg", "out/1.png")])
    load(three, pictures / "table.csv", tmp_path / "edits")
    assert capsys.readouterr().err.endswith("no sample is called dogg; the nearest that is missing: dog\n")


def test_a_picture_that_is_not_there_is_a_failure_that_names_it(three: Path, pictures: Path, tmp_path: Path) -> None:
    with open(pictures / "table.csv", "w", newline="") as file:
        csv.writer(file).writerows([("id", "image_path"), ("cat", "out/0.png"), ("dog", "out/9.png")])
    assert load(three, pictures / "table.csv", tmp_path / "edits") == {"cat": picture(0)}
    failures = [json.loads(line) for line in EditPaths(tmp_path / "edits").failures.read_text().splitlines()]
    assert [(row["id"], row["reason"]) for row in failures] == [("dog", "missing"), ("emu", "missing")]
    assert "9.png" in failures[0]["error"]


def test_a_table_of_paths_that_lead_nowhere_is_refused(three: Path, pictures: Path, tmp_path: Path) -> None:
    (pictures / "table.jsonl").write_text('{"id": "cat", "image_path": "0.png"}\n')
    with pytest.raises(UserError, match=r"no picture can be used; the first: can't read \S*work/0\.png"):
        load(three, pictures / "table.jsonl", tmp_path / "edits")
    assert not (tmp_path / "edits").exists()


def test_a_parquet_table_may_hold_the_pictures_themselves(three: Path, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [
        {"id": "cat", "image_path": {"bytes": picture(1), "path": "x.png"}},
        {"id": "emu", "image_path": {"bytes": picture(2)}},
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "table.parquet")
    assert load(three, tmp_path / "table.parquet", tmp_path / "edits") == {"cat": picture(1), "emu": picture(2)}
