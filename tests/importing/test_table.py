"""A table of one's own becomes a benchmark, or every wrong row is named and nothing is written."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import public_layouts
import pytest

from editbench import images
from editbench.benchmarks import stage
from editbench.benchmarks.benchmark import Benchmark
from editbench.errors import UserError

ROW = {"id": "a", "image": "red.png", "instruction": "Make it blue."}


def load(source: Path, **options) -> Benchmark:
    """Import `source` beside itself and open the result."""
    out = source.parent / "out"
    stage.import_benchmark(source, format="jsonl", out=out, **options)
    return Benchmark.open(out)


def refusal(source: Path, **options) -> str:
    """What the import says, having made sure that it left nothing behind."""
    before = sorted(source.parent.parent.rglob("*"))
    with pytest.raises(UserError) as caught:
        stage.import_benchmark(source, **{"format": "jsonl", "out": source.parent / "new" / "out", **options})
    assert sorted(source.parent.parent.rglob("*")) == before
    return f"{caught.value}\n{caught.value.remedy}"


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".tsv"])
def test_every_kind_of_table_gives_the_same_sample(table, suffix):
    row = {**ROW, "category": "color", "reference_text": "Blue.", "group": "g", "language": "en", "note": "n"}
    sample = load(table(row, suffix=suffix)).samples[0]
    assert (sample.key, sample.id, sample.instruction, sample.category) == ("a", "a", "Make it blue.", "color")
    assert (sample.reference_text, sample.group, sample.language, sample.extra) == ("Blue.", "g", "en", {"note": "n"})


def test_table_with_chinese_columns(tmp_path):
    source = public_layouts.own_csv(tmp_path / "own")
    stage.import_benchmark(source, out=tmp_path / "out", mapping=public_layouts.OWN_COLUMNS)
    sample = Benchmark.open(tmp_path / "out").samples[0]
    assert (sample.id, sample.category, sample.language, sample.extra) == ("样本1", "环境", "zh", {"备注": "第1行"})
    assert sample.instruction == "把背景换成雪山"


def test_the_one_table_in_a_folder(table, work):
    table(ROW)
    for path in work.glob("*.bmp"):
        path.unlink()
    stage.import_benchmark(work, format="table", out=work / "new" / "out")
    assert Benchmark.open(work / "new" / "out").samples[0].id == "a"


def test_a_picture_as_the_datasets_library_writes_it(table, work):
    row = {**ROW, "image": {"bytes": None, "path": "red.png"}, "mask_image": "blue.jpg"}
    (entry,) = load(table(row)).stored
    assert (entry.read("source.png"), entry.images("mask")) == ((work / "red.png").read_bytes(), ["mask.jpg"])


def test_json_object_with_one_list_is_a_table(work):
    (work / "table.json").write_text('{"version": 2, "data": [{"id": 7, "image": "red.png", "instruction": "x"}]}')
    assert load(work / "table.json").samples[0].id == "7"


@pytest.mark.parametrize("suffix", [".jsonl", ".json"])
def test_integers_keep_all_digits(work, suffix):
    large = "12345678901234567890123"
    row = (
        f'{{"id": {large}, "image": "red.png", "instruction": "x", "n": {large}, "exact": [18446744073709551615, -7, {large}]}}'
    )
    (work / f"table{suffix}").write_text(f"[{row}]" if suffix == ".json" else row)
    sample = load(work / f"table{suffix}").samples[0]
    assert (sample.id, sample.key, sample.extra) == (large, large, {"n": large, "exact": [18446744073709551615, -7, large]})


def test_a_cell_of_csv_may_be_long(table):
    text = "paint it blue, " * 20_000
    assert load(table({**ROW, "instruction": text}, suffix=".csv")).samples[0].instruction == text


def test_values_may_be_nested_as_deep_as_a_record_holds_them(work):
    value = "[" * 251 + "]" * 251
    (work / "table.jsonl").write_text(f'{{"id": "a", "image": "red.png", "instruction": "x", "n": {value}}}')
    assert len(str(load(work / "table.jsonl").samples[0].extra["n"])) == len(value)


def test_defaults_of_what_the_table_does_not_say(table, work):
    sample = load(table({**ROW, "category": None, "note": None})).samples[0]
    digest = hashlib.sha256((work / "red.png").read_bytes()).hexdigest()
    assert (sample.category, sample.language, sample.group, sample.extra) == ("uncategorized", "en", digest[:16], {})


@pytest.mark.parametrize(
    ("instruction", "said", "expected"),
    [("x", None, "en"), ("变成蓝色", None, "zh"), ("Write 春 on it", None, "zh"), ("x", "cn", "zh"), ("x", "EN", "en")],
)
def test_language_is_said_or_seen(table, instruction, said, expected):
    assert load(table({**ROW, "instruction": instruction, "language": said})).samples[0].language == expected


def test_pictures_go_in_byte_for_byte(table, work):
    rows = [{**ROW, "id": name, "image": name} for name in ("red.png", "blue.jpg", "green.webp")]
    stored = load(table(*rows)).stored
    assert [entry.images("source") for entry in stored] == [["source.png"], ["source.jpg"], ["source.webp"]]
    assert [entry.read(entry.images("source")[0]) for entry in stored] == [(work / row["image"]).read_bytes() for row in rows]


def test_other_kinds_of_picture_become_png(table, work):
    (entry,) = load(table({**ROW, "image": "grey.bmp"})).stored
    there, here = (work / "grey.bmp").read_bytes(), entry.read("source.png")
    assert images.suffix(here, "x") == "png"
    assert np.array_equal(images.decode(here, "x"), images.decode(there, "x"))


@pytest.mark.parametrize("further", [["blue.jpg", "green.webp"], "blue.jpg; green.webp"])
def test_further_pictures_and_a_reference(table, further):
    (entry,) = load(table({**ROW, "images": further, "reference_image": "grey.bmp"})).stored
    assert entry.images("source") == ["source.png", "source2.jpg", "source3.webp"]
    assert entry.images("reference") == ["reference.png"]


def test_csv_with_quoted_lines_and_a_nameless_index(table):
    rows = [{"": 0, **ROW, "instruction": "two\nlines"}, {"": 1, **ROW, "id": "b", "image": "none.png"}]
    assert "table.csv:4: can't read" in refusal(table(*rows, suffix=".csv"))
    sample = load(table(rows[0], suffix=".csv")).samples[0]
    assert (sample.instruction, sample.extra) == ("two\nlines", {})


def test_columns_can_be_mapped(table):
    source = table({"key": "k", "en": "Make it blue.", "cn": "变蓝", "image": "red.png"})
    sample = load(source, mapping={"id": "key", "instruction": "en"}).samples[0]
    assert (sample.id, sample.instruction, sample.extra) == ("k", "Make it blue.", {"cn": "变蓝"})


def test_pictures_are_looked_up_in_the_folder_given(table, work, tmp_path):
    (work / "red.png").rename(tmp_path / "elsewhere.png")
    assert "elsewhere.png" in refusal(table({**ROW, "image": "elsewhere.png"}))
    assert load(table({**ROW, "image": "elsewhere.png"}), images=tmp_path).samples


def test_absolute_picture_path_stands_for_itself(table, work, tmp_path):
    assert load(table({**ROW, "image": str(work / "red.png")}), images=tmp_path).samples


def test_name_of_the_benchmark_is_given_or_the_folders(table, work):
    assert load(table(ROW)).name == "out"
    stage.import_benchmark(table(ROW), format="jsonl", out=work / "other", name="mine")
    assert Benchmark.open(work / "other").name == "mine"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({**ROW, "image": "none.png"}, r"can't read \S*none\.png"),
        ({**ROW, "image": "broken.png"}, r"broken\.png is broken"),
        ({**ROW, "image": "table.jsonl"}, r"table\.jsonl is not a picture"),
        ({**ROW, "image": "."}, "can't read"),
        ({**ROW, "image": "a\0b"}, "can't read"),
        ({**ROW, "image": ""}, "no image"),
        ({**ROW, "reference_image": "none.png"}, r"can't read \S*none\.png"),
        ({**ROW, "images": ["none.png"]}, r"can't read \S*none\.png"),
        ({**ROW, "images": 3}, "images is not a picture or its path but 3"),
        ({**ROW, "instruction": " "}, "no instruction"),
        ({**ROW, "instruction": ["x"]}, r'instruction is not text but \["x"\]'),
        ({**ROW, "id": None}, "no id"),
        ({**ROW, "id": "first"}, r"id first is taken by \S*table\.jsonl:1"),
        ('{"id": "a", ', "not JSON: .* at column 13"),
        (
            '{"id": "a", "image": "red.png", "instruction": "x", "id": "b"}',
            'columns with the same name: id .*begins {"id": "a"',
        ),
        ('{"id": "a", "n": [{"x": 1, "y": 2, "x": 3}]}', 'columns with the same name: x .*begins {"x": 1'),
        ('{"id": "a", "n": NaN}', "not JSON"),
        ('{"id": "a", "n": "\\ud800"}', "not JSON"),
        ('{"id": "a", "n": ' + "[" * 253 + "]" * 253 + "}", "values are nested too deeply"),
        ('{"id": "a", "n": ' + "[" * 1020 + "]" * 1020 + "}", "values are nested too deeply"),
        ("[1]", r"not an object with columns but \[1\]"),
        ("{}", "not an object with columns"),
    ],
)
def test_bad_row_is_named_by_file_and_line(table, row, problem):
    message = refusal(table({**ROW, "id": "first"}, "", row))
    assert message.startswith("1 problem in the 2 rows of")
    assert re.search(rf"table\.jsonl:3: .*{problem}", message), message


def test_bad_row_of_a_json_list_is_named_by_its_number(table):
    assert "table.json row 2: no instruction" in refusal(table(ROW, {**ROW, "id": "b", "instruction": ""}, suffix=".json"))


def test_csv_row_of_another_length_is_named(work):
    (work / "table.csv").write_text("id,image,instruction\na,red.png,x\nb,red.png,too,many\n")
    assert "table.csv:3: 4 cells where the header has 3" in refusal(work / "table.csv")


def test_first_twenty_problems_are_listed_and_the_rest_counted(table):
    message = refusal(table(*({**ROW, "id": str(number), "image": "none.png"} for number in range(25))))
    assert message.startswith("25 problems in the 25 rows")
    assert message.count("can't read") == 20
    assert "and 5 more" in message


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("table.txt", "x", "is not a table"),
        ("table.jsonl", "", "has no rows"),
        ("table.csv", "id,image,instruction\n,,\n", "has no rows"),
        ("table.json", "[", r"table.json:1: not JSON"),
        ("table.json", '{"a": [], "b": []}', "neither a list of objects nor an object with one list"),
        ("table.csv", "id,id\n1,2\n", "columns with the same name: id"),
        ("table.json", '{"a": [{"id": 1}], "a": []}', "columns with the same name: a"),
        ("table.json", '[{"id": 1}, {"id": 2, "b": 1, "b": 2}]', 'same name: b (in the object that begins {"id": 2)'),
        ("table.csv", 'id,image,instruction\na,"b"c,d\n', "table.csv:2: not CSV"),
        ("table.jsonl", '{"id": "a", "picture": "red.png", "en": "x"}', "has no column image, instruction"),
    ],
)
def test_table_that_is_wrong_as_a_whole(work, name, text, problem):
    (work / name).write_text(text)
    assert problem in refusal(work / name)


def test_table_in_another_encoding_is_refused(work):
    (work / "table.csv").write_bytes("id,image,instruction\na,red.png,变蓝\n".encode("gb18030"))
    assert "table.csv is not UTF-8" in refusal(work / "table.csv")


def test_missing_columns_come_with_the_way_to_map_them(table):
    message = refusal(table({"key": "k", "image": "red.png", "instruction": "x"}))
    assert "Its columns: image, instruction, key. Say which one it is: --map id=COLUMN" in message


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"mapping": {"prompt": "en"}}, "nothing to map is called prompt"),
        ({"mapping": {"instruction": "english"}}, "lacks a column that is mapped: instruction=english"),
        ({"format": "nosuch"}, "no benchmark format nosuch\nKnown: gedit, imgedit, kris, rise, folder, table, jsonl"),
        ({"images": Path("nowhere")}, "no picture folder nowhere"),
    ],
)
def test_wrong_usage_is_named(table, options, problem):
    assert problem in refusal(table(ROW), **options)


def test_source_that_is_not_there(work):
    assert "no " in refusal(work / "nosuch.jsonl")
