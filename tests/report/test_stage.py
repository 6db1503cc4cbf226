from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from rich.console import Console

from editbench.errors import UserError
from editbench.paths import ScorePaths
from editbench.report import markdown_text
from editbench.report.stage import Options, Report, report
from editbench.report.words import ranks, share

from .conftest import ROWS, judgement, write_lines

Make = Callable[..., Path]
FIVE = [
    (name, f"g{place}", 10.0 - place)
    for name in ("physical", "environmental", "social", "causal", "referential")
    for place in range(4)
]


def _json(made: Report) -> dict[str, Any]:
    return orjson.loads(made.paths.json.read_bytes())


def _csv(made: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(made.paths.leaderboard.read_text(encoding="utf-8"))))


def _terminal(made: Report, width: int = 80) -> str:
    console = Console(width=width, file=io.StringIO(), highlight=False)
    console.print(made.tables())
    return console.file.getvalue()


@pytest.fixture
def pair(make_scores: Make, tmp_path: Path) -> Report:
    other = [(category, group, score and score / 3) for category, group, score in ROWS]
    return report([make_scores("low", other, editor="low"), make_scores("high", editor="high")], tmp_path / "out")


def test_all_files_tell_the_same_numbers(pair: Report) -> None:
    text, tables = pair.paths.markdown.read_text(encoding="utf-8"), _terminal(pair)
    for place, row in zip(_json(pair)["leaderboards"], _csv(pair), strict=True):
        run = next(run for run in _json(pair)["runs"] if run["label"] == place["label"])
        micro = run["overall"]["micro"]
        assert (row["label"], row["rank"], float(row["micro_mean"])) == (run["label"], str(place["rank"]), micro["mean"])
        assert [float(row["ci_low"]), float(row["ci_high"])] == micro["interval"]
        assert (float(row["macro_mean"]), float(row["coverage"])) == (run["overall"]["macro"]["mean"], micro["coverage"])
        assert float(row["mean_failures_lowest"]) == micro["mean_failures_lowest"]
        for name, part in run["categories"].items():
            assert float(row[f"mean:{name}"]) == part["mean"]
            assert f"| {name} | {part['n']} | {part['scored']} | {share(part['coverage'])} | {part['mean']:.2f} |" in text
        best, worst = place["rank_range"]
        assert (row["rank_best"], row["rank_worst"]) == (str(best), str(worst))
        assert f"| {place['rank']} | {run['label']} | {ranks((best, worst))} | {micro['mean']:.2f} |" in text
        assert f" {micro['mean']:.2f} " in tables


def test_the_better_run_leads(pair: Report) -> None:
    assert [place["label"] for place in _json(pair)["leaderboards"]] == ["high", "low"]
    assert [run["label"] for run in _json(pair)["runs"]] == ["low", "high"]


def test_equal_input_gives_equal_bytes(make_scores: Make, tmp_path: Path) -> None:
    scores = [make_scores("one", editor="one"), make_scores("two", editor="two")]
    first, again = (report(scores, tmp_path / name) for name in ("first", "again"))
    assert [path.read_bytes() for path in first.files] == [path.read_bytes() for path in again.files]
    assert str(tmp_path).encode() not in b"".join(path.read_bytes() for path in first.files)


def test_warnings_are_in_every_output(make_scores: Make, tmp_path: Path) -> None:
    same = [("a", f"g{place}", 5.0) for place in range(20)]
    folders = [make_scores("one", same, editor="e"), make_scores("two", judge="j", editor="f")]
    made = report(folders, tmp_path / "out", Options(force=True))
    for text in (*(path.read_text(encoding="utf-8") for path in made.files), _terminal(made, 300)):
        assert "all 20 scores are 5.0" in text
        assert "the runs should not be compared: they differ in judge (e: judge, f: j)" in text


def test_flags_of_the_edits_are_counted_in_every_output(make_scores: Make, tmp_path: Path) -> None:
    flags = (["identical"], ["identical", "uniform"], [])
    odd = [judgement(f"k{place}", "a", "g", 5.0 - place, flags=flag) for place, flag in enumerate(flags)]
    made = report(
        [make_scores("odd", judgements=odd, editor="odd"), make_scores("plain")], tmp_path / "out", Options(force=True)
    )
    assert [run["flags"] for run in _json(made)["runs"]] == [{"identical": 2, "uniform": 1}, {}]
    assert {row["label"]: row["flags"] for row in _csv(made)} == {"odd": "identical=2; uniform=1", "copy": ""}
    assert made.paths.markdown.read_text(encoding="utf-8").count("- Flagged edits: 2 identical, 1 uniform\n") == 1
    assert _terminal(made).count("flagged edits: 2 identical, 1 uniform\n") == 1


def test_rows_from_before_there_were_flags_are_read(make_scores: Make, tmp_path: Path) -> None:
    root = make_scores()
    write_lines(root, ScorePaths(root).scores.read_bytes().replace(b',"flags":[]', b""))
    assert _json(report([root], tmp_path / "out"))["runs"][0]["flags"] == {}


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
    made = report(
        [make_scores(rows=[("[red]a|<b>", "g", 1.0), ("[red]a|<b>", "h", 2.0)])], tmp_path / "out", Options(names=["[/x]|y"])
    )
    assert r"| \[red\]a\|&lt;b&gt; | 2 |" in made.paths.markdown.read_text(encoding="utf-8")
    assert "[red]a|<b>" in _terminal(made)
    assert _csv(made)[0]["mean:[red]a|<b>"] == "1.5"


def test_a_run_of_five_categories_fits_80_columns(make_scores: Make, tmp_path: Path) -> None:
    lines = _terminal(report([make_scores(rows=FIVE)], tmp_path / "out")).splitlines()
    assert max(map(len, lines)) <= 80
    starts = {line.split()[0] for line in lines if line.strip()}
    assert starts >= {"physical", "environmental", "social", "causal", "referential", "micro", "macro"}


def test_runs_side_by_side_show_the_mean_and_half_its_interval(pair: Report) -> None:
    low, high = _json(pair)["runs"][1]["overall"]["micro"]["interval"]
    assert f"5.60 ±{(high - low) / 2:.2f}" in _terminal(pair, 200)


def test_given_names_are_the_labels(make_scores: Make, tmp_path: Path) -> None:
    made = report([make_scores("one"), make_scores("two")], tmp_path / "out", Options(names=["before", "after"]))
    assert {row["label"] for row in _csv(made)} == {"before", "after"}


def test_the_marker_for_make_is_written_last(make_scores: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    monkeypatch.setattr("editbench.atomic.write", lambda path, data: written.append(path.name))
    report([make_scores()], tmp_path / "out")
    assert written[-1] == "report.json"


def test_bad_input_writes_nothing(make_scores: Make, tmp_path: Path) -> None:
    root = make_scores()
    write_lines(root, ScorePaths(root).scores.read_bytes() * 2)
    with pytest.raises(UserError, match="line 7: key 'k0' is already on line 1"):
        report([root], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file_is_refused(make_scores: Make, tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(UserError, match="can't make the folder"):
        report([make_scores()], tmp_path / "out")


def test_no_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no score folders"):
        report([], tmp_path / "out")


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
        report(folders, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert len(report(folders, tmp_path / "out", Options(force=True)).comparisons) == 1


def test_a_baseline_is_what_the_others_are_compared_with(make_scores: Make, tmp_path: Path) -> None:
    folders = [make_scores(name, editor=name) for name in "abc"]
    made = report(folders, tmp_path / "out", Options(baseline=folders[1]))
    assert [comparison.runs for comparison in made.comparisons] == [("b", "a"), ("b", "c")]


def test_a_baseline_that_is_not_given_is_refused(make_scores: Make, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is none of the folders"):
        report([make_scores()], tmp_path / "out", Options(baseline=tmp_path))


def test_comparisons_are_the_same_in_all_files(pair: Report) -> None:
    found = _json(pair)["comparisons"][0]["rows"]["overall"]
    text = pair.paths.markdown.read_text(encoding="utf-8")
    assert f"| {found['difference']:+.2f} | {found['interval'][0]:.2f} to {found['interval'][1]:.2f} |" in text
    assert f"{found['difference']:+.2f}" in _terminal(pair)


def test_a_wide_terminal_shows_bars(make_scores: Make, tmp_path: Path) -> None:
    made = report([make_scores(rows=FIVE)], tmp_path / "out")
    assert ("█" in _terminal(made, 120), "█" in _terminal(made, 80)) == (True, False)
