"""A rank's work with judges of this module, and with the tiny one where only that will do."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import torch
from PIL import Image

from editbench import images
from editbench.models import Kind, Model
from editbench.paths import TinyPaths
from editbench.score import judges as judge_factory
from editbench.score import rubric
from editbench.score.judge import JudgeSettings, Reply
from editbench.score.worker import ScoreWorker

from .judges import ALL, KEYS, PULSE, Both, Drawing, Fixed, rows


class Small(Fixed):
    """Has memory for two."""

    def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
        if len(prepared) > 2:
            raise torch.OutOfMemoryError
        return super().answer(prepared)


class Crowded(Fixed):
    """Has memory for one, until somebody else's is free."""

    def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
        if len(prepared) > 1 and len(self.batches) < 3:
            raise torch.OutOfMemoryError
        return super().answer(prepared)


class Wide(Fixed):
    """Gives 23, with no distribution over 0 to 25; to one sample nothing."""

    def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
        unread, read = Reply("Well."), Reply('{"score": 23}', {"score": ()})
        return [unread if question.key == "social" else read for question in prepared]

    def force(self, questions: Any) -> list[Reply]:
        raise AssertionError


class Full(Fixed):
    """Has memory for none."""

    def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
        raise torch.OutOfMemoryError("no room")


class Large(Fixed):
    """Of which one sample does not fit into memory."""

    def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
        if any(question.key == "social" for question in prepared):
            raise torch.OutOfMemoryError("too large")
        return super().answer(prepared)


def test_a_sample_too_large_for_the_memory_fails_alone(work: Any) -> None:
    worker = work(Large)
    for _ in range(2):  # the second time each batch is as small as what fitted the first time
        judged = rows(worker)
        assert {key: row["score"] for key, row in judged.items()} == {**ALL, "social": None}
        assert (judged["social"]["status"], judged["social"]["response"]) == ("error", "OutOfMemoryError: too large")


class Picky(Fixed):
    """Can't take one question."""

    def prepare(self, questions: Any) -> Any:
        if any(question.key == "social" for question in questions):
            raise ValueError("can't take social")
        return questions


def scores(worker: ScoreWorker) -> dict[str, float | None]:
    return {key: row["score"] for key, row in rows(worker).items()}


def test_a_row_is_the_sample_its_score_and_the_reply(work: Any) -> None:
    row = rows(work())["social"]
    assert row == {
        "key": "social",
        "id": "id of social",
        "category": "social",
        "language": "en",
        "group": "g",
        "status": "ok",
        "score": 2.0,
        "criteria": {"score": 2.0},
        "expected": None,
        "mass": None,
        "response": '{"reason": "r", "score": 2}',
        "votes": 1,
        "spread": None,
        "read": "generate",
        "shard": "edits-00001.tar",
        "flags": [],
        "steps": {},
        "subsets": [],
        "audit": "",
    }


def test_a_row_carries_the_flags_of_its_edit(work: Any) -> None:
    judged = rows(work(edits={"failed": ("causal",), "flags": {"social": ["identical", "uniform"]}}))
    assert {key: row["flags"] for key, row in judged.items() if row["flags"]} == {"social": ["identical", "uniform"]}
    assert list(judged["social"])[-5:] == ["shard", "flags", "steps", "subsets", "audit"]


def test_answers_beyond_ten_are_read_as_written_and_nothing_is_forced(work: Any, short_rubric: str) -> None:
    wide = short_rubric.replace("range = [0, 10]", "range = [0, 25]").replace('"score"\n[crit', '"score / 2.5"\n[crit')
    judged = rows(work(Wide, rubric_text=wide))
    assert (judged["social"]["status"], judged["social"]["score"]) == ("unparsed", None)
    assert [judged["physical"][name] for name in ("score", "expected", "mass", "read")] == [9.2, None, None, "generate"]


def test_a_judge_sees_the_source_and_the_edit_and_its_settings(work: Any) -> None:
    worker = work(max_pixels=70_000)
    question = worker.prepare(0).groups[0].questions[1]
    assert [image.getpixel((0, 0)) for image in question.images] == [(0, 128, 128), (255, 0, 0)]
    assert "edit environmental" in question.text
    assert (worker._runner.result().judge.settings.max_pixels, question.criteria[0].highest) == (70_000, 10)


def test_a_batch_that_is_prepared_while_the_judge_loads_is_judged(work: Any) -> None:
    worker = work(Picky, load=False)
    batch = worker.prepare(0)
    worker.load("cpu")
    judged = worker.compute(0, batch, PULSE)
    assert [judged[row].row.status for row in range(5)] == ["ok", "ok", "error", "ok", "ok"]


def test_a_batch_too_large_for_the_memory_is_halved(work: Any) -> None:
    worker = work(Small)
    assert scores(worker) == ALL
    assert [len(batch) for batch in worker._runner.result().judge.batches] == [2, 2, 1]


def test_rows_of_a_chunk_that_memory_was_too_small_for_say_so_and_the_next_chunk_is_judged_as_planned(work: Any) -> None:
    worker = work(Crowded, plan=(0, 1), batch_size=3)
    judged = [rows(worker, item) for item in (0, 1)]
    assert [[row["flags"] for row in chunk.values()] for chunk in judged] == [[["short_of_memory"]] * 3, [[], []]]
    assert {key: row["score"] for chunk in judged for key, row in chunk.items()} == ALL
    assert [len(batch) for batch in worker._runner.result().judge.batches] == [1, 1, 1, 2]


def test_a_chunk_of_which_nothing_fits_into_memory_fails(work: Any) -> None:
    with pytest.raises(torch.OutOfMemoryError, match=r"^no room$"):
        rows(work(Full))


class Partly(Fixed):
    """Can't answer one question."""

    def answer(self, prepared: Any, seeds: Any = None) -> list[Reply]:
        replies = super().answer(prepared)
        return [
            Reply("", error="nan: no") if one.key == "social" else reply for one, reply in zip(prepared, replies, strict=True)
        ]


def test_a_question_that_the_judge_can_not_answer_is_an_error_and_the_others_are_judged(work: Any) -> None:
    judged = rows(work(Partly))
    assert {key: row["score"] for key, row in judged.items()} == {**ALL, "social": None}
    assert (judged["social"]["status"], judged["social"]["response"]) == ("error", "nan: no")


def test_a_broken_picture_is_an_error_and_the_others_are_judged(work: Any) -> None:
    judged = rows(work(edits={"edited": {"social": b"no picture"}}))
    assert {key: row["score"] for key, row in judged.items()} == {**ALL, "social": None}
    assert judged["social"]["status"] == "error"
    assert judged["social"]["response"].startswith("bad_input: edits-00001.tar: social.edited.png is not a picture")


def test_a_question_that_the_judge_cannot_take_is_an_error_and_the_others_are_judged(work: Any) -> None:
    judged = rows(work(Picky))
    assert {key: row["score"] for key, row in judged.items()} == {**ALL, "social": None}
    assert judged["social"]["response"] == "bad_input: ValueError: can't take social"


def test_a_picture_longer_than_the_model_can_take_is_an_error_and_the_others_are_judged(
    work: Any, checkpoints: TinyPaths
) -> None:
    strip = images.encode_png(Image.new("RGB", (2010, 10)))
    judged = rows(work(checkpoints.judge, edits={"edited": {"physical": strip}}, readout="expected", batch_size=2))
    assert (judged["physical"]["status"], judged["environmental"]["status"]) == ("error", "ok")
    assert "aspect ratio" in judged["physical"]["response"]


def test_a_chunk_of_nothing_but_broken_pictures_needs_no_answer(work: Any) -> None:
    worker = work(edits={"edited": dict.fromkeys(KEYS, b"no picture")})
    assert {row["status"] for row in rows(worker).values()} == {"error"}
    assert worker._runner.result().judge.batches == []


def test_samples_without_an_edit_have_rows_of_their_own(work: Any) -> None:
    worker = work(edits={"failed": ("physical", "causal")})
    judged = rows(worker)
    assert [(row["status"], row["score"], row["shard"]) for key, row in judged.items() if key in ("physical", "causal")] == [
        ("edit_failed", None, None),
        ("edit_failed", None, None),
    ]
    assert worker._runner.result().judge.batches == [["environmental", "social", "referential"]]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("I'm sorry, I can't help with that.", "refused"),
        ('{"score": 11}', "out_of_range"),
        ('{"score": -1}', "out_of_range"),
        ("The edit shows 3 cats.", "unparsed"),
        ("", "unparsed"),
    ],
)
def test_a_reply_without_a_readable_score_has_none(work: Any, text: str, status: str) -> None:
    worker = work()
    worker._runner.result().judge.replies["social"] = Reply(text)
    row = rows(worker)["social"]
    assert (row["status"], row["score"], row["criteria"], row["response"]) == (status, None, None, text)


@pytest.mark.parametrize("nothing", [{}, {"score": ()}, {"score": (0.0,) * 11}, {"score": (float("nan"),) * 11}])
def test_a_distribution_without_mass_has_no_score(work: Any, nothing: Any) -> None:
    worker = work(readout="expected")
    worker._runner.result().judge.replies = dict.fromkeys(KEYS, Reply("", {"score": (0.0,) * 8 + (0.5, 0.25, 0.0)}))
    worker._runner.result().judge.replies["social"] = Reply("", nothing)
    judged = rows(worker)
    assert (judged["social"]["status"], judged["social"]["score"], judged["social"]["mass"]) == ("unparsed", None, 0.0)
    ok = judged["causal"]
    assert (ok["status"], ok["score"], ok["expected"], ok["mass"]) == ("ok", 8.333333, 8.333333, 0.75)


class Forced(Fixed):
    """Writes nothing readable of two samples; what it is forced to says 7 with a mass of 0.5."""

    def __init__(self, settings: JudgeSettings) -> None:
        super().__init__(settings)
        self.replies |= {"social": Reply("It is good. It is"), "causal": Reply("I'm sorry, I can't help with that.")}
        self.forced: list[tuple[str, str]] = []

    def force(self, questions: Any) -> list[Reply]:
        self.forced += [(question.key, question.said) for question in questions]
        return [Reply("", {"score": (0.0,) * 7 + (0.3, 0.2, 0.0, 0.0)}) for _ in questions]


def test_a_reply_that_can_not_be_read_is_followed_by_a_forced_readout(work: Any) -> None:
    worker = work(Forced)
    judged = rows(worker)
    social = judged["social"]
    assert [social[name] for name in ("status", "score", "read", "expected", "mass")] == ["ok", 7.0, "forced", 7.4, 0.5]
    assert social["response"] == "It is good. It is"
    assert worker._runner.result().judge.forced == [("social", 'It is good.\n{"score": ')]
    assert (judged["causal"]["status"], judged["causal"]["read"]) == ("refused", "")


def test_without_forced_readouts_it_has_no_score(work: Any) -> None:
    assert rows(work(Forced, forced=False))["social"]["status"] == "unparsed"


def test_votes_are_drawn_with_seeds_of_the_sample_and_the_vote(work: Any) -> None:
    worker = work(Drawing, votes=4, temperature=0.7, seed=3)
    row = rows(worker)["social"]
    given = [worker._settings.draw_seed("social", worker._rubric.questions[0].name, vote) % 11 for vote in range(4)]
    assert (row["score"], row["votes"], row["response"].count("[vote ")) == (sum(given) / 4, 4, 4)
    assert len({worker._settings.draw_seed(key, "q", vote) for key in KEYS for vote in range(4)}) == 20


TWO_QUESTIONS = """
[questions.likely]
images = ["edited"]
criteria = ["likely"]
when = "causal"
text = { en = "Is {instruction} likely?", zh = "{instruction}?" }
[criteria.likely]
range = [1, 5]
"""


def test_every_question_is_asked_in_a_batch_of_its_own_and_the_criteria_are_merged(work: Any) -> None:
    text = rubric.load("five").text.replace('score = "score"', 'score = "mean(score, likely) if causal else score"')
    text += TWO_QUESTIONS
    worker = work(Both, rubric_text=text)
    judged = rows(worker)
    assert worker._runner.result().judge.batches == [[(key, "score", 2) for key in KEYS], [("causal", "likely", 1)]]
    assert (judged["causal"]["score"], judged["causal"]["criteria"]) == (4.0, {"score": 4.0, "likely": 4.0})
    assert judged["causal"]["response"].endswith('[likely]\n{"likely": 4}')
    assert judged["social"]["criteria"] == {"score": 4.0}


def test_an_edit_can_be_shown_at_the_size_of_its_source(work: Any) -> None:
    text = f"resize_edited = true\n{rubric.load('five').text}"
    large = images.encode_png(Image.new("RGB", (96, 64)))
    worker = work(rubric_text=text, edits={"edited": {"social": large}})
    assert [image.size for image in worker.prepare(0).groups[0].questions[2].images] == [(48, 32)] * 2


def test_a_chunk_that_fails_has_error_rows_and_edit_failed_ones(work: Any) -> None:
    worker = work(edits={"failed": ("physical",)})
    events = worker.fail(0, "out_of_memory", "too much", 1)
    assert [(event.status, event.score) for event in events] == [("edit_failed", None)] + [("error", None)] * 4
    assert worker.done(0)
    row = orjson.loads(worker._chunks.paths.chunk(0).read_bytes().splitlines()[1])
    assert (row["status"], row["response"]) == ("error", "out_of_memory: too much")


def test_events_tell_people_the_score_and_the_reason(work: Any) -> None:
    worker = work()
    events = worker.store(0, worker.compute(0, worker.prepare(0), PULSE), 2.0)
    assert [(event.key, event.score, event.note, event.batch) for event in events] == [
        (key, score, "r", "chunk 0") for key, score in ALL.items()
    ]
    assert sum(event.seconds for event in events) == pytest.approx(2.0)


def test_a_chunk_is_named_by_its_number_and_holds_its_samples(work: Any) -> None:
    worker = work(batch_size=2)
    assert (len(worker), worker.name(0), worker.keys(0)) == (1, "chunk 0", ["physical", "environmental"])


class Noted(Fixed):
    notes = ("attention: none",)


def test_what_the_judge_says_of_how_it_runs_is_handed_on(work: Any) -> None:
    assert work(Noted, load=False).load("cpu") == ["attention: none"]


def test_a_judge_is_loaded_by_kind(checkpoints: TinyPaths) -> None:
    settings = JudgeSettings(device="cpu", dtype="float32", readout="generate")
    assert isinstance(judge_factory.load(Model(Kind.CLASS, "m", f"{__name__}:Fixed", {}), settings), Fixed)
    assert type(judge_factory.load(Model(Kind.FOLDER, "m", str(checkpoints.judge), {}), settings)).__name__ == "Qwen3VLJudge"
