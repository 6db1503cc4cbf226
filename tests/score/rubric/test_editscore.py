"""EditScore's protocol against EditScore's own code (VectorSpaceLab/EditScore at 6e0f1b9): numbers and digests that it gave."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from editbench import files
from editbench.errors import UserError
from editbench.fleet.run_options import RunOptions
from editbench.paths import ScorePaths
from editbench.records import Judgement, Sample
from editbench.score import rubric
from editbench.score.recorded import score_replies
from editbench.score.rubric import Rubric
from editbench.score.settings import ScoreSettings
from editbench.score.stage import score

EDITSCORE = rubric.load("editscore")
KEYS = ("physical", "environmental", "social", "causal", "referential")
REPLIES = (
    (
        '{\n"reasoning" : "The hat is there and red; the face is unchanged.",\n"score" : [22, 24]\n}',
        '{"reasoning": "Natural light, a slight halo around the hat.", "score": [21, 18]}',
    ),
    (
        '```json\n{"reasoning": "Nothing was changed.", "score": [0, 25]}\n```',
        '{"reasoning": "No artifacts.", "score": [25, 25]}',
    ),
    ('{"reasoning": "Half of it was done.", "score": [12.5, 20]}', '{"reasoning": "Blurred hands.", "score": [10, 8]}'),
    ("[16, 9]", '{"reasoning": "Fine.", "score": [25, 16]}'),
    ("I can't tell.", '{"reasoning": "Fine.", "score": [25, 16]}'),
)
OVERALL = (7.95989949685296, 0.0, 4.0, 4.800000000000001, None)
"""Upstream's, but for the last: for a reply that can't be read it draws a number."""
MEAN_OF_THREE = 3.986633165617653
"""Upstream's `overall` of the first three as three passes over one sample."""


def scored(edits: Path, replies: list[dict[str, str]]) -> dict[str, Judgement]:
    recorded, out = edits.parent / "replies.jsonl", edits.parent / "scores"
    recorded.write_bytes(b"\n".join(map(orjson.dumps, replies)))
    score_replies(edits, recorded, "editscore", out, ScoreSettings(), RunOptions(max_failures="100%"))
    return {row.key: row for row in files.rows(ScorePaths(out).scores, Judgement)}


def both(key: str, pair: tuple[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "question": name, "reply": text} for name, text in zip(("consistency", "quality"), pair, strict=True)]


def test_replies_come_to_upstreams_numbers(make_edits: Callable[..., Path]) -> None:
    rows = scored(make_edits(), [line for key, pair in zip(KEYS, REPLIES, strict=True) for line in both(key, pair)])
    assert [rows[key].score for key in KEYS[:4]] == [pytest.approx(number) for number in OVERALL[:4]]
    assert (rows[KEYS[4]].score, rows[KEYS[4]].status) == (None, "unparsed")
    assert rows["physical"].criteria == {"success": 22, "overediting": 24, "naturalness": 21, "artifacts": 18}


def test_passes_are_votes(make_edits: Callable[..., Path]) -> None:
    rows = scored(make_edits(), [line for key in KEYS for pair in REPLIES[:3] for line in both(key, pair)])
    assert {row.votes for row in rows.values()} == {3}
    assert [row.score for row in rows.values()] == [pytest.approx(MEAN_OF_THREE)] * 5


def test_the_judge_is_told_what_the_checkpoints_were_trained_on() -> None:
    sample = Sample(key="k", id="k", instruction="<instruction>", category="any")
    asks = EDITSCORE.asks(sample, None, "generate")
    assert [(ask.images, hashlib.sha256(ask.text.encode()).hexdigest()) for ask in asks] == [
        (("source", "edited"), "5e1920e103d1e27762a72f390c8284180b71b9616e07561d356016c818e072a2"),
        (("edited",), "ca3b409fefcaf31713e69d2e69fe1c9848129abcd9d8e6e1b517467d0ea9e897"),
    ]


def test_answers_beyond_ten_are_for_readout_generate_alone(make_edits: Callable[..., Path]) -> None:
    assert EDITSCORE.readouts == ("generate",)
    edits, settings = make_edits(), ScoreSettings(readout="expected")
    with pytest.raises(UserError, match=r"rubric editscore has answers up to 25 \(success\), and readout expected"):
        score(edits, "judges:Fixed", "editscore", edits.parent / "out", settings, RunOptions(dry_run=True))


def test_a_rubric_of_small_answers_needs_texts_for_both_readouts() -> None:
    narrow = EDITSCORE.text.replace("[0, 25]", "[0, 10]")
    with pytest.raises(UserError, match=r"form\.en\.expected: is missing"):
        rubric.parse(narrow, "narrow")
    assert isinstance(rubric.parse(narrow.replace("[0, 10]", "[0, 11]"), "wide"), Rubric)
