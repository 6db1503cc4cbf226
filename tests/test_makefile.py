"""What is given to `make report` arrives to the letter, or is refused with one message before anything runs."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from editbench.world.truth import COPY, EDITORS

MAKEFILE = Path(__file__).parents[1] / "Makefile"
RECORDER = """#!{python}
import json, pathlib, sys
with open("calls.jsonl", "a") as file:
    file.write(json.dumps(sys.argv[1:]) + "\\n")
if "--out" in sys.argv:
    out = pathlib.Path(sys.argv[sys.argv.index("--out") + 1])
    out.mkdir(parents=True)
    (out / ("report.json" if "report" in sys.argv else "manifest.json")).touch()
"""
NAMES = ("MODEL", "JUDGE", "RUBRIC", "BENCH", "SOURCE", "RUNS")
FLAGS = {"IMPORT_FLAGS": "import", "EDIT_FLAGS": "edit", "SCORE_FLAGS": "score", "EDIT_RUN": "edit", "SCORE_RUN": "score"}
COMMANDS = {"EDITBENCH": "edit", "IMPORT_CMD": "import", "EDIT_CMD": "edit", "SCORE_CMD": "score", "REPORT_CMD": "report"}
ODD = (
    "a b",
    "a'b",
    'a"b',
    "a$b",
    "a$(shell touch pwned)b",
    "a#b",
    "a;b",
    "a\nb",
    "a\tb",
    "a`touch pwned`b",
    "a%b",
    "a*b",
    "a\\b",
)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with a benchmark, a table, and a command in place of editbench."""
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench/manifest.json").touch()
    (tmp_path / "table.jsonl").touch()
    for name in ("command", "物理 'command'"):
        (tmp_path / name).write_text(RECORDER.format(python=sys.executable))
        (tmp_path / name).chmod(stat.S_IRWXU)
    return tmp_path


Make = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def make(work: Path) -> Make:
    """Runs `make report` there; `variables` are given on the command line, or with `exported` in the environment."""

    def run(exported: bool = False, **variables: str) -> subprocess.CompletedProcess[str]:
        common = {"MODEL": "copy", "JUDGE": "m:J", "BENCH": "bench", "RUNS": "runs", "EDITBENCH": f"{work}/command"}
        given = {**common, **variables}
        words = [] if exported else [f"{name}={value}" for name, value in given.items()]
        command = ["make", "-f", str(MAKEFILE), *words, "report"]
        environment = {**os.environ, **(given if exported else {})}
        return subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)

    return run


def calls(work: Path) -> dict[str, list[str]]:
    """The words of each command that ran."""
    lines = (work / "calls.jsonl").read_bytes().splitlines() if (work / "calls.jsonl").exists() else []
    return {words[0]: words[1:] for words in map(orjson.loads, lines)}


def refused(done: subprocess.CompletedProcess[str], name: str, work: Path) -> None:
    there = {path.name for path in work.iterdir()}
    assert (done.returncode, there) == (2, {"bench", "table.jsonl", "command", "物理 'command'"}), done.stderr
    assert (done.stderr.count("***"), f"*** {name}=" in done.stderr) == (1, True), done.stderr


@pytest.mark.parametrize("exported", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_make_would_take_for_something_else_is_refused(make: Make, work: Path, name: str, exported: bool) -> None:
    for odd in ODD if not exported else ODD[:4]:
        refused(make(exported, **{"SOURCE": "table.jsonl", name: odd}), name, work)


@pytest.mark.parametrize("name", ["RUNS", "BENCH", "RUBRIC"])
def test_an_empty_path_is_refused(make: Make, work: Path, name: str) -> None:
    refused(make(**{name: ""}), name, work)


def test_names_in_any_script_reach_the_commands(make: Make, work: Path) -> None:
    (work / "表格.jsonl").touch()
    done = make(MODEL="模型/编辑", JUDGE="裁判:J", SOURCE="表格.jsonl", BENCH="基准", RUNS="运行", RUBRIC="量表")
    assert done.returncode == 0, done.stderr
    run = "运行/表格/模型--编辑"
    assert calls(work) == {
        "import": ["表格.jsonl", "--out", "基准"],
        "edit": ["基准", "--model", "模型/编辑", "--out", f"{run}/edits"],
        "score": [f"{run}/edits", "--model", "裁判:J", "--rubric", "量表", "--out", f"{run}/裁判-J-量表/scores"],
        "report": [f"{run}/裁判-J-量表/scores", "--out", f"{run}/裁判-J-量表/report"],
    }


def test_a_benchmark_is_the_same_with_a_slash_behind_it(make: Make, work: Path) -> None:
    assert make(BENCH="bench/").returncode == 0
    assert [path.name for path in (work / "runs").iterdir()] == ["bench"]


@pytest.mark.parametrize("exported", [False, True])
def test_quoted_flags_reach_the_command_as_they_are(make: Make, work: Path, exported: bool) -> None:
    word = 'a  b "$5" ;#&|<>()*?[]%\\ $(shell touch pwned) `touch pwned` 物理'
    flags = {name: f"--{name} '{word}' \"it's a; b #c\" it\\'s" for name in FLAGS}
    done = make(exported, SOURCE="table.jsonl", BENCH="other", **flags)
    assert done.returncode == 0, done.stderr
    for name, command in FLAGS.items():
        words = calls(work)[command]
        start = words.index(f"--{name}")
        assert words[start : start + 4] == [f"--{name}", word, "it's a; b #c", "it's"]
    assert not (work / "pwned").exists()


@pytest.mark.parametrize("name", FLAGS)
@pytest.mark.parametrize(
    "odd", ["it's", '"a', "a; touch pwned", "a # b", "$HOME", '"$HOME"', "a & b", "a > b", "*", "a\nb", "`touch pwned`"]
)
def test_flags_that_the_shell_would_take_for_something_else_are_refused(make: Make, work: Path, name: str, odd: str) -> None:
    refused(make(SOURCE="table.jsonl", **{name: f"--x {odd}"}), name, work)


def test_other_flags_have_another_folder(make: Make, work: Path) -> None:
    for flags in ("--x 'a b'", '--x "a b"', "--x 'a  b'"):
        assert make(EDIT_FLAGS=flags).returncode == 0
    assert len(list((work / "runs/bench").iterdir())) == 3


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_may_be_quoted_and_is_refused_when_it_can_not_be_read(make: Make, work: Path, name: str) -> None:
    stage = "" if name == "EDITBENCH" else COMMANDS[name]
    refused(make(SOURCE="table.jsonl", **{name: "it's"}), name, work)
    refused(make(SOURCE="table.jsonl", **{name: "a\nb"}), name, work)
    done = make(SOURCE="table.jsonl", BENCH="other", **{name: f"X='a b' \"$PWD/物理 'command'\" {stage}"})
    assert (done.returncode, len(calls(work))) == (0, 4), done.stderr


def test_a_file_beside_the_rubric_is_no_command(make: Make, work: Path) -> None:
    (work / "rubrics").mkdir()
    for name in ("mine.toml", "a;touch pwned;.toml", "$(touch pwned).txt"):
        (work / "rubrics" / name).write_text(name)
    assert make(RUBRIC="rubrics/mine.toml").returncode == 0
    assert not (work / "pwned").exists()
    (work / "rubrics/a;touch pwned;.toml").write_text("changed")
    assert make(RUBRIC="rubrics/mine.toml").returncode == 0
    assert len(list((work / "runs/bench/copy").iterdir())) == 3


def test_a_judge_is_checked_on_edits_of_every_known_quality(work: Path) -> None:
    (work / "shards/world").mkdir(parents=True)
    (work / "shards/world/manifest.json").touch()
    command = ["make", "-f", str(MAKEFILE), f"EDITBENCH={work}/command", "JUDGE=m:J", "SCORE_FLAGS=--x 'a b'", "check-judge"]
    for _ in range(2):  # the second time only the figures are printed again
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    ran = [orjson.loads(line) for line in (work / "calls.jsonl").read_bytes().splitlines()]
    editors = [words[words.index("--model") + 1] for words in ran if words[0] == "edit"]
    assert sorted(editors) == sorted((*EDITORS, COPY))
    scored = [words for words in ran if words[0] == "score"]
    assert {(words[3], words[5], words[-1]) for words in scored} == {("m:J", "world", "a b")}
    printed = [words for words in ran if words[0] == "world"]
    assert len(scored) == len(editors)
    assert printed == [["world", "accuracy", *(words[words.index("--out") + 1] for words in scored)]] * 2


def test_checking_no_judge_is_refused(work: Path) -> None:
    done = subprocess.run(["make", "-f", str(MAKEFILE), "check-judge"], cwd=work, capture_output=True, text=True, check=False)
    assert (done.returncode, "needs JUDGE=" in done.stderr) == (2, True)


def test_other_goals_take_no_offence_at_the_environment(work: Path) -> None:
    environment = {**os.environ, "MODEL": "a b", "RUNS": "it's", "SOURCE": "a:b c"}
    done = subprocess.run(["make", "-f", str(MAKEFILE), "help"], cwd=work, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
