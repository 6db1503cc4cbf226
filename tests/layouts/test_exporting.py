"""Edits and scores as the public benchmarks' own scripts expect them."""

from __future__ import annotations

import csv
import io
import json
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from editbench import images
from editbench.benchmarks.benchmark import Benchmark
from editbench.errors import UserError
from editbench.layouts.exporting import export
from editbench.layouts.importing import import_edits

from .small import PATHS, fill, judged, picture, write_bench

Make = Callable[..., Path]


@pytest.fixture
def edits(bench: Path, layout: str, tmp_path: Path) -> Path:
    """Edits of the layout's benchmark, the last of which failed."""
    sent = fill(tmp_path / "sent", {name: picture(number) for number, name in enumerate([*PATHS[layout].values()][:-1])})
    import_edits(bench, sent, layout=layout, name="their-model", out=tmp_path / "edits", max_failures="1")
    return tmp_path / "edits"


def names(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def texts(root: Path) -> dict[str, str]:
    return {name: (root / name).read_text("utf-8") for name in names(root)}


def test_pictures_lie_where_the_scripts_look_and_nothing_else_does(edits: Path, layout: str, tmp_path: Path) -> None:
    wanted = [*PATHS[layout].values()][:-1]
    beside = {"gedit": [f"{name[:-4]}_SRCIMG.png" for name in wanted], "files": ["edits.csv"]}.get(layout, [])
    said = export(edits, layout=layout, out=tmp_path / "out")
    assert names(tmp_path / "out") == sorted([*wanted, *beside])
    assert said.startswith("2 pictures of their-model")
    assert said.endswith("1 sample without an edit")


def test_gedit_has_the_source_beside_each_edit(tmp_path: Path) -> None:
    bench = write_bench(tmp_path / "bench", [*PATHS["gedit"]])
    sent = fill(tmp_path / "sent", dict.fromkeys(PATHS["gedit"].values(), picture("red")))
    import_edits(bench, sent, layout="gedit", name="m", out=tmp_path / "edits")
    export(tmp_path / "edits", layout="gedit", out=tmp_path / "out")
    source = (tmp_path / "out/fullset/subject-add/cn/4a7d_SRCIMG.png").read_bytes()
    assert source == Benchmark.open(bench).stored[1].read("source.png")


@pytest.mark.parametrize(
    ("layout", "kind", "file", "written"),
    [
        ("kris", "PNG", "c/cat.jpg", "JPEG"),
        ("imgedit", "JPEG", "cat.png", "PNG"),
        ("rise", "WEBP", "images/c/cat.png", "PNG"),
        ("rise", "JPEG", "images/c/cat.jpg", "JPEG"),
        ("files", "WEBP", "cat.webp", "WEBP"),
    ],
)
def test_pictures_are_of_the_kind_that_their_name_says(layout: str, kind: str, file: str, written: str, tmp_path: Path) -> None:
    bench, sent = write_bench(tmp_path / "bench", [("cat", "c", "en")]), picture((200, 30, 30), kind)
    import_edits(bench, fill(tmp_path / "sent", {"cat.png": sent}), layout="files", name="m", out=tmp_path / "edits")
    said = export(tmp_path / "edits", layout=layout, out=tmp_path / "out")
    data = (tmp_path / "out" / file).read_bytes()
    assert (data == sent) == (kind == written) == ("became" not in said)
    after, before = images.decode(data, ""), images.decode(sent, "")
    assert images.suffix(data, "") == {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}[written]
    assert max(abs(a - b) for a, b in zip(after.getpixel((5, 5)), before.getpixel((5, 5)), strict=True)) <= 3


def test_plain_files_come_with_a_table_of_which_is_which(tmp_path: Path) -> None:
    bench = write_bench(tmp_path / "bench", [("=cmd/1", "a", "en"), ("猫", "b", "zh")])
    first = Benchmark.open(bench).samples[0].key
    import_edits(
        bench,
        fill(tmp_path / "sent", {f"{first}.png": picture("red")}),
        layout="files",
        name="m",
        out=tmp_path / "edits",
        max_failures="1",
    )
    export(tmp_path / "edits", layout="files", out=tmp_path / "out")
    data = (tmp_path / "out/edits.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    rows = [*csv.DictReader(io.StringIO(data.decode("utf-8-sig")))]
    assert [(row["key"], row["image_path"], row["id"], row["category"], row["instruction"]) for row in rows] == [
        (first, f"{first}.png", "'=cmd/1", "a", "edit =cmd/1"),
        (Benchmark.open(bench).samples[1].key, "", "猫", "b", ""),
    ]
    import_edits(
        bench,
        tmp_path / "out/edits.csv",
        layout="table",
        name="m",
        out=tmp_path / "two",
        mapping={"id": "key"},
        max_failures="1",
    )


def test_scores_in_the_record_of_gedit(make_scores: Make, tmp_path: Path) -> None:
    rows = [
        judged("subject-add/en/4a7d", "subject-add", steps={"sc": 4.0, "pq": 9.0}, subsets=["Intersection_exist"]),
        judged("subject-add/cn/4a7d", "subject-add", "zh", steps={"sc": 2.5, "pq": 8.0}),
        judged("subject-add/en/0", "subject-add", status="unparsed"),
        judged("ps_human/en/1", "ps_human", steps={"sc": 0.0, "pq": 10.0}),
    ]
    said = export(make_scores(rows), layout="gedit", out=tmp_path / "my-model")
    assert said == "4 samples judged by judge-7b with rubric viescore; 1 sample without a score"
    folder = "qwen25vl/eval_results_new"
    assert names(tmp_path / "my-model") == [f"{folder}/my-model_{task}_gpt_score.csv" for task in ("ps_human", "subject-add")]
    with open(tmp_path / "my-model" / folder / "my-model_subject-add_gpt_score.csv", newline="") as file:
        table = [*csv.DictReader(file)]
    assert [row["sementics_score"] + " " + row["quality_score"] for row in table] == ["4.0 9.0", "2.5 8.0"]
    assert [(row["intersection_exist"], row["instruction_language"]) for row in table] == [("True", "en"), ("False", "zh")]
    assert table[1]["edited_image"] == "fullset/subject-add/cn/4a7d.png"


def test_scores_in_the_record_of_imgedit(make_scores: Make, tmp_path: Path) -> None:
    numbers = {"prompt_compliance": 4.0, "visual_seamlessness": 3.0, "physical_and_detail_fidelity": 5.0}
    rows = [judged("1082", "adjust", criteria=numbers), judged("12", "style", status="refused")]
    export(make_scores(rows), layout="imgedit", out=tmp_path / "out")
    assert json.loads(texts(tmp_path / "out")["result.json"]) == {
        "1082": "Prompt Compliance: 4\nVisual Seamlessness: 3\nPhysical & Detail Fidelity: 5",
        "12": "refused",
    }


def test_scores_in_the_record_of_kris(make_scores: Make, tmp_path: Path) -> None:
    rows = [
        judged("biology/1", "biology", criteria={"consistency": 5.0, "quality": 4.5, "instruction": 2.0, "knowledge": 1.0}),
        judged("biology/2", "biology", status="error"),
        judged("count_change/1", "count_change", criteria={"consistency": 5.0, "quality": 4.0, "instruction": 3.0}),
    ]
    export(make_scores(rows), layout="kris", out=tmp_path / "out")
    record = {name: json.loads(text) for name, text in texts(tmp_path / "out").items()}
    common = {"consistency_score": 5, "instruction_score": 2, "knowledge_score": 1, "quality_score": 4.5}
    assert record == {
        "biology/metrics.json": {"1": common},
        "count_change/metrics.json": {"1": {"consistency_score": 5, "instruction_score": 3, "quality_score": 4}},
    }


def test_scores_in_the_record_of_rise(make_scores: Make, tmp_path: Path) -> None:
    every = {"appearance_consistency": 4.0, "instruction_reasoning": 5.0, "visual_plausibility": 3.0}
    free = {name: value for name, value in every.items() if name != "appearance_consistency"}
    rows = [
        judged("temporal_reasoning_1", "temporal_reasoning", criteria=every),
        judged("spatial_reasoning_2", "spatial_reasoning", criteria=free),
        judged(
            "logical_reasoning_3", "logical_reasoning", criteria={"appearance_consistency": 5.0, "instruction_reasoning": 1.0}
        ),
        judged("logical_reasoning_4", "logical_reasoning", status="edit_failed"),
        judged("causal_reasoning_5", "causal_reasoning", status="unparsed"),
    ]
    export(make_scores(rows), layout="rise", out=tmp_path / "my-model")
    record = pickle.loads((tmp_path / "my-model/my-model.pkl").read_bytes())
    assert record == {
        "temporal_reasoning_1": {"judge1": "Final Score: 4", "judge2": "Final Score: 5", "judge3": "Final Score: 3"},
        "spatial_reasoning_2": {"judge1": None, "judge2": "Final Score: 5", "judge3": "Final Score: 3"},
        "logical_reasoning_3": {"judge1": "Final Score: 1", "judge2": "Final Score: 0"},
        "logical_reasoning_4": {"judge1": "", "judge2": ""},
        "causal_reasoning_5": {"judge1": "", "judge2": "", "judge3": ""},
    }


def test_scores_for_people_are_a_table(make_scores: Make, tmp_path: Path) -> None:
    rows = [judged("a", "c", criteria={"x": 4.0}, steps={"s": 1.5}), judged("b", "c", status="unparsed")]
    export(make_scores(rows), layout="files", out=tmp_path / "out")
    assert texts(tmp_path / "out")["scores.csv"].lstrip("\ufeff").splitlines() == [
        "key,score,id,category,language,group,status,x,s",
        "a,1.0,a,c,en,g,ok,4.0,1.5",
        "b,,b,c,en,g,unparsed,,",
    ]


@pytest.mark.parametrize("layout", ["imgedit", "rise"])
def test_a_script_that_reads_whole_numbers_is_given_no_others(layout: str, make_scores: Make, tmp_path: Path) -> None:
    rows = [judged("a", "adjust", criteria={"prompt_compliance": 3.5, "appearance_consistency": 3.5})]
    with pytest.raises(UserError, match=r"sample a: \w+ is 3\.5, and the scripts of \w+ read whole numbers"):
        export(make_scores(rows), layout=layout, out=tmp_path / "out")


def test_the_answer_to_a_puzzle_is_yes_or_no(make_scores: Make, tmp_path: Path) -> None:
    rows = [judged("a", "logical_reasoning", criteria={"appearance_consistency": 5.0, "instruction_reasoning": 3.0})]
    with pytest.raises(UserError, match=r"instruction_reasoning is 0\.5"):
        export(make_scores(rows), layout="rise", out=tmp_path / "out")


@pytest.mark.parametrize("layout", ["gedit", "imgedit", "kris", "rise"])
def test_scores_of_another_protocol_are_refused(layout: str, make_scores: Make, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"sample a was scored on beauty, not on"):
        export(make_scores([judged("a", "c", criteria={"beauty": 3.0})]), layout=layout, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_scores_that_were_changed_are_refused(make_scores: Make, tmp_path: Path) -> None:
    scores = make_scores([judged("a", "c")])
    (scores / "scores.jsonl").write_bytes(b"")
    with pytest.raises(UserError, match="is not as its manifest says"):
        export(scores, layout="files", out=tmp_path / "out")


@pytest.mark.parametrize("name", ["../precious", "/etc/passwd", "a\\b"])
def test_hostile_names_write_nothing(name: str, make_scores: Make, tmp_path: Path) -> None:
    scores = make_scores([judged("a", name, steps={"sc": 1.0, "pq": 1.0}, criteria={"consistency": 3.0})])
    for layout in ("gedit", "kris"):
        with pytest.raises(UserError, match="can be no path of a file"):
            export(scores, layout=layout, out=tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["scores"]


def test_what_can_not_be_exported_is_refused(three: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no layout table to write"):
        export(three, layout="table", out=tmp_path / "out")
    with pytest.raises(UserError, match="is a benchmark"):
        export(three, layout="files", out=tmp_path / "out")
    with pytest.raises(UserError, match="holds no finished edits or scores"):
        export(tmp_path, layout="files", out=tmp_path / "out")
    with pytest.raises(UserError, match="is there already"):
        export(tmp_path, layout="files", out=three)


def test_an_export_that_is_killed_leaves_nothing(three: Path, tmp_path: Path) -> None:
    sent = fill(tmp_path / "sent", {f"{name}.png": picture("red") for name in ("cat", "dog", "emu")})
    import_edits(three, sent, layout="files", name="m", out=tmp_path / "edits")
    code = (
        "import os, signal; from pathlib import Path; from editbench.layouts.files import Files;"
        "Files.listing = lambda *_: os.kill(os.getpid(), signal.SIGKILL);"
        "from editbench.layouts.exporting import export; export(Path('edits'), layout='files', out=Path('out'))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False).returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    export(tmp_path / "edits", layout="files", out=tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bench", "edits", "out", "sent"]
