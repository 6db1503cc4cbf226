"""`editbench world accuracy` says of a judge's scores how far they follow the truth of the small world."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from scipy.stats import spearmanr
from typer.testing import CliRunner

from editbench import cli, images
from editbench.calibration import measure
from editbench.edit.spool import Spool
from editbench.errors import UserError
from editbench.manifests import Named
from editbench.paths import EDITED, RECORD, EditPaths
from editbench.records import Sample
from editbench.world.benchmark import WorldSample, samples
from editbench.world.editors import truth
from editbench.world.families import NAMES
from editbench.world.truth import COPY, EDITORS

from .conftest import judgement

Score = Callable[..., Path]
Rule = Callable[[WorldSample, int], float | None]
"""What a judge says of a sample's edit that deserves so much."""


@pytest.fixture
def score(make_scores: Callable[..., Path]) -> Score:
    def make(editor: str, rule: Rule = lambda _, deserved: float(deserved), name: str = "", **more: str) -> Path:
        rows = [
            judgement(
                sample.id, sample.category, sample.source, rule(sample, truth(editor)[sample.id]), language=sample.language
            )
            for sample in samples()
        ]
        return make_scores(name or editor, judgements=rows, editor=editor, **more)

    return make


def test_a_judge_that_says_the_truth_has_it_all(score: Score) -> None:
    accuracy = measure([score(editor) for editor in (COPY, *EDITORS)])
    assert (accuracy.edits, accuracy.unscored) == (540, 0)
    parts = (accuracy.everything, *accuracy.languages, *accuracy.families)
    assert [part.name for part in parts] == ["all", "en", "zh", *NAMES]
    assert all(part.spearman.value == pytest.approx(1) for part in parts)
    assert accuracy.wins.value == 1
    assert [mean.editor for mean in accuracy.editors] == [
        "perfect",
        "over-editing",
        "half-hearted",
        "mixed",
        "wrong-place",
        "copy",
    ]
    assert all(mean.mean.value == pytest.approx(mean.truth) for mean in accuracy.editors)


def test_what_a_judge_gets_wrong_shows_where_it_is_wrong(score: Score) -> None:
    def half_blind(sample: WorldSample, deserved: int) -> float | None:
        if sample.family == "melt":
            return None
        return 10.0 - deserved if sample.language == "zh" else float(deserved)

    accuracy = measure([score("mixed", half_blind), score("perfect", half_blind), score("copy", half_blind)])
    english, chinese = accuracy.languages
    assert english.spearman.value == pytest.approx(1)
    assert chinese.spearman.value == pytest.approx(-1)
    assert english.spearman.value > accuracy.everything.spearman.value > chinese.spearman.value
    assert accuracy.unscored == 18
    melt = accuracy.families[NAMES.index("melt")]
    assert (melt.edits, melt.spearman.value) == (0, None)
    assert accuracy.wins.value == pytest.approx(42 / 90)  # none where a score is missing, none in Chinese
    low, high = accuracy.wins.interval
    assert low < 42 / 90 < high


def test_correlation_is_spearmans_over_all_edits(score: Score) -> None:
    def noisy(sample: WorldSample, deserved: int) -> float:
        return (deserved + len(sample.instruction)) % 11 / 2

    accuracy = measure([score("mixed", noisy), score("half-hearted", noisy)])
    pairs = [
        (truth(editor)[sample.id], noisy(sample, truth(editor)[sample.id]))
        for editor in ("mixed", "half-hearted")
        for sample in samples()
    ]
    assert accuracy.everything.spearman.value == pytest.approx(spearmanr(*zip(*pairs, strict=True)).statistic)
    low, high = accuracy.everything.spearman.interval
    assert low < accuracy.everything.spearman.value < high
    assert accuracy.wins is None


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({"editor": "perfect", "judge": "another"}, "not of one judge"),
        ({"editor": "perfect", "readout": "expected"}, "not of one judge"),
        ({"editor": "mixed"}, "given already"),
    ],
)
def test_scores_that_do_not_belong_together_are_refused(score: Score, second: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        measure([score("mixed"), score(name="second", **second)])


def test_scores_of_other_edits_or_samples_are_refused(make_scores: Callable[..., Path]) -> None:
    with pytest.raises(UserError, match="what edits by somebody deserve is not known"):
        measure([make_scores("one", editor="somebody")])
    with pytest.raises(UserError, match="no sample of shards/world"):
        measure([make_scores("two", editor="copy")])


def test_the_command_line_prints_it(score: Score) -> None:
    done = CliRunner().invoke(cli.app, ["world", "accuracy", str(score("perfect")), str(score("copy"))])
    assert done.exit_code == 0


def test_the_truth_is_written_of_the_edits_that_there_are(tmp_path: Path, make_edits: Callable[..., Path]) -> None:
    sample = samples()[0]
    spool = Spool(EditPaths(tmp_path / "mixed"), [sample.id], 1)
    spool.paths.spool.mkdir(parents=True)
    record = Sample(key=sample.id, id=sample.id, instruction=sample.instruction, category=sample.category)
    picture = images.encode_png(sample.task.source.render())
    spool.put(sample.id, {"source.png": picture, EDITED: picture, RECORD: record.to_json()})
    spool.finish(Named(name="world", digest="b"), Named(name="mixed"), "i")
    command = ["world", "truth", str(tmp_path / "mixed"), str(tmp_path / "truth.csv")]
    assert CliRunner().invoke(cli.app, command).exit_code == 0
    assert (tmp_path / "truth.csv").read_text() == f"key,score\n{sample.id},{truth('mixed')[sample.id]}\n"
    with pytest.raises(UserError, match="no sample of shards/world"):
        CliRunner().invoke(cli.app, [*command[:2], str(make_edits()), str(tmp_path / "x.csv")], catch_exceptions=False)
