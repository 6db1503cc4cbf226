"""The parts of the stage that need no ranks."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from editbench import files, identity, images
from editbench.errors import UserError
from editbench.fleet import attempts
from editbench.fleet import stage as life
from editbench.fleet.run_options import RunOptions
from editbench.manifests import EditsFacts, Named
from editbench.paths import ScorePaths, TinyPaths
from editbench.records import ERROR, OK, UNPARSED, Judgement
from editbench.score.chunks import Chunks, RowFile
from editbench.score.settings import ScoreSettings, percentage
from editbench.score.stage import ScoreStage, score

from .judges import KEYS, Fixed


@pytest.fixture
def finished(tmp_path: Path):
    """The stage of a run of two samples, one a chunk, that has finished with these statuses."""

    def make(*statuses: str) -> ScoreStage:
        paths = ScorePaths(tmp_path)
        chunks = Chunks(paths, [RowFile(paths.scores, [("k0", ""), ("k1", "")], range(2))])
        chunks.paths.chunks.mkdir()
        for number, status in enumerate(statuses):
            about = {"key": f"k{number}", "id": "k", "category": "c", "language": "en", "group": "g"}
            chunks.put(number, [Judgement(**about, status=status, score=1.0 if status == OK else None)])
        chunks.finish(EditsFacts(digest="e", benchmark=Named(name="b"), model=Named(name="m")), "i")
        nothing = dict.fromkeys(("model", "devices", "edits", "anchors", "rubric"))
        stage = ScoreStage(**nothing, paths=paths, options=RunOptions(), identity={}, settings=ScoreSettings(), retry=())
        vars(stage)["chunks"] = chunks
        return stage

    return make


def asked(stage: ScoreStage, retry: Collection[str] = (), **options: Any) -> ScoreStage:
    """The same run, asked for in another way."""
    other = replace(stage, retry=retry, options=RunOptions(**options))
    vars(other)["chunks"] = stage.chunks
    return other


def reopened(stage: ScoreStage) -> list[int]:
    """What is to be judged again."""
    manifest = stage.finished()
    owed = stage.unfinished(manifest)
    assert owed == stage.owed()
    assert stage.paths.manifest.exists()
    stage.reopen(manifest)
    assert stage.begin() == owed
    return owed


def test_a_finished_run_without_errors_is_complete(finished: Any) -> None:
    stage = finished(OK, UNPARSED)
    assert (stage.unfinished(stage.finished()), stage.owed()) == (None, [])
    assert stage.finished().statuses == {OK: 1, UNPARSED: 1}


def test_more_errors_than_allowed_are_judged_again_and_no_others(finished: Any) -> None:
    stage = finished(OK, ERROR)
    assert asked(stage, max_failures="1").owed() == []
    assert str(stage.shortfall(stage.finished())) == "1 of 2 samples ended in an error"
    assert reopened(stage) == [1]


def test_what_is_to_be_retried_is_judged_again_with_the_errors(finished: Any) -> None:
    stage = finished(OK, UNPARSED)
    assert asked(stage, ("refused",)).owed() == []
    assert reopened(asked(stage, ("refused", UNPARSED))) == [1]


@pytest.mark.parametrize("status", [OK, "edit_failed", "unread"])
def test_a_status_that_can_not_be_retried_is_refused(tmp_path: Path, status: str) -> None:
    with pytest.raises(UserError, match=f"--retry {status} is no status to ask again for"):
        score(tmp_path, "judge", "five", tmp_path / "out", ScoreSettings(), RunOptions(), (status,))


@pytest.mark.parametrize("rows", [None, b"", b"{}\n"])
def test_rows_that_are_lost_or_changed_are_judged_again(finished: Any, rows: bytes | None) -> None:
    stage = finished(OK, ERROR)
    stage.paths.scores.unlink() if rows is None else stage.paths.scores.write_bytes(rows)
    assert reopened(stage) == [0, 1]


def check(edits: Path, judge: str, rubric: str = "five", **settings: Any) -> Any:
    return ScoreStage.plan(edits, judge, rubric, edits.parent / "scores", ScoreSettings(**settings), RunOptions())


def test_what_decides_the_scores_is_the_identity(make_edits: Callable[..., Path], checkpoints: TinyPaths) -> None:
    edits, judge = make_edits(), str(checkpoints.judge)
    plan = check(edits, judge)
    assert plan.settings.dtype in ("float32", "bfloat16")
    assert check(edits, judge).identity == plan.identity
    for other in (
        check(edits, judge, batch_size=4),
        check(edits, judge, language="zh"),
        check(edits, judge, forced=False),
        check(edits, judge, max_text=100),
        check(edits, judge, votes=2, temperature=0.5),
        check(edits, str(checkpoints.judge_moe)),
    ):
        assert other.identity["digest"] != plan.identity["digest"]


def square(side: int) -> bytes:
    return images.encode_png(Image.new("RGB", (side, side)))


def test_the_longest_chunk_is_judged_first(make_edits: Callable[..., Path], checkpoints: TinyPaths) -> None:
    first, *_, fourth, last = KEYS
    edits = make_edits(failed=(first,), edited={fourth: square(512), last: square(768)})
    plan = check(edits, str(checkpoints.judge), batch_size=1)
    assert ([*plan.pending()[:2], plan.pending()[-1]], sorted(plan.pending())) == ([4, 3, 0], [0, 1, 2, 3, 4])


def settled(edits: Path, judge: str, *, fresh: bool = False, **settings: Any) -> Any:
    out, options = edits.parent / "scores", RunOptions(fresh=fresh)
    return ScoreStage.plan(edits, judge, "five", out, ScoreSettings(**settings), options).settings.batch_size


def test_the_size_of_batches_is_that_of_the_folder_or_follows_from_the_set(
    make_edits: Callable[..., Path], checkpoints: TinyPaths
) -> None:
    edits, judge = make_edits(), str(checkpoints.judge)
    earlier = check(edits, judge, batch_size=8)
    assert (settled(edits, judge), settled(edits, judge, batch_tokens=99)) == (1, None)
    earlier.paths.root.mkdir()
    files.dump(earlier.paths.identity, earlier.identity)
    assert check(edits, judge).identity == earlier.identity
    assert (settled(edits, judge, batch_size=2), settled(edits, judge, fresh=True)) == (2, 1)


@pytest.mark.parametrize("parts", [{}, {"settings": None}, {"settings": {"batch_size": "8"}}, {"settings": {"batch_size": -8}}])
def test_a_folder_of_something_else_settles_no_size(
    make_edits: Callable[..., Path], checkpoints: TinyPaths, parts: dict[str, Any]
) -> None:
    edits = make_edits()
    paths = ScorePaths(edits.parent / "scores")
    paths.root.mkdir()
    files.dump(paths.identity, identity.make("edit", **parts))
    assert settled(edits, str(checkpoints.judge)) == 1


def test_a_letter_changed_in_the_rubric_is_another_identity(
    make_edits: Callable[..., Path], checkpoints: TinyPaths, tmp_path: Path
) -> None:
    edits, judge = make_edits(), str(checkpoints.judge)
    plan = check(edits, judge)
    mine = tmp_path / "mine.toml"
    mine.write_text(plan.rubric.text)
    assert check(edits, judge, str(mine)).identity == plan.identity
    mine.write_text(f"{plan.rubric.text}# \n")
    assert check(edits, judge, str(mine)).identity["digest"] != plan.identity["digest"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"language": "fr"}, "has no language fr"),
        ({"readout": "guess"}, "readout guess is unknown"),
        ({"max_pixels": 9}, "a picture can't have"),
        ({"dtype": "int8"}, "--dtype int8 is unknown"),
        ({"audit": 101.0}, "--audit 101% is no share"),
        ({"batch_size": 8, "batch_tokens": 99}, "--batch-size and --batch-tokens are two ways"),
        ({"votes": 2}, "2 votes at temperature 0 are the same 2 times"),
        ({"votes": 2, "temperature": 1.0, "readout": "expected"}, "does not go with readout expected"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    make_edits: Callable[..., Path], checkpoints: TinyPaths, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        check(make_edits(), str(checkpoints.judge), **settings)


def test_the_anchors_and_the_share_that_is_audited_are_part_of_the_identity(
    make_edits: Callable[..., Path], checkpoints: TinyPaths
) -> None:
    edits, judge = make_edits(), str(checkpoints.judge)
    plan = check(edits, judge)
    anchored = ScoreStage.plan(edits, judge, "five", edits.parent / "scores", plan.settings, RunOptions(), edits)
    assert (plan.identity["anchors"], anchored.identity["anchors"]) == (None, plan.identity["edits"])
    assert check(edits, judge, audit=10.0).identity["settings"]["audit"] == 10
    assert [len(file.starts) for file in anchored.chunks.files] == [5, 5]


def test_a_run_tells_its_ranks_and_its_environment_where_the_input_lies(
    make_edits: Callable[..., Path], checkpoints: TinyPaths
) -> None:
    edits = make_edits()
    settings, out = ScoreSettings(batch_tokens=1), edits.parent / "out" / "scores"
    stage = ScoreStage.plan(edits, str(checkpoints.judge), "five", out, settings, RunOptions(), edits)
    assert stage.environment() == {
        "edits": "../../edits",
        "anchors": "../../edits",
        "judge": "the fast path for Qwen3-VL",
    }
    assert (stage.worker_settings()["starts"], stage.total) == ([[0, 1, 2, 3, 4], [], [0, 1, 2, 3, 4]], 10)


def test_a_node_joins_a_run_that_is_asked_again(finished: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stage, joined = finished(OK, UNPARSED), []
    monkeypatch.setattr(life.run_folder, "await_head", lambda *_: None)
    monkeypatch.setattr(attempts, "join", joined.append)
    node = {"nnodes": 2, "node_rank": 1, "rdzv_endpoint": "head:1"}
    life.run(asked(stage, **node))
    assert not joined
    life.run(asked(stage, (UNPARSED,), **node))
    assert joined


def test_asking_a_judge_again_that_answers_as_it_did_is_warned_of(
    make_edits: Callable[..., Path], checkpoints: TinyPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    edits, again = make_edits(), RunOptions(dry_run=True)
    for model in (str(checkpoints.judge), f"{Fixed.__module__}:{Fixed.__name__}"):
        score(edits, model, "five", edits.parent / "out", ScoreSettings(), again, (UNPARSED,))
    assert capsys.readouterr().err.count("the judge answers as it did") == 1


@pytest.mark.parametrize(("text", "share"), [("10%", 10.0), ("2.5", 2.5), ("0%", 0.0)])
def test_a_share_is_a_percentage(text: str, share: float) -> None:
    assert percentage(text) == share


@pytest.mark.parametrize("text", ["", "ten", "-1%", "1/10"])
def test_a_share_that_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="is no percentage"):
        percentage(text)
