"""The work of `editbench score` in one rank: decode a chunk's pictures, judge them, read the scores, write the rows."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from editbench import records
from editbench.edits import Edits, Entry
from editbench.errors import UserError
from editbench.fleet import failure
from editbench.fleet.status import Event
from editbench.fleet.worker import Pulse, Worker
from editbench.models import Kind, Model
from editbench.paths import ScorePaths
from editbench.records import Judgement
from editbench.score import rubric, verdict
from editbench.score.chunks import Chunks
from editbench.score.exhibits import CUT, Exhibits
from editbench.score.interview import Batch, Interview, unfinished
from editbench.score.judge import Judge, JudgeSettings, Question, Reply
from editbench.score.settings import ScoreSettings
from editbench.score.verdict import Answer, Verdict, Vote


@dataclass(frozen=True, slots=True)
class _Part:
    """A question of the rubric, asked of the samples of a chunk that it is for."""

    name: str
    questions: dict[int, Question]
    batches: list[Batch] | None = None
    """None: not laid out yet."""


@dataclass(slots=True)
class _Chunk:
    """By the place of their sample, what to ask, and what can't be asked: its pictures can't be read or can't be judged."""

    parts: list[_Part] = field(default_factory=list)
    broken: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Judged:
    row: Judgement
    note: str = ""


class ScoreWorker(Worker):
    """`plan`: numbers of the chunks to judge, in the order they are handed out."""

    def __init__(
        self, *, edits: str, out: str, model: dict[str, Any], rubric_text: str, settings: dict[str, Any], plan: list[int]
    ) -> None:
        self._settings = ScoreSettings(**settings)
        self._entries = Edits.open(Path(edits), verify=False).entries
        self._model = Model(**{**model, "kind": Kind(model["kind"])})
        self._rubric = rubric.parse(rubric_text, "the rubric")
        self._exhibits = Exhibits(self._rubric, self._settings)
        self._plan = plan
        self._chunks = Chunks(ScorePaths(Path(out)), len(self._entries), self._settings.batch_size)
        self._interview: Interview | None = None

    def __len__(self) -> int:
        return len(self._plan)

    def name(self, item: int) -> str:
        return f"chunk {self._plan[item]}"

    def keys(self, item: int) -> Sequence[str]:
        return [self._entries[place].sample.key for place in self._places(item)]

    def done(self, item: int) -> bool:
        return self._chunks.has(self._plan[item])

    def load(self, device: str) -> list[str]:
        self._interview = Interview(load_judge(self._model, self._settings.for_judge(device)))
        return []

    def prepare(self, item: int) -> _Chunk:
        edited = {place: self._entries[place] for place in self._places(item) if self._entries[place].stored is not None}
        asked, broken = self._exhibits.questions(edited)
        chunk = _Chunk([_Part(name, questions) for name, questions in asked], broken)
        # The judge may still be loading when the first chunk is decoded: its own part is then done in `compute`.
        return self._lay_out(chunk) if self._interview is not None else chunk

    def compute(self, item: int, prepared: _Chunk, pulse: Pulse) -> dict[int, _Judged]:
        chunk = self._lay_out(prepared) if any(part.batches is None for part in prepared.parts) else prepared
        pulse.ahead()
        votes = [self._vote(chunk, number) for number in range(self._settings.votes)]
        judged = {}
        for place in self._places(item):
            entry = self._entries[place]
            if entry.stored is None:
                judged[place] = _Judged(self._row(entry, records.EDIT_FAILED))
            elif place in chunk.broken:
                judged[place] = self._failed(entry, f"{failure.BAD_INPUT}: {chunk.broken[place]}")
            else:
                judged[place] = self._or_failed(entry, [vote[place] for vote in votes])
        return judged

    def _or_failed(self, entry: Entry, votes: Sequence[list[Answer]]) -> _Judged:
        """A sample that the rubric's formula can't take fails alone."""
        try:
            return self._judged(entry, votes)
        except UserError as error:
            return self._failed(entry, f"{failure.BAD_INPUT}: {error}")

    def store(self, item: int, result: dict[int, _Judged], seconds: float) -> list[Event]:
        judged = [result[place] for place in self._places(item)]
        self._chunks.put(self._plan[item], [entry.row for entry in judged])
        return [self._event(item, entry, seconds / len(judged)) for entry in judged]

    def fail(self, item: int, reason: str, error: str, tries: int) -> list[Event]:  # noqa: ARG002
        judged = []
        for entry in (self._entries[place] for place in self._places(item)):
            lost = entry.stored is None
            judged.append(_Judged(self._row(entry, records.EDIT_FAILED)) if lost else self._failed(entry, f"{reason}: {error}"))
        self._chunks.put(self._plan[item], [entry.row for entry in judged])
        return [self._event(item, entry, 0.0) for entry in judged]

    def _places(self, item: int) -> range:
        return self._chunks.places(self._plan[item])

    def _lay_out(self, chunk: _Chunk) -> _Chunk:
        """The judge's own work on the CPU. A sample of which it can't take one question is broken."""
        laid, broken = [], dict(chunk.broken)
        for part in chunk.parts:
            batches, problems = self._interview.lay_out(part.questions)
            laid.append(_Part(part.name, part.questions, batches))
            broken |= problems
        return _Chunk(laid, broken)

    def _vote(self, chunk: _Chunk, number: int) -> dict[int, list[Answer]]:
        """All questions asked once: the answers by place."""
        answers: dict[int, list[Answer]] = {}
        for part in chunk.parts:
            for place, answer in self._ask(part, number).items():
                answers.setdefault(place, []).append(answer)
        return answers

    def _ask(self, part: _Part, vote: int) -> dict[int, Answer]:
        replies: dict[int, Reply] = {}
        for batch in part.batches or ():
            seeds = {place: self._settings.draw_seed(one.key, part.name, vote) for place, one in batch.questions.items()}
            replies |= self._interview.answers(batch, seeds if self._settings.temperature else None)
        read = verdict.distributed if self._settings.readout == "expected" else verdict.written
        answers = {place: read(part.name, part.questions[place].criteria, found) for place, found in replies.items()}
        return self._forced(part, answers) if self._settings.forced else answers

    def _forced(self, part: _Part, answers: dict[int, Answer]) -> dict[int, Answer]:
        """The same, with a forced readout of those that were written and could not be read."""
        unread = [
            place for place, answer in answers.items() if answer.status == records.UNPARSED and answer.read == verdict.GENERATED
        ]
        questions = {
            (place, number): unfinished(part.questions[place], answers[place].text, number)
            for place in unread
            for number in range(len(part.questions[place].criteria))
        }
        replies = self._interview.forced(questions, self._settings.batch_size)
        if replies is None:
            return answers
        for place in unread:
            criteria = part.questions[place].criteria
            found = [replies[place, number] for number in range(len(criteria))]
            answers[place] = verdict.forced(answers[place], criteria, found)
        return answers

    def _judged(self, entry: Entry, votes: Sequence[list[Answer]]) -> _Judged:
        score = partial(self._score, entry)
        found = Verdict.of([Vote.of(answers, score) for answers in votes])
        return _Judged(self._row(entry, found.status, **found.values), found.note)

    def _score(self, entry: Entry, criteria: Mapping[str, float]) -> float:
        return self._rubric.score(criteria, entry.sample)

    def _failed(self, entry: Entry, why: str) -> _Judged:
        return _Judged(self._row(entry, records.ERROR, response=why), why)

    def _row(self, entry: Entry, status: str, **values: Any) -> Judgement:
        common = {name: getattr(entry.sample, name) for name in ("key", "id", "category", "language", "group")}
        flags = [*entry.flags, *([CUT] if self._exhibits.cuts(entry.sample) else [])]
        shard = entry.stored.shard.name if entry.stored else None
        return Judgement(**common, status=status, shard=shard, flags=flags, **values)

    def _event(self, item: int, judged: _Judged, seconds: float) -> Event:
        row, note = judged.row, " ".join(judged.note.split())[:200]
        return Event(row.key, row.category, row.status, round(seconds, 4), row.score, note, self.name(item))


def load_judge(model: Model, settings: JudgeSettings) -> Judge:
    """The judge that `model` names: Qwen3-VL from a folder, or a class of the user's called with `settings`."""
    if model.kind == Kind.CLASS:
        module, _, name = model.location.partition(":")
        return getattr(importlib.import_module(module), name)(settings)
    from editbench.score.qwen3vl import Qwen3VLJudge

    return Qwen3VLJudge(Path(model.location), settings)
