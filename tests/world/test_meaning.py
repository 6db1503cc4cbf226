"""A fault anywhere on the way from the pictures to the scores shows in how well the trained judge follows the truth.

Each test puts in one fault that leaves every row with a score that looks fine, and sees the rank correlation with the truth
fall. The judge runs as a rank runs it: edits on disk, rubric, batches, prefix cache, readout.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from scipy.stats import spearmanr
from torch.nn.utils import rnn

from editbench import images
from editbench.edit.spool import Spool
from editbench.fleet.worker import Pulse
from editbench.manifests import Named
from editbench.paths import EDITED, RECORD, EditPaths, ScorePaths, TinyPaths
from editbench.records import Sample
from editbench.score import rubric
from editbench.score.in_process import judge as in_process
from editbench.score.judge import Question
from editbench.score.qwen3vl import judge as qwen3vl
from editbench.score.qwen3vl import prefix_cache
from editbench.score.qwen3vl.judge import Qwen3VLJudge
from editbench.score.settings import ScoreSettings
from editbench.score.worker import ScoreWorker
from editbench.world.benchmark import WorldSample, samples
from editbench.world.editors import render_outcome
from editbench.world.training.tokens import reply
from editbench.world.truth import TRUTH, Outcome

PULSE = Pulse(step=lambda step, steps: None, ahead=lambda: None)
SHOWN = 64
"""Edits, of so many samples."""
SOUND, FAULTY = 0.94, 0.9
"""What the judge reaches at least, and what a fault leaves at most: correlation with the truth."""
RIGHT = 0.9
"""Share of right replies that it reaches at least."""

TWICE = """
extends = "world"
name = "twice"
score = "again"
[criteria.again]
range = [0, 10]
[questions.again]
images = ["source", "edited"]
criteria = ["again"]
text.en = {en}
text.zh = {zh}
"""


class Measured(NamedTuple):
    correlation: float
    """Spearman's, of the scores with the truth."""
    replies: float
    """Share of the replies that have the right reason, in the sample's language, and the right score."""


Accuracy = Callable[..., Measured]
Patch = pytest.MonkeyPatch


@pytest.fixture(scope="module")
def pairs() -> list[tuple[str, WorldSample, Outcome]]:
    """Key, sample and outcome; samples of every family in both languages, and every outcome as often."""
    return [
        (sample.id, sample, [*Outcome][(number + number // len(Outcome)) % len(Outcome)])
        for number, sample in enumerate(samples()[:SHOWN])
    ]


@pytest.fixture(scope="module")
def edits(pairs: list[tuple[str, WorldSample, Outcome]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("meaning") / "edits"
    paths = EditPaths(root)
    paths.spool.mkdir(parents=True)
    spool = Spool(paths, [key for key, _, _ in pairs], 16)
    for key, sample, outcome in pairs:
        about = {"instruction": sample.instruction, "category": sample.category, "language": sample.language}
        record = Sample(key=key, id=key, group=sample.source, **about)
        source = sample.task.source.render()
        edited = images.encode_png(render_outcome(outcome, sample, samples(), source))
        members = {"source.png": images.encode_png(source), EDITED: edited}
        spool.put(key, {**members, RECORD: orjson.dumps({**record.to_dict(), "edit": {"flags": []}})})
    spool.finish(Named(name="world", digest="b"), Named(name="mixed"), "i")
    return root


@pytest.fixture
def accuracy(pairs: list[tuple[str, WorldSample, Outcome]], edits: Path, checkpoints: TinyPaths, tmp_path: Path) -> Accuracy:
    """How well the judge follows the truth, as things are when it is called."""

    def measure(rubric_text: str = "", **settings: Any) -> Measured:
        ScorePaths(tmp_path / "scores").chunks.mkdir(parents=True)
        location = str(checkpoints.judge_world)
        chosen = {"dtype": "float32", "readout": "expected", "batch_size": 8, "max_new_tokens": 32, **settings}
        worker = ScoreWorker(
            edits=str(edits),
            out=str(tmp_path / "scores"),
            model={"kind": "folder", "name": "judge", "location": location, "identity": {}},
            rubric_text=rubric_text or rubric.load("world").text,
            settings=ScoreSettings(**chosen).to_dict(),
            plan=[*range(-(-len(pairs) // chosen["batch_size"]))],
        )
        worker.load("cpu")
        rows = {}
        for item in range(len(worker)):
            judged = worker.compute(item, worker.prepare(item), PULSE)
            rows |= {one.row.key: one.row for one in judged.values()}
        judgements, right = [rows[key] for key, _, _ in pairs], [TRUTH[outcome] for _, _, outcome in pairs]
        assert all(row.score is not None for row in judgements)
        correlation = spearmanr(right, [row.score for row in judgements]).statistic
        replies = [reply(outcome, sample.language, "generate").removesuffix("<|im_end|>") for _, sample, outcome in pairs]
        found = [row.response == text for row, text in zip(judgements, replies, strict=True)]
        return Measured(float(correlation), sum(found) / len(found))

    return measure


@pytest.mark.parametrize("readout", ["expected", "generate"])
def test_without_a_fault_the_judge_follows_the_truth(accuracy: Accuracy, readout: str) -> None:
    found = accuracy(readout=readout)
    assert found.correlation > SOUND
    assert readout == "expected" or found.replies > RIGHT


def asked(patch: Patch, change: Callable[[Sequence[Question]], list[Question]]) -> None:
    """Changes what the judge is asked, a batch at a time."""
    prepare = Qwen3VLJudge.prepare
    patch.setattr(Qwen3VLJudge, "prepare", lambda judge, questions: prepare(judge, change(questions)))


def exchanged_pictures(patch: Patch) -> None:
    asked(patch, lambda questions: [replace(one, images=one.images[::-1]) for one in questions])


def pictures_of_another_sample(patch: Patch) -> None:
    asked(
        patch,
        lambda questions: [replace(one, images=questions[place - 2].images) for place, one in enumerate(questions)],
    )


def a_dropped_picture(patch: Patch) -> None:
    asked(patch, lambda questions: [replace(one, images=one.images[1:]) for one in questions])


def greyscale_pictures(patch: Patch) -> None:
    decode = images.decode
    patch.setattr(images, "decode", lambda *given: decode(*given).convert("L").convert("RGB"))


def padding_on_the_right(patch: Patch) -> None:
    def right(rows: Any, **given: Any) -> torch.Tensor:
        return rnn.pad_sequence(rows, **{**given, "padding_side": "right"})

    patch.setattr(prefix_cache, "pad_sequence", right)


def loaded(patch: Patch, change: Callable[[Any], None]) -> None:
    """Changes the model when it has been loaded."""
    load = qwen3vl.loading.load

    def changed(*given: Any) -> Any:
        model, notes = load(*given)
        change(model)
        return model, notes

    patch.setattr(qwen3vl.loading, "load", changed)


def positions_off_by_the_width_of_a_picture(patch: Patch) -> None:
    """All that comes after the first picture stands one picture further on."""

    def change(model: Any) -> None:
        index = model.model.get_rope_index

        def off(input_ids: torch.Tensor, *more: Any, image_grid_thw: torch.Tensor) -> Any:
            position_ids, deltas = index(input_ids, *more, image_grid_thw=image_grid_thw)
            first = image_grid_thw[0].prod() // 4
            behind = (input_ids[0] == model.config.image_token_id).cumsum(0) > first
            return position_ids + behind * image_grid_thw[0, 2] // 2, deltas

        model.model.get_rope_index = off

    loaded(patch, change)


def scores_read_at_the_token_before(patch: Patch) -> None:
    def change(model: Any) -> None:
        forward = model.model.language_model.forward

        def late(*given: Any, **named: Any) -> Any:
            made = forward(*given, **named)
            made.last_hidden_state = made.last_hidden_state.roll(1, 1)
            return made

        model.model.language_model.forward = late

    loaded(patch, change)


def ten_read_as_one(patch: Patch) -> None:
    distribution = in_process.distribution
    patch.setattr(in_process, "distribution", lambda criterion, digits, zero: distribution(criterion, digits, 0.0))


def a_prompt_in_the_other_language(patch: Patch) -> None:
    asks = rubric.Rubric.asks

    def other(self: rubric.Rubric, sample: Sample, language: str | None, *more: Any) -> Any:
        return asks(self, sample, {"en": "zh", "zh": "en"}[sample.language], *more)

    patch.setattr(rubric.Rubric, "asks", other)


def exchanged_rows(patch: Patch) -> None:
    answer = Qwen3VLJudge.answer

    def exchange(judge: Qwen3VLJudge, *given: Any) -> Any:
        replies = answer(judge, *given)
        return [replies[place ^ 1] if place ^ 1 < len(replies) else reply for place, reply in enumerate(replies)]

    patch.setattr(Qwen3VLJudge, "answer", exchange)


def a_prefix_of_another_sample(patch: Patch) -> None:
    keep = prefix_cache.PrefixCache._keep

    def shifted(caches: Any, prompts: Sequence[Any], cache: Any) -> None:
        keep(caches, prompts, cache)
        for row, prompt in enumerate(prompts):
            prefix, _ = caches._prefixes.get(*prompt.question.images)
            caches._prefixes.put((prefix, (row + 2) % len(prompts)), *prompt.question.images)

    patch.setattr(prefix_cache.PrefixCache, "_keep", shifted)


@pytest.mark.parametrize(
    "fault",
    [
        exchanged_pictures,
        pictures_of_another_sample,
        a_dropped_picture,
        greyscale_pictures,
        padding_on_the_right,
        positions_off_by_the_width_of_a_picture,
        scores_read_at_the_token_before,
        ten_read_as_one,
        exchanged_rows,
    ],
)
def test_a_fault_shows(accuracy: Accuracy, monkeypatch: Patch, fault: Callable[[Patch], None]) -> None:
    fault(monkeypatch)
    assert accuracy().correlation < FAULTY


def test_a_prompt_in_the_other_language_shows(accuracy: Accuracy, monkeypatch: Patch) -> None:
    """The score hardly suffers from it; its reason is told in the prompt's language."""
    a_prompt_in_the_other_language(monkeypatch)
    assert accuracy(readout="generate").replies < RIGHT / 2


def test_two_questions_share_their_prefix_without_harm(accuracy: Accuracy) -> None:
    assert accuracy(twice()).correlation > SOUND


def test_a_shared_prefix_of_another_sample_shows(accuracy: Accuracy, monkeypatch: Patch) -> None:
    a_prefix_of_another_sample(monkeypatch)
    assert accuracy(twice()).correlation < FAULTY


def twice() -> str:
    """A rubric that asks the same question once more and counts the second answer, which goes on from the first prefix."""
    text = tomllib.loads(rubric.load("world").text)["questions"]["edit"]["text"]
    return TWICE.format(**{language: json.dumps(words, ensure_ascii=False) for language, words in text.items()})
