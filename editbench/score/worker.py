"""The work of `editbench score` in one rank: decode a chunk's pictures, judge them, read the scores, write the rows."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from editbench import images, records
from editbench.edits import Edits, Entry
from editbench.errors import UserError
from editbench.fleet import failure
from editbench.fleet.status import Event
from editbench.fleet.worker import Pulse, Worker
from editbench.models import Kind, Model
from editbench.paths import EDITED, ScorePaths
from editbench.records import Judgement, Sample
from editbench.score import reply, rubric
from editbench.score.chunks import Chunks
from editbench.score.judge import Judge, JudgeSettings, Question, Reply
from editbench.score.readout import expectation
from editbench.score.settings import ScoreSettings


@dataclass(frozen=True, slots=True)
class _Batch:
    """By place, the questions of the chunk's samples that have an edit, and what the judge made of them on the CPU."""

    questions: dict[int, Question]
    broken: dict[int, str]
    """Samples whose pictures can't be read or can't be judged, and why."""
    prepared: Any = None


class ScoreWorker(Worker):
    """`plan`: numbers of the chunks to judge, in the order they are handed out."""

    def __init__(
        self, *, edits: str, out: str, model: dict[str, Any], rubric_text: str, settings: dict[str, Any], plan: list[int]
    ) -> None:
        self._settings = ScoreSettings(**settings)
        self._entries = Edits.open(Path(edits), verify=False).entries
        self._model = Model(**{**model, "kind": Kind(model["kind"])})
        self._rubric = rubric.parse(rubric_text, "the rubric")
        self._plan = plan
        self._chunks = Chunks(ScorePaths(Path(out)), len(self._entries), self._settings.batch_size)
        self._judge: Judge | None = None

    def __len__(self) -> int:
        return len(self._plan)

    def name(self, item: int) -> str:
        return f"chunk {self._plan[item]}"

    def keys(self, item: int) -> Sequence[str]:
        return [self._entries[place].sample.key for place in self._places(item)]

    def done(self, item: int) -> bool:
        return self._chunks.has(self._plan[item])

    def load(self, device: str) -> list[str]:
        self._judge = load_judge(self._model, self._judge_settings(device))
        return []

    def prepare(self, item: int) -> _Batch:
        batch = _Batch({}, {})
        for place in self._places(item):
            entry = self._entries[place]
            if entry.stored is None:
                continue
            try:
                batch.questions[place] = self._question(entry)
            except UserError as error:
                batch.broken[place] = str(error)
        # The judge may still be loading when the first batch is decoded: its own part is then done in `compute`.
        return self._lay_out(batch) if self._judge is not None else batch

    def compute(self, item: int, prepared: _Batch, pulse: Pulse) -> dict[int, Judgement]:
        batch = prepared if prepared.prepared is not None else self._lay_out(prepared)
        pulse.ahead()
        replies = self._answer([*batch.questions.values()], batch.prepared) if batch.questions else []
        rows = {place: self._read(self._entries[place], answer) for place, answer in zip(batch.questions, replies, strict=True)}
        for place, problem in batch.broken.items():
            rows[place] = self._row(self._entries[place], status=records.ERROR, response=f"{failure.BAD_INPUT}: {problem}")
        for place in self._places(item):
            if place not in rows:
                rows[place] = self._row(self._entries[place], status=records.EDIT_FAILED)
        return rows

    def store(self, item: int, result: dict[int, Judgement], seconds: float) -> list[Event]:
        rows = [result[place] for place in self._places(item)]
        self._chunks.put(self._plan[item], rows)
        return [self._event(item, row, seconds / len(rows)) for row in rows]

    def fail(self, item: int, reason: str, error: str, tries: int) -> list[Event]:  # noqa: ARG002
        rows = []
        for entry in (self._entries[place] for place in self._places(item)):
            status = records.EDIT_FAILED if entry.stored is None else records.ERROR
            rows.append(self._row(entry, status=status, response="" if entry.stored is None else f"{reason}: {error}"))
        self._chunks.put(self._plan[item], rows)
        return [self._event(item, row, 0.0) for row in rows]

    def _places(self, item: int) -> range:
        return self._chunks.places(self._plan[item])

    def _judge_settings(self, device: str) -> JudgeSettings:
        settings = self._settings
        return JudgeSettings(
            device=device,
            dtype=settings.dtype,
            readout=settings.readout,
            scale=self._rubric.scale,
            max_new_tokens=settings.max_new_tokens,
            max_pixels=settings.max_pixels,
        )

    def _question(self, entry: Entry) -> Question:
        stored, name = entry.stored, f"{entry.stored.shard.name}: {entry.stored.key}"
        # One picture a kind: the rubric's texts call them Image 1 and Image 2. Further inputs of a sample are not shown.
        extensions = [EDITED if kind == "edited" else next(iter(stored.images(kind)), None) for kind in self._rubric.images]
        pictures = [images.decode(stored.read(extension), f"{name}.{extension}") for extension in extensions if extension]
        text = self._rubric.question(entry.sample, self._settings.language, self._settings.readout)
        return Question(entry.sample.key, tuple(pictures), text, self._rubric.answer_prefix(self._settings.readout))

    def _lay_out(self, batch: _Batch) -> _Batch:
        """The judge's own work on the CPU. Questions that it can't take are broken, and the others go on without them."""
        if not batch.questions:
            return batch
        try:
            return replace(batch, prepared=self._judge.prepare([*batch.questions.values()]))
        except (ValueError, UserError):
            broken = {place: problem for place, question in batch.questions.items() if (problem := self._problem(question))}
            if not broken:  # it is not a single question's fault
                raise
        questions = {place: question for place, question in batch.questions.items() if place not in broken}
        return self._lay_out(_Batch(questions, {**batch.broken, **broken}))

    def _problem(self, question: Question) -> str:
        try:
            self._judge.prepare([question])
        except (ValueError, UserError) as error:
            return failure.summary(error)
        return ""

    def _answer(self, questions: list[Question], prepared: Any = None) -> list[Reply]:
        """The judge's replies; a batch that does not fit into memory is halved until it does."""
        import torch

        try:
            replies = self._judge.answer(prepared if prepared is not None else self._judge.prepare(questions))
            if len(replies) != len(questions):
                raise UserError(
                    f"the judge gave {len(replies)} replies to {len(questions)} questions", "Return one a question."
                )
            return replies
        except torch.OutOfMemoryError:
            if len(questions) == 1:
                raise
        # Outside the handler: its traceback would keep the failed batch's tensors alive.
        torch.cuda.empty_cache()
        half = len(questions) // 2
        return self._answer(questions[:half]) + self._answer(questions[half:])

    def _read(self, entry: Entry, answer: Reply) -> Judgement:
        if self._settings.readout == "generate":
            parsed = reply.parse(answer.text, self._rubric.scale)
            return self._row(entry, status=parsed.status, score=parsed.score, response=answer.text)
        expected, mass = expectation(answer.distribution or (), self._rubric.scale[0])
        if expected is None:
            return self._row(entry, status=records.UNPARSED, mass=mass)
        score = round(expected, 6)
        return self._row(entry, status=records.OK, score=score, expected=score, mass=round(mass, 6))

    def _row(self, entry: Entry, *, status: str, score: float | None = None, **values: Any) -> Judgement:
        sample: Sample = entry.sample
        criteria = {"score": score} if score is not None else None
        common = {name: getattr(sample, name) for name in ("key", "id", "category", "language", "group")}
        shard = entry.stored.shard.name if entry.stored else None
        where = {"shard": shard, "flags": list(entry.flags)}
        return Judgement(**common, status=status, score=score, criteria=criteria, **where, **values)

    def _event(self, item: int, row: Judgement, seconds: float) -> Event:
        note = reply.parse(row.response, self._rubric.scale).reason if row.status == records.OK else row.response
        if row.expected is not None:
            note = f"mass {row.mass:.3f}"
        start = " ".join((note or "").split())[:200]
        return Event(row.key, row.category, row.status, round(seconds, 4), row.score, start, self.name(item))


def load_judge(model: Model, settings: JudgeSettings) -> Judge:
    """The judge that `model` names: Qwen3-VL from a folder, or a class of the user's called with `settings`."""
    if model.kind == Kind.CLASS:
        module, _, name = model.location.partition(":")
        return getattr(importlib.import_module(module), name)(settings)
    from editbench.score.qwen3vl import Qwen3VLJudge

    return Qwen3VLJudge(Path(model.location), settings)
