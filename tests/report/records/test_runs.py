from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from editbench import identity
from editbench.errors import UserError
from editbench.paths import ScorePaths
from editbench.report.records import runs

from ..conftest import judgement

Make = Callable[..., Path]


def test_facts_come_from_the_identity(make_scores: Make) -> None:
    facts = runs.load(make_scores(editor="Qwen/Edit", readout="expected")).facts
    assert (facts.editor.name, facts.judge.name, facts.readout) == ("Qwen/Edit", "judge", "expected")
    assert (str(facts.rubric), facts.rubric.scale, facts.benchmark) == ("five v1", (0.0, 10.0), runs.Versioned("sample", "b0"))


def test_an_identity_that_tells_little_still_loads(make_scores: Make) -> None:
    root = make_scores()
    ScorePaths(root).identity.write_bytes(orjson.dumps(identity.make("score", edits=None)))
    facts = runs.load(root).facts
    assert (facts.editor.name, facts.rubric.scale) == (runs.UNKNOWN, None)


def test_the_rubric_tells_its_protocol(make_scores: Make) -> None:
    headline = {"aggregate": "macro", "percent": [1, 25], "accuracy": True, "pools": {"p": ["a"]}}
    given = {"headline": headline, "criteria": {"c": [1, 5]}, "spellings": {"a_b": "a"}}
    facts = runs.load(make_scores(rubric=given)).facts.rubric
    assert facts.headline == runs.HeadlineFacts(aggregate="macro", percent=(1.0, 25.0), accuracy=True, pools={"p": ["a"]})
    assert (facts.criteria, facts.canonical("A-b"), facts.canonical("other")) == ({"c": (1.0, 5.0)}, "a", "other")


def test_audit_and_anchors_are_read_beside_the_scores(make_scores: Make) -> None:
    audit, anchors = [judgement("k0", "a", "g", 1.0, audit="unedited")], [judgement("x", "a", "g", 2.0)]
    run = runs.load(make_scores(audit=audit, anchors=anchors))
    assert (list(run.audit.keys), list(run.anchors.keys), run.facts.anchors) == (["k0"], ["x"], "edits of anchors")
    plain = runs.load(make_scores("plain"))
    assert (plain.audit, plain.anchors, plain.facts.anchors) == (None, None, "")


@pytest.mark.parametrize("name", ["audit", "anchors"])
def test_rows_beside_the_scores_must_be_as_the_manifest_says(make_scores: Make, name: str) -> None:
    rows = {"audit": [judgement("k0", "a", "g", 1.0, audit="unedited")], "anchors": [judgement("x", "a", "g", 2.0)]}
    root = make_scores(**rows)
    file = getattr(ScorePaths(root), name)
    file.write_bytes(file.read_bytes().replace(b'"language":"en"', b'"language":"zh"'))
    with pytest.raises(UserError, match=rf"{name}\.jsonl is not what manifest\.json says"):
        runs.load(root)
    file.unlink()
    with pytest.raises(UserError, match=rf"can't read .*{name}\.jsonl: No such file"):
        runs.load(root)


def test_settings_that_only_cut_the_work_are_no_part_of_what_was_asked(make_scores: Make) -> None:
    there = {"audit": 10, "batch_size": 8, "batch_tokens": 4096, "readout": "expected", "votes": 3}
    root = make_scores()
    ScorePaths(root).identity.write_bytes(orjson.dumps(identity.make("score", settings=there)))
    assert runs.load(root).settings == {"votes": 3}


def test_a_model_known_by_its_folder_loses_the_path(make_scores: Make) -> None:
    assert runs.load(make_scores(editor="/somewhere/models/mine")).facts.editor.name == "mine"


def test_unfinished_scoring_is_refused(make_scores: Make) -> None:
    root = make_scores()
    ScorePaths(root).manifest.unlink()
    with pytest.raises(UserError, match="not finished") as caught:
        runs.load(root)
    assert caught.value.remedy == "Run the same `editbench score` command again."


def test_scores_changed_after_the_manifest_are_refused(make_scores: Make) -> None:
    file = ScorePaths(make_scores()).scores
    file.write_bytes(file.read_bytes().replace(b'"score":2.0', b'"score":9.0'))
    with pytest.raises(UserError, match=r"scores\.jsonl is not what manifest\.json says"):
        runs.load(file.parent)


def test_a_bad_line_is_named_before_the_digest(make_scores: Make) -> None:
    file = ScorePaths(make_scores()).scores
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"scores\.jsonl, line 6: not JSON \(cut short\?\)"):
        runs.load(file.parent)


def test_lost_scores_are_named(make_scores: Make) -> None:
    root = make_scores()
    ScorePaths(root).scores.unlink()
    with pytest.raises(UserError, match=r"can't read .*scores\.jsonl: No such file"):
        runs.load(root)


def test_folders_of_something_else_are_refused(make_scores: Make, tmp_path: Path) -> None:
    root = make_scores()
    ScorePaths(root).identity.write_bytes(orjson.dumps(identity.make("edit")))
    with pytest.raises(UserError, match="holds results of `edit`, not scores"):
        runs.load(root)
    with pytest.raises(UserError, match=r"no identity\.json"):
        runs.load(tmp_path)
    with pytest.raises(UserError, match="no folder"):
        runs.load(tmp_path / "nowhere")


def test_runs_go_by_their_editors(make_scores: Make) -> None:
    loaded = [runs.load(make_scores(name, editor=name)) for name in ("one", "two")]
    assert runs.labels(loaded) == ["one", "two"]


def test_runs_of_one_editor_are_told_apart_by_what_differs(make_scores: Make) -> None:
    loaded = [
        runs.load(make_scores(f"{judge}{readout}", judge=judge, readout=readout)) for judge, readout in ("ax", "ay", "bx")
    ]
    assert runs.labels(loaded) == ["copy / a / x", "copy / a / y", "copy / b / x"]


def test_equal_runs_are_told_apart_by_the_end_of_their_path(make_scores: Make, tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
    loaded = [runs.load(make_scores(name)) for name in ("x/scores", "y/scores")]
    assert runs.labels(loaded) == ["copy / x/scores", "copy / y/scores"]


@pytest.mark.parametrize("names", [["a"], ["a", "a"], ["a", ""]])
def test_names_that_do_not_fit_are_refused(make_scores: Make, names: list[str]) -> None:
    loaded = [runs.load(make_scores(name)) for name in ("one", "two")]
    with pytest.raises(UserError, match="name"):
        runs.labels(loaded, names)


def test_one_folder_twice_is_refused(make_scores: Make) -> None:
    run = runs.load(make_scores())
    with pytest.raises(UserError, match="more than once"):
        runs.labels([run, run])
