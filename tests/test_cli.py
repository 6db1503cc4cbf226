"""The command line, without running any ranks."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
import typer.main

from editbench import cli, console, files, identity, options, rubric_cli
from editbench.benchmarks.benchmark import write_benchmark
from editbench.errors import BUG, INCOMPLETE, OK, USAGE, Incomplete, Interrupted
from editbench.foreign_paths import CheckpointPaths, PipelinePaths
from editbench.paths import BenchmarkPaths, EditPaths, TinyPaths

RUN = (
    "--max-failures --retries --nproc --devices --stall-timeout --load-parallel --sync-every --nnodes --node-rank "
    "--rdzv-endpoint --rdzv-id --progress --dry-run --fresh --config"
)
COMMANDS = {
    "import": "source --out --format --images --map --name",
    "edit": "benchmark --model --out --seed --steps --cfg --negative-prompt --size --dtype --category --limit --shard-size "
    "--fast --extra-images --set --lora --scheduler --preset --offload --quantize --vae-tiling --attention --cache --compile "
    + RUN,
    "score": "edits --model --replies --reread --adapter --out --rubric --readout --forced --votes --temperature --seed "
    "--batch-size --batch-tokens --audit --language --max-pixels --max-new-tokens --thinking-budget --keep-thoughts --max-text "
    "--dtype --fast --cuda-graph --endpoint --concurrency --image-format --prefill --request --request-timeout --patience "
    "--price-in --price-out --anchors --retry " + RUN,
    "import-scores": "table --out --rubric --model --judge --benchmark --edits --map --where --max-failures --fresh",
    "report": "scores --out --name --baseline --ratings --reference --force --resamples --seed --figures --latex "
    "--html --pictures --full-pictures --edits",
    "rubric": "",
    "world": "",
    "verify": "folders --quick --repair",
    "import-edits": "benchmark pictures --layout --name --out --map --max-failures --fresh",
    "export": "folder --layout --out",
    "watch": "folder --progress --once",
    "doctor": "--stage --benchmark --model",
    "tiny": "folder",
}
"""A change here is a change for users: CHANGELOG.md names it."""

HEAVY = ("torch", "diffusers", "transformers", "webdataset", "numpy", "PIL", "scipy", "huggingface_hub", "rich")
HELP = f"""
import sys
from typer.testing import CliRunner
from editbench import cli
for command in ([], *([name] for name in {list(COMMANDS)})):
    result = CliRunner().invoke(cli.app, [*command, "--help"])
    if result.exit_code or "Usage" not in result.output:
        sys.exit(f"{{command}}: {{result.output}}")
sys.exit(" ".join(sorted(set({HEAVY}) & set(sys.modules))))
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs the command line; gives its exit status, and what it said on stdout and on stderr."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["editbench", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return caught.value.code, *capsys.readouterr()

    return call


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, run: Callable):
    """Runs `editbench edit` up to its stage; gives the settings and the run that the stage is asked for."""
    from editbench.edit import stage

    calls: list[tuple] = []
    monkeypatch.setattr(stage, "edit", lambda *arguments: calls.append(arguments))

    def call(*arguments: object) -> tuple:
        status, _, said = run("edit", "bench", "--model", "copy", "--out", "out", *arguments)
        assert status == OK, said
        return calls[-1]

    return call


def test_the_options_are_these() -> None:
    commands = typer.main.get_command(cli.app).commands
    options_of = {name: [option for entry in command.params for option in entry.opts] for name, command in commands.items()}
    assert options_of == {name: options.split() for name, options in COMMANDS.items()}


def test_every_path_is_taken_by_the_same_rules() -> None:
    functions = [entry.callback for group in (cli.app, rubric_cli.app) for entry in group.registered_commands]
    hints = {(each.__name__, name): hint for each in functions for name, hint in get_type_hints(each, None, None, True).items()}
    paths = {name: hint.__metadata__[0] for name, hint in hints.items() if "Path" in str(get_args(hint)[:1])}
    assert len(paths) > 15
    assert {name for name, info in paths.items() if info.parser not in (options.path, options.folder)} == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ("edit", "bench", "--model", "copy", "--out", ""),
        ("edit", "", "--model", "copy", "--out", "out"),
        ("report", "scores", "", "--out", "out"),
        ("report", "scores", "--out", "out", "--edits", ""),
        ("rubric", "new", ""),
        ("edit", "bench", "--model", "copy", "--config", "empty.toml"),
    ],
)
def test_an_empty_path_is_not_the_current_folder(
    run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "empty.toml").write_text('out = ""')
    monkeypatch.chdir(tmp_path)
    status, _, said = run(*arguments)
    assert (status, "it is empty; for the current folder give ." in said) == (USAGE, True), said
    assert [path.name for path in tmp_path.iterdir()] == ["empty.toml"]


def test_help_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_the_version_is_shown(run: Callable) -> None:
    from editbench import __version__

    assert run("--version") == (OK, f"editbench {__version__}\n", "")


def test_values_of_a_config_file_are_defaults_that_the_command_line_overrides(asked: Callable, tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text(
        'steps = 8\ncfg = 2\nnegative-prompt = " "\nshard_size = 4\ncategory = ["causal", "social"]\nfresh = true\n'
    )
    _, _, _, settings, how = asked("--config", config, "--steps", "3")
    assert (settings.steps, settings.cfg, settings.negative_prompt, settings.shard_size) == (3, 2.0, " ", 4)
    assert (settings.categories, how.fresh, how.dry_run) == (("causal", "social"), True, False)


def test_one_value_of_a_repeatable_option_needs_no_list(asked: Callable, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('category = "causal"')
    assert asked("--config", tmp_path / "run.toml")[3].categories == ("causal",)


def test_arguments_may_stand_in_a_config_file(run: Callable, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(f'edits = "{tmp_path}/none"\nmodel = "judge"\nout = "{tmp_path}/out"')
    status, _, said = run("score", "--config", tmp_path / "run.toml")
    assert (status, said.splitlines()[0]) == (USAGE, f"error: no folder of edits {tmp_path}/none")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"step = 8", "no option step"),
        (b"[edit]\nsteps = 8", "no option edit"),
        (b"steps = ", "Invalid value"),
        (b"\xff\xfe", "codec can't decode"),
        (b'steps = "many"', "--steps"),
        (b"steps = [1, 2]", "--steps"),
        (None, "No such file"),
    ],
)
def test_a_config_file_that_cannot_be_read_is_refused(
    run: Callable, tmp_path: Path, content: bytes | None, message: str
) -> None:
    config = tmp_path / "run.toml"
    if content is not None:
        config.write_bytes(content)
    status, _, said = run("edit", "bench", "--model", "copy", "--out", tmp_path / "out", "--config", config)
    assert (status, "Traceback" in said) == (USAGE, False)
    assert message in said


def test_how_to_run_is_read_from_the_options(asked: Callable) -> None:
    how = asked("--nproc", "2", "--devices", "0,2", "--progress", "off", "--dry-run", "--max-failures", "5%")[4]
    assert (how.rank_count, how.device_indices, how.progress, how.dry_run, how.max_failures) == (2, [0, 2], "off", True, "5%")
    assert (asked()[4].rank_count, asked()[4].device_indices) == (None, None)


def refused(outcome: tuple[int, str, str], message: str, out: Path) -> None:
    """One message that says so, no traceback, and nothing written."""
    status, said, complained = outcome
    assert (status, said) == (USAGE, "")
    assert complained.startswith(f"error: {message}"), complained
    assert complained.count("error:") == 1
    assert "Traceback" not in complained
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--progress", "loud"], "--progress loud is unknown"),
        (["--nproc", "0"], "--nproc 0 is no number of ranks"),
        (["--nproc", "all"], "--nproc all is no number of ranks"),
        (["--devices", "0,x"], "--devices 0,x is no list of numbers"),
        (["--size", "huge"], "--size huge is no size"),
        (["--dtype", "int8", "--model", "os:getcwd"], "--dtype int8 is unknown"),
        (["--max-failures", "few"], "--max-failures few is neither a number nor a percentage"),
        (["--category", "causl"], "BENCH has no category causl"),
        (["--model", "no-such-model"], "no model no-such-model"),
        (["--model", "no_such_module:Editor"], "--model no_such_module:Editor: no module no_such_module"),
    ],
)
def test_options_of_edit_that_cannot_be_are_refused(
    run: Callable, benchmark: Path, tmp_path: Path, options: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "beside.py").write_text("class Editor: ...")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    options = [option.replace("os:getcwd", "beside:Editor") for option in options]
    outcome = run("edit", benchmark, "--model", "copy", "--out", tmp_path / "out", *options)
    refused(outcome, message.replace("BENCH", str(benchmark)), tmp_path / "out")


def test_input_of_edit_that_is_not_there_or_not_whole_is_refused(run: Callable, benchmark: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--model", "copy", "--out", out)
    (tmp_path / "empty").mkdir()
    refused(run("edit", tmp_path / "none", *options), f"no benchmark folder {tmp_path / 'none'}", out)
    refused(run("edit", tmp_path / "empty", *options), f"{tmp_path / 'empty'} is not a benchmark", out)
    shard = BenchmarkPaths(benchmark).shard(0)
    shard.write_bytes(shard.read_bytes()[:1000])
    refused(run("edit", benchmark, *options), f"{shard} has 1,000 bytes", out)


def test_a_benchmark_without_samples_is_refused(run: Callable, tmp_path: Path) -> None:
    write_benchmark(tmp_path / "bench", "nothing", [])
    outcome = run("edit", tmp_path / "bench", "--model", "copy", "--out", tmp_path / "out")
    refused(outcome, f"{tmp_path / 'bench'} holds no samples", tmp_path / "out")


def test_an_editor_without_weights_is_refused(run: Callable, benchmark: Path, checkpoints: TinyPaths, tmp_path: Path) -> None:
    editor = PipelinePaths(Path(shutil.copytree(checkpoints.editor, tmp_path / "editor")))
    CheckpointPaths(editor.root / "vae").weights()[0].unlink()
    outcome = run("edit", benchmark, "--model", editor.root, "--out", tmp_path / "out")
    refused(outcome, f"{editor.root / 'vae'} has no weights", tmp_path / "out")
    refused(
        run("edit", benchmark, "--model", checkpoints.judge, "--out", tmp_path / "out"),
        f"{checkpoints.judge} is not a diffusers pipeline",
        tmp_path / "out",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rubric", "fvie"], "there is no rubric 'fvie'"),
        (["--rubric", "none.toml"], "can't read none.toml"),
        (["--language", "fr"], "rubric five has no language fr"),
        (["--readout", "guess"], "readout guess is unknown"),
        (["--max-pixels", "10"], "a picture can't have"),
        (["--model", "copy"], "no model copy"),
    ],
)
def test_options_of_score_that_cannot_be_are_refused(
    run: Callable, make_edits: Callable[..., Path], checkpoints: TinyPaths, tmp_path: Path, options: list[str], message: str
) -> None:
    outcome = run("score", make_edits(), "--model", checkpoints.judge, "--out", tmp_path / "out", *options)
    refused(outcome, message, tmp_path / "out")
    if "fvie" in options:
        assert "Did you mean five?" in outcome[2]


def test_input_of_score_that_is_not_there_or_not_whole_is_refused(
    run: Callable, make_edits: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = ("--model", "judge", "--out", out)
    refused(run("score", tmp_path / "none", *options), f"no folder of edits {tmp_path / 'none'}", out)
    refused(run("score", tmp_path, *options), f"{tmp_path} has no manifest.json: editing is not finished", out)
    shard = EditPaths(make_edits()).shard(1)
    shard.write_bytes(shard.read_bytes()[:1000])
    refused(run("score", shard.parent, *options), f"{shard} has 1,000 bytes", out)


def test_a_judge_without_weights_is_refused(
    run: Callable, make_edits: Callable[..., Path], checkpoints: TinyPaths, tmp_path: Path
) -> None:
    judge = CheckpointPaths(Path(shutil.copytree(checkpoints.judge, tmp_path / "judge")))
    judge.weights()[0].unlink()
    outcome = run("score", make_edits(), "--model", judge.root, "--out", tmp_path / "out")
    refused(outcome, f"{judge.root} has no weights", tmp_path / "out")


def test_a_dry_run_of_edit_counts_and_writes_nothing(run: Callable, benchmark: Path, tmp_path: Path) -> None:
    status, said, complained = run("edit", benchmark, "--model", "copy", "--out", tmp_path / "out", "--dry-run")
    assert (status, complained) == (OK, "")
    assert "five, 5 samples" in said
    assert "unknown: no earlier run of this model here" in said
    assert not (tmp_path / "out").exists()


def test_a_dry_run_takes_its_seconds_from_an_earlier_run(
    run: Callable, benchmark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console.out, "width", 200)
    earlier = EditPaths(tmp_path / "earlier")
    earlier.attempt(1).root.mkdir(parents=True)
    model = {"kind": "control", "name": "copy"}
    identity.settle(earlier.identity, identity.make("edit", model=model, settings={}))
    files.dump(earlier.environment, {"devices": ["1 x cpu"]})
    earlier.attempt(1).rank_timings(0).write_text('{"keys": ["a"], "seconds": {"compute": 60}}')
    said = run("edit", benchmark, "--model", "copy", "--out", tmp_path / "out", "--dry-run", "--nproc", "2")[1]
    assert "150 (60 a sample in " in said  # 5 samples, 2 ranks


def test_a_folder_of_other_settings_is_refused_with_a_table(run: Callable, benchmark: Path, tmp_path: Path) -> None:
    from editbench import identity, run_folder
    from editbench.paths import RunPaths

    with run_folder.taken(RunPaths(tmp_path / "out"), identity.make("edit", settings={"seed": 1}), fresh=False):
        RunPaths(tmp_path / "out").manifest.touch()
    status, _, said = run("edit", benchmark, "--model", "copy", "--out", tmp_path / "out")
    assert status == USAGE
    assert "holds results of other settings" in said
    assert [word for line in said.splitlines() if "settings.seed" in line for word in line.split()[1::2]] == [
        "settings.seed",
        "1",
        "0",
    ]
    assert "--fresh" in said


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (Incomplete("3 failed", "Again."), INCOMPLETE, "error: 3 failed\nAgain.\n"),
        (Interrupted("stopped", "Again.", 143), 143, "error: stopped\nAgain.\n"),
        (ZeroDivisionError("oh"), BUG, "error: ZeroDivisionError: oh\nThis is a bug of editbench."),
    ],
)
def test_every_end_has_its_status_and_one_message(
    run: Callable, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, message: str
) -> None:
    from editbench.verify import stage

    def fail(_roots: list[Path], **_options: bool) -> None:
        raise error

    monkeypatch.setattr(stage, "verify", fail)
    ended, said, complained = run("verify", "folder")
    assert (ended, said) == (status, "")
    assert complained.startswith(message)
    monkeypatch.setattr(sys, "argv", ["editbench", "--debug", "verify", "folder"])
    with pytest.raises(type(error)):
        cli.main()


def test_wrong_usage_is_said(run: Callable, tmp_path: Path) -> None:
    for arguments, message in [
        (("edit", "bench", "--model", "copy"), "--out"),
        (("edit", "bench", "--model", "copy", "--out", tmp_path / "out", "--steps", "0"), "--steps"),
        (("score", "edits", "--modle", "judge"), "--modle"),
        (("scoer",), "scoer"),
    ]:
        status, _, said = run(*arguments)
        assert status == USAGE
        assert message in said


def test_a_map_without_a_column_is_refused(run: Callable, tmp_path: Path) -> None:
    outcome = run("import", "table.jsonl", "--out", tmp_path / "out", "--map", "instruction")
    refused(outcome, "--map instruction is not NAME=COLUMN", tmp_path / "out")


def test_verify_says_what_is_whole(run: Callable, benchmark: Path, make_edits: Callable[..., Path]) -> None:
    status, said, _ = run("verify", benchmark, make_edits())
    assert (status, said.count(", whole\n")) == (OK, 2)
    BenchmarkPaths(benchmark).shard(0).unlink()
    assert run("verify", benchmark)[0] == USAGE
