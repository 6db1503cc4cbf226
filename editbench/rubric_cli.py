"""`editbench rubric ...`: what rubrics there are, what the judge is told, and a start for one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from editbench.errors import UserError
from editbench.options import PathArgument, PathOption
from editbench.records import GENERATE
from editbench.score.settings import MAX_TEXT, LanguageOption, MaxText, ReadoutOption, ScoreSettings
from editbench.wording import counted

if TYPE_CHECKING:
    from editbench.score.rubric import Rubric
    from editbench.score.rubric.prompts import Ask

app = typer.Typer(help="Look at rubrics, check them, start one.", no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME|FILE.toml", help="A shipped rubric, or a file.")]


@app.command("list")
def list_() -> None:
    """Name the shipped rubrics, with their criteria and categories."""
    from editbench import console
    from editbench.score import rubric

    loaded = [rubric.load(name) for name in rubric.names()]
    rows = [
        (
            f"{each.name} v{each.version}",
            "{}..{}".format(*each.scale),
            ", ".join(each.languages),
            _few([criterion.name for criterion in each.criteria]),
            _few(each.categories) if each.categories else "any",
        )
        for each in loaded
    ]
    console.show(console.escaped_table(("rubric", "scale", "languages", "criteria", "categories"), rows))


def _few(names: Sequence[str]) -> str:
    """All of a few, one a line; of many their number: `check` names the criteria, and `new` and the files the categories."""
    return "\n".join(names) if len(names) <= 5 else str(len(names))


@app.command()
def show(
    name: Name,
    benchmark: Annotated[Path, PathArgument(help="The benchmark that the sample is from.")],
    key: Annotated[str | None, typer.Option(help="Which sample; default: the first.")] = None,
    readout: ReadoutOption = GENERATE,
    language: LanguageOption = None,
    max_text: MaxText = MAX_TEXT,
    model: Annotated[
        Path | None, PathOption(metavar="DIR", help="A judge's folder: show the prompt inside its chat template.")
    ] = None,
) -> None:
    """Print the prompts that the judge is sent for a sample, to the letter, and what differs from the official scripts.

    Only control characters and others that can't be seen are shown by their number, such as \\x1b.
    """
    from rich.segment import Segment, Segments

    from editbench import console
    from editbench.benchmarks.benchmark import Benchmark
    from editbench.score import questions, rubric

    opened = Benchmark.open(benchmark)
    indices = {sample.key: index for index, sample in enumerate(opened.samples)}
    if key is not None and key not in indices:
        raise UserError(f"{benchmark} has no sample {key}", f"The first is {opened.samples[0].key}.")
    index = indices[key] if key is not None else 0
    chosen = rubric.load(name)
    chosen.check_samples([opened.samples[index]])
    stored = opened.stored[index]
    kinds = (*("source" for _ in stored.images("source")), "edited", *("reference" for _ in stored.images("reference")))
    settings = ScoreSettings(readout=readout, language=language, max_text=max_text)
    asks = questions.asks(opened.samples[index], kinds, chosen, settings)
    texts = (_shown(_in_template(asks, model) if model else asks), _differences(chosen))
    # As segments: in a text that is printed, emoji codes and tabs are replaced.
    console.out.print(Segments([Segment("\n\n".join(filter(None, texts)) + "\n")]), crop=False)


def _in_template(asks: list[Ask], folder: Path) -> list[Ask]:
    """The prompts, each inside the chat template of the judge in `folder`."""
    from editbench.score.in_process.chat_template import ChatTemplate

    chat = ChatTemplate.open(folder)
    return [replace(ask, text=chat.prompt(len(ask.images), ask.text, ask.answer_prefix)) for ask in asks]


@app.command()
def check(name: Name) -> None:
    """Check a rubric: every text, criterion and formula; a fault is named with file and key."""
    from editbench import console
    from editbench.score import rubric

    chosen = rubric.load(name)
    criteria = ", ".join(criterion.name for criterion in chosen.criteria)
    asked = counted(len(chosen.questions), "question")
    console.say(f"{name}: rubric {chosen.name} v{chosen.version} is fine; {asked}; criteria {criteria}")


@app.command()
def new(file: Annotated[Path, PathArgument(help="File to write.")]) -> None:
    """Write a commented rubric to start from."""
    from editbench import atomic, console
    from editbench.score import rubric

    if file.exists():
        raise UserError(f"{file} is there already", "Choose another name.")
    if not file.parent.is_dir():
        raise UserError(f"no folder {file.parent}", "Make it, or choose another one.")
    atomic.sweep(file.parent, file.name)
    atomic.write(file, rubric.template().encode())
    console.say(f"{file}: change its words, then: editbench rubric check {file}")


def _shown(asks: Sequence[Ask]) -> str:
    """Texts, each under a line that tells its question and pictures."""
    return "\n\n".join(_titled(ask, number, len(asks)) for number, ask in enumerate(asks, 1))


def _differences(rubric: Rubric) -> str:
    """How the rubric says that it differs from the official scripts, under a line like those of prompts; empty for nothing."""
    lines = (f"- {' '.join(text.split())}" for text in rubric.differs)
    return "\n".join(("=== differs on purpose from the official scripts", *lines)) if rubric.differs else ""


def _titled(ask: Ask, number: int, count: int) -> str:
    ranges = ", ".join(f"{entry.name} {entry.lowest}..{entry.highest}" for entry in ask.criteria)
    starts = f"; the answer starts with {ask.answer_prefix}" if ask.answer_prefix else ""
    return f"=== {number} of {count}: {ask.question} ({ranges}); pictures: {', '.join(ask.images)}{starts}\n{ask.text}"
