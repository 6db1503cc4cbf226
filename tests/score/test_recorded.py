"""Scores from replies that were recorded elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from editbench import files
from editbench.edits import Edits
from editbench.errors import Incomplete, UserError
from editbench.fleet.run_options import RunOptions
from editbench.paths import ScorePaths
from editbench.records import EDIT_FAILED, ERROR, OK, UNPARSED, Judgement
from editbench.score.recorded import _Replies, score_replies
from editbench.score.settings import ScoreSettings

KEYS = ("physical", "environmental", "social", "causal", "referential")


def lines(tmp_path: Path, *replies: dict[str, Any]) -> Path:
    path = tmp_path / "replies.jsonl"
    path.write_bytes(b"\n".join(map(orjson.dumps, replies)))
    return path


def rows(out: Path) -> dict[str, Judgement]:
    return {row.key: row for row in files.rows(ScorePaths(out).scores, Judgement)}


def scored(edits: Path, replies: Path, rubric: str = "five", **options: Any) -> dict[str, Judgement]:
    out = edits.parent / "scores"
    score_replies(edits, replies, rubric, out, ScoreSettings(), RunOptions(**options))
    return rows(out)


def test_recorded_replies_are_read_as_a_judge_s(make_edits: Callable[..., Path], tmp_path: Path) -> None:
    texts = [f'{{"reason": "so", "score": {number}}}' for number in range(len(KEYS))]
    replies = [{"key": key, "reply": text, "judge": "gpt"} for key, text in zip(KEYS, texts, strict=True)]
    replies[1]["reply"] = "I would rather not give a number."
    found = scored(make_edits(("social",)), lines(tmp_path, *replies, {"key": "elsewhere", "reply": "3", "judge": "gpt"}))
    assert {key: (row.status, row.score) for key, row in found.items()} == {
        "physical": (OK, 0.0),
        "environmental": (UNPARSED, None),
        "social": (EDIT_FAILED, None),
        "causal": (OK, 3.0),
        "referential": (OK, 4.0),
    }
    model = files.parse(ScorePaths(tmp_path / "scores").identity.read_bytes(), "")["model"]
    assert (model["kind"], model["name"]) == ("recorded", "gpt")


def test_several_replies_to_one_question_are_votes(make_edits: Callable[..., Path], tmp_path: Path) -> None:
    replies = [{"key": key, "question": "edit", "reply": f'{{"score": {score}}}'} for key in KEYS for score in (2, 4)]
    found = scored(make_edits(), lines(tmp_path, *replies))
    assert {(row.score, row.votes) for row in found.values()} == {(3.0, 2)}


def test_a_sample_without_a_reply_is_an_error_and_can_be_allowed(make_edits: Callable[..., Path], tmp_path: Path) -> None:
    edits, some = make_edits(), [{"key": key, "reply": "7"} for key in KEYS[1:]]
    with pytest.raises(Incomplete, match="1 of 5 samples"):
        scored(edits, lines(tmp_path, *some))
    assert rows(tmp_path / "scores")["physical"].status == ERROR
    assert scored(edits, lines(tmp_path, *some), max_failures="1")["causal"].score == 7


def test_replies_to_edits_of_no_samples_are_refused(make_edits: Callable[..., Path], tmp_path: Path) -> None:
    edits = Edits.open(make_edits())
    empty = _Replies("", {("physical", ""): ["7"]})
    with pytest.raises(UserError, match="no reply is of a sample") as caught:
        empty.check(tmp_path, replace(edits, entries=()), ["edit"])
    assert caught.value.remedy == "There are none."


@pytest.mark.parametrize(
    ("replies", "message"),
    [
        ([], "holds no replies"),
        ([{"key": "k", "reply": "7", "judge": "a"}, {"key": "k", "reply": "7", "judge": "b"}], "several judges: 'a', 'b'"),
        ([{"key": "unknown", "reply": "7"}], "no reply is of a sample"),
        ([{"key": "physical", "question": "why", "reply": "7"}], "the rubric has no question 'why'"),
        ([{"key": "physical"}], "line 1"),
        ([{"key": "physical", "reply": 7}], "line 1"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    make_edits: Callable[..., Path], tmp_path: Path, replies: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        scored(make_edits(), lines(tmp_path, *replies))
    assert not (tmp_path / "scores").exists()
