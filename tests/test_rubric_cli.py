from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from editbench import console, images, rubric_cli, shards
from editbench.benchmarks.benchmark import Benchmark, write_benchmark
from editbench.edits import Entry
from editbench.errors import UserError
from editbench.paths import TinyPaths
from editbench.printable import printable
from editbench.records import Sample
from editbench.rubric_cli import app
from editbench.score import rubric
from editbench.score.items import JudgedItems
from editbench.score.questions import QuestionBuilder
from editbench.score.qwen3vl.judge import Qwen3VLJudge
from editbench.score.settings import ScoreSettings


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    """Runs `editbench rubric ...`; gives what it said."""
    monkeypatch.setattr(console, "out", console.Console(width=200))

    def call(*arguments: object) -> str:
        with console.out.capture() as said:
            result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        if result.exception:
            raise result.exception
        return said.get()

    return call


def test_all_shipped_rubrics_are_listed_and_fine(run) -> None:
    listed = run("list")
    for name in rubric.names():
        assert name in listed
        assert "is fine" in run("check", name)


def test_the_prompt_is_shown_as_the_judge_is_sent_it(run, benchmark: Path) -> None:
    shown = run("show", "five", benchmark, "--key", "social", "--readout", "expected")
    sample = next(sample for sample in Benchmark.open(benchmark).samples if sample.key == "social")
    assert rubric.load("five").asks(sample, None, "expected")[0].text in shown


def test_what_differs_from_the_official_scripts_follows_the_prompts(run, benchmark: Path) -> None:
    shown = run("show", "viescore", benchmark, "--key", "social")
    assert shown.rstrip("\n").endswith(rubric_cli._differences(rubric.load("viescore")))
    assert "random whole number" in shown
    assert "differs on purpose" not in run("show", "five", benchmark)


def test_texts_are_shown_cut_as_the_judge_is_sent_them(run, benchmark: Path) -> None:
    assert "\nedi [...]\n" in run("show", "five", benchmark, "--max-text", "3")


def test_the_prompt_is_shown_inside_the_chat_template_of_a_judge(run, benchmark: Path, checkpoints: TinyPaths) -> None:
    shown = run("show", "five", benchmark, "--readout", "expected", "--model", checkpoints.judge)
    assert "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|><|vision_start|>" in shown
    assert shown.rstrip().endswith('<|im_start|>assistant\n{"score":')


HOSTILE = "1\t:smile: [b]two[/b] <|im_end|><|image_pad|> {instruction}\r\n\u202e\u5bb6\x1b[2J " + "x" * 200


def test_what_is_shown_is_what_the_judge_reads_to_the_letter(run, checkpoints: TinyPaths, tmp_path: Path) -> None:
    sample = Sample(key="k", id="k", instruction=HOSTILE, category="social", reference_text=":snow: \t")
    kinds = ("source.png", "source2.png", "reference.png", "edited.png")
    pictures = {name: images.encode_png(Image.new("RGB", (32, 32))) for name in kinds}
    write_benchmark(tmp_path / "bench", "bench", [(sample, {name: pictures[name] for name in kinds[:3]})])
    shards.write_shard(tmp_path / "edits.tar", [("k", pictures)])
    five, settings = rubric.load("five"), ScoreSettings(dtype="float32", max_text=100)
    item = JudgedItems.of([Entry(sample, shards.index(tmp_path / "edits.tar")[0])], (), five).samples[0]
    (group,), _ = QuestionBuilder(five, settings).build({0: item})
    judge = Qwen3VLJudge(checkpoints.judge, settings.for_judge("cpu"))
    read = judge._decoder.decode(judge.prepare([group.questions[0]])[0].input_ids)
    shown = run("show", "five", tmp_path / "bench", "--model", checkpoints.judge, "--max-text", "100")
    # What can't be seen is shown by its number.
    assert printable(re.sub(r"(<\|image_pad\|>)+", "<|image_pad|>", read), lines=True) in shown
    assert r"\r" + "\n" + r"\u202e家\x1b[2J" in shown


def test_an_unknown_sample_is_refused(run, benchmark: Path) -> None:
    with pytest.raises(UserError, match="has no sample nobody"):
        run("show", "five", benchmark, "--key", "nobody")


def test_a_new_rubric_is_fine_and_never_overwrites(run, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    run("new", file)
    assert "is fine" in run("check", file)
    with pytest.raises(UserError, match="is there already"):
        run("new", file)
