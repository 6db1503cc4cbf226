"""Controls, steps and shared pictures in a rank's work."""

from __future__ import annotations

import json
import re
from typing import Any

from editbench.score import rubric
from editbench.score.judge import Reply

from .judges import ALL, PULSE, Both, Drawing, Fixed, rows


def test_controls_are_judged_in_chunks_of_their_own_and_marked(work: Any) -> None:
    worker = work(audit=100, plan=[1], batch_size=16)
    judged = worker.compute(0, worker.prepare(0), PULSE)
    rows = [one.row for one in judged.values()]
    assert sorted({row.audit for row in rows}) == ["repeat", "swapped", "unedited"]
    assert all(row.score == ALL[row.key] for row in rows)


def test_the_judge_is_shown_the_pictures_of_the_control(work: Any) -> None:
    teal, red = (0, 128, 128), (255, 0, 0)
    worker = work(audit=100, plan=[1], batch_size=16)
    questions = worker.prepare(0).groups[0].questions
    shown = {worker._items[row].audit: [image.getpixel((0, 0)) for image in one.images] for row, one in questions.items()}
    assert shown == {"repeat": [teal, red], "unedited": [teal, teal], "swapped": [red, teal]}


def test_scores_of_controls_stay_out_of_the_means_that_people_watch(work: Any) -> None:
    worker = work(audit=1, plan=[1], batch_size=16)
    events = worker.store(0, worker.compute(0, worker.prepare(0), PULSE), 1.0)
    assert all(event.status == "ok" and event.score is None for event in events)
    assert {event.key.partition(" ")[2] for event in events} == {"(repeat)", "(unedited)", "(swapped)"}
    assert all(re.match(r"\d\.00: r", event.note) for event in events)


def test_an_anchor_is_judged_as_a_sample_is(work: Any) -> None:
    worker = work(plan=[0, 1], anchored=True, edits={"failed": ("causal",)}, batch_size=16)
    assert rows(worker, 1) == rows(worker, 0)
    events = worker.store(1, worker.compute(1, worker.prepare(1), PULSE), 1.0)
    assert events[0].key == "physical (anchor)"
    assert {event.score for event in events} == {None}


def test_a_repeat_draws_anew(work: Any) -> None:
    worker = work(Drawing, audit=100, plan=[0, 1], batch_size=16, temperature=0.7)
    own, controls = (worker.compute(item, worker.prepare(item), PULSE) for item in (0, 1))
    repeats = {one.row.key: one.row.score for one in controls.values() if one.row.audit == "repeat"}
    assert repeats != {one.row.key: one.row.score for one in own.values()}


MEAN = """
name = "mean"
version = 1
scale = [0, 10]
languages = ["en"]
any_category = true
score = "mean(all)"
{partial}
[criteria]
success = { range = [0, 10], text.en = "done?" }
quality = { range = [0, 10], text.en = "done well?" }
beauty = { range = [0, 10] }
[questions.edit]
images = ["source", "edited"]
criteria = ["success", "quality"]
text.en = "{instruction}: {criteria}"
[questions.look]
images = ["edited"]
criteria = ["beauty"]
text.en = "Is it fine?"
[form.en]
generate = ""
expected = "{criterion}"
[answer_prefix]
generate = ""
expected = ""
[headline]
aggregate = "micro"
"""


class Halting(Fixed):
    """Leaves out the quality of one edit, and says nothing at all of another."""

    def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
        return [Reply("" if one.key == "causal" else self._reply(one)) for one in prepared]

    def _reply(self, question: Any) -> str:
        values = {entry.name: 4 for entry in question.criteria if (question.key, entry.name) != ("social", "quality")}
        return json.dumps(values | ({"beauty": 7} if "beauty" in values else {}))


def test_a_row_whose_rubric_keeps_what_could_be_read_has_a_score_and_a_flag(work: Any) -> None:
    judged = rows(work(Halting, rubric_text=MEAN.replace("{partial}", 'partial = "keep"')))
    kept = {name: judged["social"][name] for name in ("status", "score", "criteria", "flags")}
    assert kept == {"status": "ok", "score": 5.5, "criteria": {"success": 4.0, "beauty": 7.0}, "flags": ["partial"]}
    assert (judged["physical"]["score"], judged["physical"]["flags"]) == (5.0, [])
    assert (judged["causal"]["status"], judged["causal"]["score"], judged["causal"]["flags"]) == ("unparsed", None, [])


def test_without_that_it_has_neither(work: Any) -> None:
    judged = rows(work(Halting, rubric_text=MEAN.replace("{partial}", "")))
    assert (judged["social"]["status"], judged["social"]["score"], judged["social"]["flags"]) == ("unparsed", None, [])


def test_a_question_tells_whether_another_one_follows_about_the_same_pictures(work: Any) -> None:
    worker = work(Both, rubric_text=rubric.load("viescore").text, readout="expected")
    groups = worker.prepare(0).groups
    assert [group.questions[0].shared for group in groups] == [True, False, True, False]
    assert [group.questions[0].reused for group in groups] == [(0, 1), (1,), (0,), ()]  # source and edit, then the edit alone
    assert groups[0].questions[0].images[0] is groups[1].questions[0].images[0]


def test_with_votes_every_question_comes_again(work: Any) -> None:
    worker = work(Both, rubric_text=rubric.load("viescore").text, votes=2, temperature=1.0)
    assert [group.questions[0].shared for group in worker.prepare(0).groups] == [True, True]


def test_questions_are_asked_in_the_rubrics_order_whatever_the_first_sample_is_asked(work: Any) -> None:
    text = rubric.load("viescore").text.replace("[questions.consistency]", '[questions.consistency]\nwhen = "causal"')
    text = text.replace("any_category = true", "any_category = true\ncategories = {causal = []}")
    text = text.replace('score = "sqrt(sc * pq)"', 'score = "pq"').replace('sc = "min(success, overediting)"', "")
    worker = work(Quadruple, rubric_text=text)
    assert [group.name for group in worker.prepare(0).groups] == ["consistency", "quality"]
    assert list(rows(worker)["causal"]["criteria"]) == ["success", "overediting", "naturalness", "artifacts"]


def test_a_row_tells_the_steps_of_its_score(work: Any) -> None:
    worker = work(Quadruple, rubric_text=rubric.load("viescore").text)
    row = rows(worker)["social"]
    assert (row["steps"], row["score"]) == ({"sc": 4.0, "pq": 9.0}, 6.0)


class Quadruple(Fixed):
    """Answers with 9 where the edit alone is shown, and with 4 elsewhere."""

    def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
        value = {1: 9, 2: 4}
        return [
            Reply(json.dumps({entry.name: value[len(question.images)] for entry in question.criteria})) for question in prepared
        ]
