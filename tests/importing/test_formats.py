"""Each public layout becomes the benchmark that it is, and what it is is seen without being said."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import public_layouts
import pytest
from processes import Command

from editbench.benchmarks import formats, stage
from editbench.benchmarks.benchmark import Benchmark
from editbench.benchmarks.format import Source
from editbench.benchmarks.formats import gedit, kris, rise
from editbench.errors import UserError
from editbench.paths import ReportPaths


@pytest.fixture(scope="session")
def gedit_rows() -> list[dict[str, Any]]:
    return public_layouts.gedit_rows()


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Benchmark]:
    def import_and_open(source: Path, **options: Any) -> Benchmark:
        stage.import_benchmark(source, out=tmp_path / "out", **options)
        return Benchmark.open(tmp_path / "out")

    return import_and_open


@pytest.fixture
def rise_table(tmp_path: Path) -> Path:
    """The JSON file of a miniature of RISEBench, in its folder."""
    (table,) = public_layouts.rise_folder(tmp_path / "rise").glob("*.json")
    return table


def by_id(benchmark: Benchmark) -> dict[str, Any]:
    return {sample.id: (sample, stored) for sample, stored in zip(benchmark.samples, benchmark.stored, strict=True)}


def test_gedit_keeps_its_names_languages_pictures_and_subset(load, gedit_rows, tmp_path) -> None:
    benchmark = load(public_layouts.gedit_parquet(tmp_path / "gedit", gedit_rows))
    for row, sample, stored in zip(gedit_rows, benchmark.samples, benchmark.stored, strict=True):
        assert sample.id == f"{row['task_type']}/{row['instruction_language']}/{row['key']}"
        assert (sample.category, sample.instruction) == (row["task_type"], row["instruction"])
        assert (sample.language, sample.extra) == (
            {"cn": "zh"}.get(row["instruction_language"], "en"),
            {"Intersection_exist": True},
        )
        assert stored.read("source.png") == row["input_image"]["bytes"]
    assert (benchmark.manifest.rubric, len(benchmark.samples)) == ("viescore", 22)


def test_rows_of_one_key_share_a_group_and_so_do_keys_of_one_picture(load, gedit_rows, tmp_path) -> None:
    rows = [dict(row) for row in gedit_rows[:6]]
    rows[1]["input_image"] = {"bytes": public_layouts.picture(), "path": None}  # the same picture, packed anew
    rows[4]["input_image"] = rows[5]["input_image"] = rows[2]["input_image"]
    groups = [sample.group for sample in load(public_layouts.gedit_parquet(tmp_path / "gedit", rows)).samples]
    assert groups[0] == groups[1] != groups[2]
    assert groups[2:] == [groups[2]] * 4


@pytest.mark.parametrize("split", [False, True])
def test_gedit_saved_to_disk_is_the_same_benchmark(load, gedit_rows, tmp_path, split) -> None:
    import datasets

    data = public_layouts.gedit_dataset(gedit_rows)
    (datasets.DatasetDict(train=data) if split else data).save_to_disk(tmp_path / "saved", num_shards=None if split else 2)
    stage.import_benchmark(public_layouts.gedit_parquet(tmp_path / "gedit", gedit_rows), out=tmp_path / "parquet", name="x")
    assert load(tmp_path / "saved", name="x").digest == Benchmark.open(tmp_path / "parquet").digest


def test_a_single_file_of_gedit_and_rows_without_the_subset_column(load, gedit_rows, tmp_path) -> None:
    rows = [{name: value for name, value in row.items() if name != "Intersection_exist"} for row in gedit_rows[:2]]
    data = public_layouts.gedit_dataset(gedit_rows[:2]).remove_columns("Intersection_exist")
    data.to_parquet(tmp_path / "some.parquet")
    assert [sample.extra for sample in load(tmp_path / "some.parquet").samples] == [{} for _ in rows]


def test_imgedit_has_its_keys_and_kinds_of_edit(load, tmp_path) -> None:
    root = public_layouts.imgedit_folder(tmp_path / "imgedit")
    benchmark = load(root)
    assert [sample.id for sample in benchmark.samples] == [str(number) for number in range(22, 31)]
    assert benchmark.manifest.categories == dict.fromkeys(sorted(formats.imgedit.CATEGORIES), 1)
    assert benchmark.stored[0].read("source.jpg") == (root / "singleturn/animal/000000022.jpg").read_bytes()
    assert benchmark.manifest.rubric == "imgedit"


def test_imgedit_by_its_file_with_pictures_elsewhere_and_an_older_name_of_a_kind(load, tmp_path) -> None:
    root = public_layouts.imgedit_folder(tmp_path / "imgedit")
    table = root / "basic_edit.json"
    table.write_text(table.read_text().replace('"adjust"', '"alter"'))
    (root / "singleturn").rename(tmp_path / "pictures")
    assert load(table, images=tmp_path / "pictures").manifest.categories["adjust"] == 1


def test_kris_has_several_inputs_references_and_explanations(load, tmp_path) -> None:
    benchmark = load(public_layouts.kris_folder(tmp_path / "kris"))
    samples = by_id(benchmark)
    assert [sample.category for sample in benchmark.samples] == sorted(kris.CATEGORIES)
    sample, stored = samples["temporal_prediction/1"]
    assert stored.images("source") == ["source.jpg", "source2.jpg", "source3.jpg"]
    assert (stored.images("reference"), sample.reference_text) == (["reference.jpg"], "")
    sample, stored = samples["multi-element_composition/1"]
    assert stored.images("source") == ["source.png", "source2.png"]
    assert sample.reference_text == "Because of multi-element_composition."
    assert benchmark.manifest.rubric == "kris"


@pytest.mark.parametrize("beside", [True, False])
def test_kris_as_one_list_is_the_same(load, tmp_path, beside) -> None:
    root = public_layouts.kris_folder(tmp_path / "kris")
    stage.import_benchmark(root, out=tmp_path / "folders", name="x")
    rows = []
    for category in sorted(kris.CATEGORIES):
        file = root / category / "annotation.json"
        rows += [{"id": int(name), "type": category, **entry} for name, entry in json.loads(file.read_text()).items()]
        file.unlink()
    table = (root if beside else tmp_path) / "final_data.json"
    table.write_text(json.dumps(rows))
    assert load(table, images=None if beside else root, name="x").digest == Benchmark.open(tmp_path / "folders").digest


def test_one_category_of_kris(load, tmp_path) -> None:
    root = public_layouts.kris_folder(tmp_path / "kris")
    assert [sample.id for sample in load(root / "biology").samples] == ["biology/1"]


def test_rise_takes_nan_for_absent_and_keeps_each_kind_of_reference(load, tmp_path) -> None:
    benchmark = load(public_layouts.rise_folder(tmp_path / "rise"))
    samples = by_id(benchmark)
    assert [sample.extra for sample in benchmark.samples][:2] == [
        {"subtask": "part"},
        {"subtask": "part", "consistency_free": "True"},
    ]
    assert samples["causal_reasoning_1"][0].reference_text == "It is causal_reasoning."
    assert samples["logical_reasoning_1"][0].reference_text == "B"
    assert samples["logical_reasoning_2"][1].images("reference") == ["reference.png"]
    assert benchmark.manifest.rubric == "rise"


def test_several_input_pictures_of_rise(load, rise_table) -> None:
    rows = json.loads(rise_table.read_text())
    rows[0]["image"] = [rows[0]["image"], rows[1]["image"]]
    rise_table.write_text(json.dumps(rows))
    assert load(rise_table).stored[0].images("source") == ["source.png", "source2.png"]


def test_what_was_recognised_is_said(load, rise_table, capsys) -> None:
    load(rise_table.parent)
    assert "rise is read as rise: a JSON list with the fields of RISEBench" in capsys.readouterr().out


def test_each_source_is_recognised(gedit_rows, tmp_path, work, table) -> None:
    sources = {
        "gedit": public_layouts.gedit_parquet(tmp_path / "gedit", gedit_rows[:2], files=1),
        "imgedit": public_layouts.imgedit_folder(tmp_path / "imgedit") / "basic_edit.json",
        "kris": public_layouts.kris_folder(tmp_path / "kris"),
        "rise": public_layouts.rise_folder(tmp_path / "rise"),
        "folder": public_layouts.own_folder(tmp_path / "folder"),
        "table": public_layouts.own_csv(tmp_path / "own"),
    }
    assert {name: formats.recognise(Source(path))[0].name for name, path in sources.items()} == {name: name for name in sources}


def test_a_source_of_no_format_is_told_and_how_to_say_which(tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="is of no format that is known") as caught:
        stage.import_benchmark(tmp_path / "empty", out=tmp_path / "out")
    assert "--format: gedit, imgedit, kris, rise, folder, table" in caught.value.remedy


def test_a_benchmark_that_was_imported_is_no_table(benchmark, tmp_path) -> None:
    with pytest.raises(UserError, match="five holds shards of editbench already"):
        stage.import_benchmark(benchmark, out=tmp_path / "out")


def test_a_table_that_looks_public_can_be_read_as_a_table(load, rise_table) -> None:
    rise_table.write_text(rise_table.read_text().replace("NaN", "null"))
    benchmark = load(rise_table, format="table", images=rise_table.parent / "data", mapping={"id": "index"})
    assert (benchmark.manifest.rubric, "reference" in benchmark.samples[0].extra) == (None, True)


def test_the_manifest_of_a_benchmark_without_a_protocol_says_nothing_of_one(load, tmp_path) -> None:
    root = load(public_layouts.own_folder(tmp_path / "folder")).root
    assert "rubric" not in json.loads((root / "manifest.json").read_bytes())


# ---- against the public release


def release(kind: str, lost: tuple[str, str] | None = None) -> Counter[tuple[str, str]]:
    public = formats.FORMATS[kind].release
    languages = public.languages or ("en",)
    counts = Counter({(name, spoken): number or 60 for name, number in public.categories.items() for spoken in languages})
    if kind == "kris":
        counts["biology", "en"] += public.samples - counts.total()
    if lost:
        counts[lost] -= 1
    return counts


@pytest.mark.parametrize(("kind", "total"), [("gedit", "1,212"), ("imgedit", "737"), ("kris", "1,267"), ("rise", "360")])
def test_a_whole_release_is_told_as_such(kind, total) -> None:
    public = formats.FORMATS[kind].release
    assert public.compare(release(kind), ()) == (f"{total} of {total} rows of {public.name}", False)


def test_a_missing_row_is_named_by_the_id_of_its_twin() -> None:
    counts = release("gedit", lost=("text_change", "zh"))
    said, differs = gedit.FORMAT.release.compare(counts, ("text_change/en/a", "text_change/cn/b", "text_change/en/b"))
    assert differs
    assert said == "1,211 of 1,212 rows of GEdit-Bench; missing: text_change/cn/a"


def test_missing_rows_are_counted_where_their_names_are_not_known() -> None:
    said, _ = gedit.FORMAT.release.compare(release("gedit", lost=("text_change", "zh")), ())
    assert said == "1,211 of 1,212 rows of GEdit-Bench; missing: 1 of 99 text_change (zh)"


def test_rows_that_are_in_no_release_are_told_and_a_category_that_is_gone() -> None:
    counts = release("kris")
    counts["medicine", "en"], counts["astronomy", "en"] = 0, 3
    assert kris.FORMAT.release.compare(counts, ())[0] == (
        "1,210 of 1,267 rows of KRIS-Bench; missing: all medicine; not in the release: 3 astronomy"
    )


def test_differences_are_told_and_stop_nothing(load, rise_table, capsys) -> None:
    assert load(rise_table).samples
    said = " ".join(capsys.readouterr().err.split())
    assert "warning: 8 of 360 rows of RISEBench; missing: 83 of 85 temporal_reasoning" in said
    assert rise.FORMAT.release.samples == 360


# ---- what is wrong with a source


def refusal(source: Path, out: Path, **options: Any) -> str:
    with pytest.raises(UserError) as caught:
        stage.import_benchmark(source, out=out, **options)
    assert not out.exists()
    return f"{caught.value}\n{caught.value.remedy}"


@pytest.mark.parametrize("kind", ["gedit", "imgedit", "kris", "rise", "folder"])
def test_a_source_of_another_format_than_said_is_refused(kind, table, tmp_path) -> None:
    source = table({"id": "a", "image": "red.png", "instruction": "x"})
    assert "\n" in refusal(source, tmp_path / "out", format=kind)


def test_a_broken_public_table_says_where_it_is_broken(tmp_path) -> None:
    (tmp_path / "rise.json").write_text('[\n{"index": "a", }]')
    assert "rise.json:2: not JSON" in refusal(tmp_path / "rise.json", tmp_path / "out", format="rise")


def test_a_bad_row_among_good_ones_is_named(rise_table, tmp_path) -> None:
    rows = json.loads(rise_table.read_text())
    rows[1:4] = [7, {**rows[2], "image": {"x": 1}}, {**rows[3], "instruction": float("nan")}]
    rise_table.write_text(json.dumps(rows))
    said = refusal(rise_table.parent, tmp_path / "out")
    assert f"{rise_table} row 2: not an object with columns but 7" in said
    assert f"{rise_table} row 3: image is not a picture or its path but " in said
    assert f"{rise_table} row 4: no instruction" in said


def test_columns_of_a_public_benchmark_are_not_mapped(rise_table, tmp_path) -> None:
    assert "can't be mapped" in refusal(rise_table, tmp_path / "out", mapping={"id": "index"})


def test_two_lists_in_one_folder_are_not_mixed(rise_table, tmp_path) -> None:
    (rise_table.parent / "data_total.json").write_bytes(rise_table.read_bytes())
    assert "has several lists of samples" in refusal(rise_table.parent, tmp_path / "out")


def test_a_gedit_without_a_column_says_which(gedit_rows, tmp_path) -> None:
    public_layouts.gedit_dataset(gedit_rows[:2]).remove_columns("task_type").to_parquet(tmp_path / "x.parquet")
    assert "lacks columns of GEdit-Bench: task_type" in refusal(tmp_path / "x.parquet", tmp_path / "out", format="gedit")


def test_a_gedit_without_rows_is_refused(gedit_rows, tmp_path) -> None:
    public_layouts.gedit_dataset(gedit_rows[:1]).select([]).to_parquet(tmp_path / "x.parquet")
    assert "x.parquet has no rows" in refusal(tmp_path / "x.parquet", tmp_path / "out")


def test_a_broken_picture_in_a_parquet_file_is_named_by_its_row(gedit_rows, tmp_path) -> None:
    rows = [*gedit_rows[:2], {**gedit_rows[2], "input_image": {"bytes": b"no picture", "path": None}}]
    public_layouts.gedit_dataset(rows).to_parquet(tmp_path / "x.parquet")
    assert "x.parquet row 3: input_image is not a picture" in refusal(tmp_path / "x.parquet", tmp_path / "out")


# ---- to a report


@pytest.mark.parametrize(
    ("kind", "headline"),
    [("gedit", "4.00"), ("imgedit", "4.00"), ("kris", "75.0"), ("rise", "75.0"), ("table", ""), ("folder", "")],
)
def test_every_format_goes_through_to_a_report(kind, headline, gedit_rows, tmp_path) -> None:
    make = {
        "gedit": lambda root: public_layouts.gedit_parquet(root, gedit_rows),
        "imgedit": public_layouts.imgedit_folder,
        "kris": public_layouts.kris_folder,
        "rise": public_layouts.rise_folder,
        "table": public_layouts.own_csv,
        "folder": public_layouts.own_folder,
    }[kind]
    bench, edits, scores, report = (str(tmp_path / name) for name in ("bench", "edits", "scores", "report"))
    mapping = [f"{name}={column}" for name, column in public_layouts.OWN_COLUMNS.items()] if kind == "table" else []
    source = make(tmp_path / "source")
    commands = [
        ["import", str(source), "--out", bench, *(part for pair in mapping for part in ("--map", pair))],
        ["edit", bench, "--model", "copy", "--out", edits, "--nproc", "1"],
        ["score", edits, "--model", "stand_ins:Content", "--out", scores, "--nproc", "1"],
        ["report", scores, "--out", report, "--no-html", "--no-figures", "--resamples", "100"],
    ]
    said = ""
    for command in commands:
        if command[0] == "edit":
            assert (f"--rubric {Benchmark.open(Path(bench)).manifest.rubric}," in said) == (kind not in ("table", "folder"))
        if command[0] == "score":
            command += [] if Benchmark.open(Path(bench)).manifest.rubric else ["--rubric", "viescore"]
        status, said = Command(command).run()
        assert status == 0, said
    document = json.loads(ReportPaths(Path(report)).json.read_bytes())
    assert document["runs"][0]["overall"]["micro"]["mean"] == pytest.approx(4)
    assert headline in said
