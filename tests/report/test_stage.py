from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from rich.console import Console

from editbench import atomic
from editbench.errors import UserError
from editbench.paths import ReportPaths, ScorePaths
from editbench.report.document import Report
from editbench.report.options import ReportOptions
from editbench.report.render import markdown_text, terminal
from editbench.report.render.formats import number, signed, span
from editbench.report.stage import report

from .conftest import ROWS, judgement, tables, write_lines

Make = Callable[..., Path]
FIVE = [
    (name, f"g{index}", 10.0 - index)
    for name in ("physical", "environmental", "social", "causal", "referential")
    for index in range(4)
]


def _json(made: Report) -> dict[str, Any]:
    return orjson.loads(made.paths.json.read_bytes())


def _csv(made: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(made.paths.leaderboard.read_text(encoding="utf-8"))))


def _terminal(made: Report, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO(), highlight=False)
    console.print(terminal.render(made))
    return console.file.getvalue()


@pytest.fixture
def pair(make_scores: Make, tmp_path: Path) -> Report:
    other = [(category, group, score and score / 3) for category, group, score in ROWS]
    return tables([make_scores("low", other, editor="low"), make_scores("high", editor="high")], tmp_path / "out")


def test_the_better_run_leads(pair: Report) -> None:
    assert [standing["label"] for standing in _json(pair)["leaderboards"]] == ["high", "low"]
    assert [run["label"] for run in _json(pair)["runs"]] == ["low", "high"]


def test_equal_input_gives_equal_bytes(make_scores: Make, tmp_path: Path) -> None:
    scores = [make_scores("one", editor="one"), make_scores("two", editor="two")]
    first, again = (report(scores, tmp_path / name) for name in ("first", "again"))
    assert [path.read_bytes() for path in first.files] == [path.read_bytes() for path in again.files]
    assert str(tmp_path).encode() not in b"".join(path.read_bytes() for path in first.files)


def test_the_order_of_the_rows_changes_nothing(make_scores: Make, tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    rows = [
        judgement(f"k{index}", "abc"[index % 3], f"g{index // 2}", round(chance.normal(5, 2) % 10, 6)) for index in range(60)
    ]
    audit = [judgement(row.key, row.category, row.group, 3.0, audit="stranger") for row in rows]
    written = []
    for name in ("in order", "shuffled"):
        others = [judgement(row.key, row.category, row.group, round(row.score / 2, 6)) for row in rows]
        folders = [
            make_scores(f"{name} {editor}", judgements=made, editor="e", judge=editor, audit=audit, anchors=made)
            for editor, made in (("one", rows), ("two", others))
        ]
        made = tables(folders, tmp_path / name, names=["one", "two"], force=True, resamples=200)
        written.append([path.read_bytes() for path in made.files])
        chance.shuffle(rows)
        chance.shuffle(audit)
    assert written[0] == written[1]


KILLED = """
import os, pathlib, signal, sys
from editbench.report.options import ReportOptions
from editbench.report.stage import report
pathlib.Path.unlink = os.replace = lambda *_, **__: None  # each file as it is when the process is killed before its rename
report([pathlib.Path(sys.argv[1])], pathlib.Path(sys.argv[2]), ReportOptions(latex=True))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_report_left_is_swept_and_what_another_one_writes_is_not(make_scores: Make, tmp_path: Path) -> None:
    scores, out = make_scores(), tmp_path / "out"
    assert subprocess.run([sys.executable, "-c", KILLED, scores, out], check=False).returncode == -9
    assert {path.suffix for path in out.rglob("*") if path.is_file()} == {".tmp"}
    picture = ReportPaths(out).picture("ab", 512)
    picture.parent.mkdir(parents=True)
    picture.with_name(f".{picture.name}.123.tmp").touch()
    with atomic.writing(out / "report.md"):
        tables([scores], out)
        assert len([*out.rglob(".*.tmp")]) == 1
    assert not [*out.rglob(".*.tmp")]


def test_warnings_are_in_every_output(make_scores: Make, tmp_path: Path) -> None:
    same = [("a", f"g{index}", 5.0) for index in range(20)]
    folders = [make_scores("one", same, editor="e"), make_scores("two", judge="j", editor="f")]
    made = report(folders, tmp_path / "out", ReportOptions(force=True))
    for text in (*(path.read_text(encoding="utf-8") for path in made.files), _terminal(made, 300)):
        assert "all 20 scores are 5.0" in text
        assert "the runs should not be compared: they differ in judge (e: judge, f: j)" in text


def test_flags_of_the_edits_are_counted_in_every_output(make_scores: Make, tmp_path: Path) -> None:
    flags = (["identical"], ["identical", "uniform"], [])
    odd = [judgement(f"k{index}", "a", "g", 5.0 - index, flags=flag) for index, flag in enumerate(flags)]
    made = tables([make_scores("odd", judgements=odd, editor="odd"), make_scores("plain")], tmp_path / "out", force=True)
    assert [run["flags"] for run in _json(made)["runs"]] == [{"identical": 2, "uniform": 1}, {}]
    assert {row["label"]: row["flags"] for row in _csv(made)} == {"odd": "identical=2; uniform=1", "copy": ""}
    assert made.paths.markdown.read_text(encoding="utf-8").count("- Flagged edits: 2 identical, 1 uniform\n") == 1
    assert _terminal(made).count("flagged edits: 2 identical, 1 uniform\n") == 1


def test_what_a_served_judge_has_used_is_told_in_every_output_for_people_and_in_json(make_scores: Make, tmp_path: Path) -> None:
    """A row without a price leaves the whole without one; rows that can't be read are left out."""
    timed = b"""
        {"keys": ["k0"], "tokens": {"read": 1000, "written": 20, "price": 0.0015}}
        {"keys": ["k1"], "tokens": {"read": 1000, "written": 21, "price": 0.0016}}
        {"keys": ["k2"], "tokens": {"read": -1, "written": 1}}
        {"keys": ["k2"], "tokens": {"read": 18446744073709551615, "written": 1}}
        {"keys": ["k3"], "tokens": {"read"
    """
    named = {"served": timed, "unpriced": timed + b'{"keys": ["k4"], "tokens": {"read": 1, "written": 1}}', "untimed": b""}
    folders = [make_scores(name, editor=name, kind="served") for name in named] + [make_scores("local", editor="local")]
    for root, rows in zip(folders, [*named.values(), timed], strict=True):
        ScorePaths(root).timings.write_bytes(rows)
    made = report(folders, tmp_path / "out", ReportOptions(figures=False, pictures=False))
    told = [{"read": 2000, "written": 41, "price": 0.0031}, {"read": 2001, "written": 42, "price": None}]
    assert [run["tokens"] for run in _json(made)["runs"] if "tokens" in run] == told
    lines = ["2,000 read, 41 written; price 0.0031", "2,001 read, 42 written"]
    markdown, page = (path.read_text(encoding="utf-8") for path in (made.paths.markdown, made.paths.html))
    for line in lines:
        assert f"- Tokens: {line}\n" in markdown
        assert f"<td>{line}</td>" in page
    (first,) = tables(folders[:1], tmp_path / "first").runs
    assert f"tokens {first.tokens}" in _terminal(tables(folders[:1], tmp_path / "first"))
    assert str(first.tokens) == lines[0]


def test_rows_from_before_there_were_flags_are_read(make_scores: Make, tmp_path: Path) -> None:
    root = make_scores()
    write_lines(root, ScorePaths(root).scores.read_bytes().replace(b',"flags":[]', b""))
    assert _json(tables([root], tmp_path / "out"))["runs"][0]["flags"] == {}


def test_what_can_not_be_computed_is_null_in_json_and_empty_in_csv(make_scores: Make, tmp_path: Path) -> None:
    made = report([make_scores(rows=[("a", "g", None)])], tmp_path / "out")
    assert b"NaN" not in b"".join(path.read_bytes() for path in made.files)
    assert (_json(made)["leaderboards"][0]["micro"], _csv(made)[0]["micro_mean"], _csv(made)[0]["mean:a"]) == (None, "", "")


def test_markdown_tells_judge_rubric_readout_and_coverage(pair: Report) -> None:
    text = pair.paths.markdown.read_text(encoding="utf-8")
    for line in ("- Judge: judge", "- Rubric: five v1", "- Readout: generate", "- Benchmark: sample (b0)"):
        assert line in text
    assert "| **overall, micro** | 6 | 5 | 83.3% | 5.60 |" in text
    assert "| **overall, macro** over 2 |  |  |  | 6.00 |" in text


def test_markdown_shows_markup_as_text() -> None:
    assert markdown_text.escape("a|b\n<script> *x* [y](z)") == r"a\|b &lt;script&gt; \*x\* \[y\](z)"


def test_names_with_markup_break_no_table(make_scores: Make, tmp_path: Path) -> None:
    made = tables([make_scores(rows=[("[red]a|<b>", "g", 1.0), ("[red]a|<b>", "h", 2.0)])], tmp_path / "out", names=["[/x]|y"])
    assert r"| \[red\]a\|&lt;b&gt; | 2 |" in made.paths.markdown.read_text(encoding="utf-8")
    assert "[red]a|<b>" in _terminal(made)
    assert _csv(made)[0]["mean:[red]a|<b>"] == "1.5"


def test_a_run_of_five_categories_fits_80_columns(make_scores: Make, tmp_path: Path) -> None:
    lines = _terminal(tables([make_scores(rows=FIVE)], tmp_path / "out")).splitlines()
    assert max(map(len, lines)) <= 80
    starts = {line.split()[0] for line in lines if line.strip()}
    assert starts >= {"physical", "environmental", "social", "causal", "referential", "micro", "macro"}


def test_given_names_are_the_labels(make_scores: Make, tmp_path: Path) -> None:
    made = tables([make_scores("one"), make_scores("two")], tmp_path / "out", names=["before", "after"])
    assert {row["label"] for row in _csv(made)} == {"before", "after"}


def test_the_marker_for_make_is_written_last(make_scores: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores, written = make_scores(), []
    monkeypatch.setattr("editbench.atomic.write", lambda path, data: written.append(path.name))
    report([scores], tmp_path / "out")
    assert written[-1] == "report.json"


def test_bad_input_writes_nothing(make_scores: Make, tmp_path: Path) -> None:
    root = make_scores()
    write_lines(root, ScorePaths(root).scores.read_bytes() * 2)
    with pytest.raises(UserError, match="line 7: key 'k0' is already on line 1"):
        tables([root], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_report_goes_into_no_folder_of_another_stage(make_scores: Make, tmp_path: Path) -> None:
    scores = make_scores()
    before = sorted(scores.iterdir())
    with pytest.raises(UserError, match=r"scores is no folder for a report: it holds identity\.json"):
        tables([scores], scores)
    assert sorted(scores.iterdir()) == before
    made = tables([scores], tmp_path / "report")
    ScorePaths(made.paths.root).identity.touch()
    tables([scores], made.paths.root)  # one that an earlier version wrote there is written again


def test_an_output_that_is_a_file_is_refused(make_scores: Make, tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(UserError, match="can't make the folder"):
        tables([make_scores()], tmp_path / "out")


def test_no_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no score folders"):
        tables([], tmp_path / "out")


def test_reporting_imports_no_torch(make_scores: Make, tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from editbench.report.stage import report
report([Path({str(make_scores())!r})], Path({str(tmp_path / "out")!r}))
sys.exit(", ".join({{"torch", "webdataset", "transformers", "diffusers"}} & sys.modules.keys()) or None)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_runs_that_can_not_be_compared_are_refused_unless_forced(make_scores: Make, tmp_path: Path) -> None:
    folders = [make_scores("one", editor="e"), make_scores("two", judge="j", editor="f")]
    with pytest.raises(UserError, match=r"they differ in judge \(e: judge, f: j\)"):
        tables(folders, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert len(tables(folders, tmp_path / "out", force=True).comparisons) == 1


def test_a_baseline_is_what_the_others_are_compared_with(make_scores: Make, tmp_path: Path) -> None:
    folders = [make_scores(name, editor=name) for name in "abc"]
    made = tables(folders, tmp_path / "out", baseline=folders[1])
    assert [comparison.runs for comparison in made.comparisons] == [("b", "a"), ("b", "c")]


def test_a_baseline_that_is_not_given_is_refused(make_scores: Make, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is none of the folders"):
        tables([make_scores()], tmp_path / "out", baseline=tmp_path)


def test_a_wide_terminal_shows_bars(make_scores: Make, tmp_path: Path) -> None:
    made = tables([make_scores(rows=FIVE)], tmp_path / "out")
    assert ("█" in _terminal(made, 120), "█" in _terminal(made, 80)) == (True, False)


def test_markdown_says_which_differences_so_many_samples_can_not_show(make_scores: Make, tmp_path: Path) -> None:
    rows = [
        (name, f"{name}{index}", float(index % 9)) for name, count in (("causal", 54), ("few", 5)) for index in range(count)
    ]
    other = [(category, group, 8 - score) for category, group, score in rows]
    made = tables([make_scores("one", rows, editor="one"), make_scores("two", other, editor="two")], tmp_path / "out")
    least = made.comparisons[0].rows.categories["causal"].detectable
    text = made.paths.markdown.read_text(encoding="utf-8")
    assert f"Small differences: 54 samples of causal can't show less than {least:.2f}, 59 samples of all together" in text
    assert "Too few source pictures for p = 0.05, however large the difference: few (5)." in text


def test_four_source_pictures_show_no_difference_in_any_output(make_scores: Make, tmp_path: Path) -> None:
    rows = [("causal", f"g{index % 4}", float(index % 9)) for index in range(12)]
    other = [(category, group, score + 1) for category, group, score in rows]
    folders = [make_scores("one", rows, editor="one"), make_scores("two", other, editor="two")]
    made = report(folders, tmp_path / "out", ReportOptions(figures=False, pictures=False))
    rows = _json(made)["comparisons"][0]["rows"]
    assert [part["detectable"] for part in (rows["overall"], rows["macro"], *rows["categories"].values())] == [None] * 3
    assert "however large the difference: causal (4), all together (4)." in made.paths.markdown.read_text(encoding="utf-8")
    page = made.paths.html.read_text(encoding="utf-8")
    assert "Too few source pictures (4) for p = 0.05, however large the difference." in page
    assert "would often go unseen" not in page


def test_markdown_tells_a_verdict_on_the_judge_once(make_scores: Make, tmp_path: Path) -> None:
    audit = [judgement(f"k{index}", *row, audit="unedited") for index, row in enumerate(FIVE)]
    made = tables([make_scores(rows=FIVE, audit=audit)], tmp_path / "out")
    (verdict,) = made.runs[0].audit.verdicts
    text = made.paths.markdown.read_text(encoding="utf-8")
    assert text.count(verdict) == 1
    assert "win rate of the edits" in text
    assert "ROC" not in text


def test_statuses_are_counted_where_some_samples_failed(make_scores: Make, tmp_path: Path) -> None:
    failed, whole = tables([make_scores("a")], tmp_path / "x"), tables([make_scores("b", FIVE)], tmp_path / "y")
    assert "| social | 2 | 1 |" in failed.paths.markdown.read_text(encoding="utf-8")
    assert "samples by status" not in whole.paths.markdown.read_text(encoding="utf-8")


def test_many_runs_stand_in_rows_that_fit_80_columns(make_scores: Make, tmp_path: Path) -> None:
    rows = [(f"{category} and what follows from it", group, score) for category, group, score in FIVE]
    folders = [make_scores(f"s{index}", rows, editor=f"organisation/editor-of-many-words-{index}") for index in range(7)]
    lines = _terminal(tables(folders, tmp_path / "out")).splitlines()
    assert max(map(len, lines)) <= 80
    board = lines[lines.index("leaderboard, by micro mean") :]
    assert sum("organisation/editor-of-many-words-" in line for line in board) == 7
    assert all(len(line.split()) > 6 for line in board if "organisation" in line)


def test_what_is_less_than_half_a_hundredth_below_zero_is_zero() -> None:
    assert (number(-0.001), signed(-0.001), span((-0.004, 0.006))) == ("0.00", "0.00", "0.00 to 0.01")


def test_runs_that_can_not_be_compared_have_charts_and_latex_tables_of_their_own(make_scores: Make, tmp_path: Path) -> None:
    folders = [make_scores("one"), make_scores("two", judge="j", rubric={"scale": [1, 10]})]
    made = report(folders, tmp_path / "out", ReportOptions(html=False, latex=True))
    assert {path.name for path in made.paths.figures.glob("*.svg")} == {
        "means.svg",
        "means-2.svg",
        "scores.svg",
        "scores-2.svg",
    }
    assert made.paths.latex.read_text(encoding="utf-8").count(r"\begin{tabular}") == 2


def test_nothing_of_an_earlier_report_stays_beside_a_later_one(make_scores: Make, tmp_path: Path) -> None:
    folders = [make_scores("one", editor="one"), make_scores("two", editor="two")]
    first = report(folders, tmp_path / "out", ReportOptions(latex=True, pictures=False))
    assert all(path.exists() for path in (*first.files, first.paths.figures / "differences.svg"))
    tables(folders[:1], tmp_path / "out")
    there = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert there == {"report.md", "report.json", "leaderboard.csv"}


def test_rubrics_of_one_name_and_other_texts_are_told_apart_by_their_digest(make_scores: Make, tmp_path: Path) -> None:
    folders = [make_scores(name, rubric={"digest": name * 8}) for name in ("a1", "b2")]
    labels = [run["label"] for run in _json(report(folders, tmp_path / "out"))["runs"]]
    assert labels == ["copy / five v1 (a1a1a1)", "copy / five v1 (b2b2b2)"]


def test_charts_that_can_not_be_drawn_leave_an_earlier_report_as_it_was(
    make_scores: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, out = make_scores(), tmp_path / "out"
    before = {path: path.read_bytes() for path in report([root], out).files}
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UserError, match="figures need matplotlib"):
        report([root], out)
    assert {path: path.read_bytes() for path in before} == before


def test_a_link_in_place_of_a_folder_is_refused(make_scores: Make, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "precious").mkdir()
    (tmp_path / "out" / "figures").symlink_to(tmp_path / "precious")
    with pytest.raises(UserError, match="figures is a link to another folder"):
        report([make_scores()], tmp_path / "out")
