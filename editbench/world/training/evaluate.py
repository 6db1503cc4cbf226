"""How well a judge tells the small world's outcomes apart, through the project's own judge:

    python -m editbench.world.training.evaluate JUDGE [--seed other --sources 3]

The default seed is that of the committed benchmark; another one draws samples like it, for choosing between judges.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image
from scipy.stats import spearmanr

from editbench import console
from editbench.records import EXPECTED, READOUTS, Readout, Sample
from editbench.score import rubric, votes
from editbench.score.judge import JudgeSettings, Question
from editbench.score.qwen3vl.judge import Qwen3VLJudge
from editbench.world.benchmark import LANGUAGES, SOURCES, WorldSample, drawn
from editbench.world.editors import render_outcome
from editbench.world.families import NAMES
from editbench.world.truth import EDITORS, TRUTH, Outcome

BATCH = 16
QUALITY = 88
"""Of the source pictures, as JPEG."""


@dataclass(frozen=True, slots=True)
class Judged:
    """`score`: None where the reply could not be read."""

    sample: WorldSample
    outcome: Outcome
    score: float | None


def main(
    judge: Annotated[Path, typer.Argument(help="Its folder.")],
    seed: Annotated[str, typer.Option(help="Of the samples; that of the committed benchmark is world.")] = "world",
    sources: Annotated[int, typer.Option(help="Pictures a family.")] = SOURCES,
    dtype: str = "float32",
) -> None:
    samples = drawn(seed, sources)
    for readout in READOUTS:
        for line in summary(judged(judge, readout, samples, dtype)):
            console.say(f"{readout:9s} {line}")


def judged(folder: Path, readout: Readout, samples: Sequence[WorldSample], dtype: str = "float32") -> list[Judged]:
    """Every outcome of every sample."""
    judge = Qwen3VLJudge(folder, JudgeSettings(device="cpu", dtype=dtype, readout=readout, max_new_tokens=48))
    read = votes.distributed if readout == EXPECTED else votes.written
    shown = [(sample, outcome) for sample in samples for outcome in Outcome]
    pairs = []
    for start in range(0, len(shown), BATCH):
        some = shown[start : start + BATCH]
        questions = [_question(sample, outcome, samples, readout) for sample, outcome in some]
        for one, question, reply in zip(some, questions, judge.answer(judge.prepare(questions)), strict=True):
            pairs.append(Judged(*one, read("edit", question.criteria, reply).criteria.get("score")))
    return pairs


def _question(sample: WorldSample, outcome: Outcome, samples: Sequence[WorldSample], readout: Readout) -> Question:
    buffer = io.BytesIO()
    sample.task.source.render().save(buffer, "JPEG", quality=QUALITY)
    source = Image.open(buffer).convert("RGB")
    record = Sample(
        key=sample.id, id=sample.id, instruction=sample.instruction, category=sample.category, language=sample.language
    )
    (ask,) = rubric.load("world").asks(record, None, readout)
    pictures = (source, render_outcome(outcome, sample, samples, source))
    return Question(sample.id, pictures, ask.text, ask.answer_prefix, ask.criteria)


def summary(pairs: Sequence[Judged]) -> list[str]:
    """Correlation with the truth, how often a right edit beats none, and means, in lines."""
    unread = sum(one.score is None for one in pairs)
    lines = [f"{len(pairs)} pairs, {unread} unread; Spearman with the truth {_correlation(pairs):.3f}"]
    lines += [_part(language, pairs, lambda one: one.sample.language) for language in LANGUAGES]
    lines += [_part(family, pairs, lambda one: one.sample.family) + _values(family, pairs) for family in NAMES]
    by_outcome = {outcome: [one.score for one in pairs if one.outcome == outcome] for outcome in Outcome}
    right, nothing = by_outcome[Outcome.RIGHT], by_outcome[Outcome.NOTHING]
    wins = np.mean([(a or 0) > (b or 0) for a, b in zip(right, nothing, strict=True)])
    lines.append(f"a right edit beats none in {wins:.1%}")
    for outcome, scores in by_outcome.items():
        read = [score for score in scores if score is not None]
        near = np.mean([score is not None and abs(score - TRUTH[outcome]) <= 0.5 for score in scores])
        editors = ", ".join(name for name, made in EDITORS.items() if made == outcome)
        lines.append(f"{outcome:9s} truth {TRUTH[outcome]:2d}, mean {np.mean(read):5.2f}, within 0.5 {near:.0%} {editors}")
    return lines


def _part(name: str, pairs: Sequence[Judged], of: Callable[[Judged], str]) -> str:
    return f"{name:9s} {_correlation([one for one in pairs if of(one) == name]):.3f}"


def _values(family: str, pairs: Sequence[Judged]) -> str:
    """The means of right edits, and of those of the right kind with another value."""
    means = [
        np.mean([one.score or 0 for one in pairs if (one.sample.family, one.outcome) == (family, outcome)])
        for outcome in (Outcome.RIGHT, Outcome.VALUE)
    ]
    return f"  right {means[0]:5.2f}, another value {means[1]:5.2f}"


def _correlation(pairs: Sequence[Judged]) -> float:
    read = [(TRUTH[one.outcome], one.score) for one in pairs if one.score is not None]
    return float(spearmanr(*zip(*read, strict=True)).statistic) if read else float("nan")


if __name__ == "__main__":
    typer.run(main)
