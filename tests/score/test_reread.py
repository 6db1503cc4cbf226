"""An earlier run's replies, read again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from editbench import files, identity, manifests, shards
from editbench.errors import UserError
from editbench.fleet.run_options import RunOptions
from editbench.manifests import ScoreManifest
from editbench.paths import ScorePaths
from editbench.records import EXPECTED, OK, Environment
from editbench.score import rubric
from editbench.score.recorded import score_replies
from editbench.score.reread import reread
from editbench.score.settings import ScoreSettings

from .test_recorded import KEYS, lines, rows


@pytest.fixture
def earlier(make_edits: Callable[..., Path], tmp_path: Path) -> tuple[Path, Path]:
    """A folder of edits, and one of its scores by the rubric viescore, of two votes."""
    edits, replies = make_edits(), []
    for vote in (0, 1):
        for number, key in enumerate(KEYS):
            answers = {"consistency": [number + vote, 9], "quality": [4, 4]}
            replies += [{"key": key, "question": name, "reply": f'{{"score": {given}}}'} for name, given in answers.items()]
    score_replies(edits, lines(tmp_path, *replies), "viescore", tmp_path / "first", ScoreSettings(), RunOptions())
    return edits, tmp_path / "first"


def changed(tmp_path: Path, old: str, new: str) -> str:
    """The rubric viescore, changed."""
    text = rubric.load("viescore").text
    assert old in text
    path = tmp_path / "changed.toml"
    path.write_text(text.replace(old, new))
    return str(path)


def again(earlier: tuple[Path, Path], name: str, **options: Any) -> dict:
    edits, scores = earlier
    reread(edits, scores, name, scores.parent / "second", RunOptions(**options))
    return rows(scores.parent / "second")


def test_the_same_rubric_gives_the_same_rows(earlier: tuple[Path, Path]) -> None:
    assert again(earlier, "viescore") == rows(earlier[1])


def test_the_folder_tells_where_its_edits_lie(earlier: tuple[Path, Path]) -> None:
    again(earlier, "viescore")
    for folder in (earlier[1], earlier[1].parent / "second"):
        there = files.load(ScorePaths(folder).environment, Environment)
        assert (folder / there.edits).resolve() == earlier[0].resolve()


def test_a_changed_formula_takes_the_replies_that_were_kept(earlier: tuple[Path, Path], tmp_path: Path) -> None:
    found = again(earlier, changed(tmp_path, 'score = "sqrt(sc * pq)"', 'score = "min(sc, pq)"'))
    assert {row.status for row in found.values()} == {OK}
    assert [found[key].score for key in KEYS] == [0.5, 1.5, 2.5, 3.5, 4.0]
    assert {row.response for row in found.values()} == {row.response for row in rows(earlier[1]).values()}


def test_a_changed_prompt_is_refused_and_named(earlier: tuple[Path, Path], tmp_path: Path) -> None:
    name = changed(tmp_path, "everything asked for is there", "everything asked for is here")
    with pytest.raises(UserError, match="asked something else now: question consistency"):
        again(earlier, name)
    assert not (tmp_path / "second").exists()


def test_scores_of_other_edits_and_changed_rows_are_refused(
    earlier: tuple[Path, Path], make_edits: Callable[..., Path], tmp_path: Path
) -> None:
    edits, scores = earlier
    with pytest.raises(UserError, match="is not of the anchors in"):
        reread(edits, scores, "viescore", tmp_path / "second", RunOptions(), edits)
    path = ScorePaths(scores).scores
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(UserError, match="was changed"):
        again(earlier, "viescore")


def forge(scores: Path, settings: dict[str, Any], row: dict[str, Any]) -> None:
    """Change a finished run's settings and rows, and make its digests agree with that."""
    paths = ScorePaths(scores)
    told = files.parse(files.read(paths.identity), "") | {"digest": None}
    told["settings"] |= settings
    told["digest"] = identity.digest({name: value for name, value in told.items() if name != "digest"})
    files.dump(paths.identity, told)
    paths.scores.write_bytes(b"".join(replace(each, **row).to_json() + b"\n" for each in rows(scores).values()))
    manifest = manifests.load(paths.manifest, ScoreManifest)
    forged = replace(manifest, identity=told["digest"], sha256=shards.sha256(paths.scores))
    replace(forged, digest=forged.own_digest()).dump(paths.manifest)


def test_a_run_that_claims_no_votes_is_refused(earlier: tuple[Path, Path]) -> None:
    forge(earlier[1], {"votes": 0}, {})
    with pytest.raises(UserError, match="says that it has 0 votes"):
        again(earlier, "viescore")


def test_rows_of_distributions_without_a_mass_are_read(earlier: tuple[Path, Path]) -> None:
    forge(earlier[1], {}, {"read": EXPECTED, "mass": None})
    assert {row.mass for row in again(earlier, "viescore").values()} == {None}
