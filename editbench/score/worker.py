"""The work of `editbench score` in one rank: decode a chunk's pictures, judge them, read the scores, write the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from editbench import records
from editbench.edits import Edits
from editbench.fleet import failure
from editbench.fleet.failure import Failed
from editbench.fleet.status import Event
from editbench.fleet.worker import Pulse, Worker
from editbench.models import Kind, Model
from editbench.paths import ScorePaths
from editbench.records import Judgement
from editbench.score import batching, judges, questions, rubric, votes
from editbench.score.asking import Batch, Interview, unfinished
from editbench.score.items import Case, Cases
from editbench.score.judge import Question, Reply
from editbench.score.questions import CUT, Exhibits
from editbench.score.settings import ScoreSettings
from editbench.score.votes import Answer, Verdict, Vote


@dataclass(frozen=True, slots=True)
class _Part:
    """A question of the rubric, asked of the samples of a chunk that it is for."""

    name: str
    questions: dict[int, Question]
    batches: list[Batch] | None = None
    """None: not laid out yet."""


@dataclass(slots=True)
class _Chunk:
    """By the place of their case, what to ask, and what can't be asked: its pictures can't be read or can't be judged."""

    parts: list[_Part] = field(default_factory=list)
    broken: dict[int, Failed] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Judged:
    case: Case
    row: Judgement
    note: str = ""


class ScoreWorker(Worker):
    """`plan`: numbers of the chunks to judge, in the order they are handed out. `starts`: where chunks begin (see `layout`)."""

    def __init__(
        self,
        *,
        edits: str,
        out: str,
        model: dict[str, Any],
        rubric_text: str,
        settings: dict[str, Any],
        plan: list[int],
        anchors: str | None = None,
        starts: batching.Starts | None = None,
    ) -> None:
        self._settings = ScoreSettings(**settings)
        self._model = Model(**{**model, "kind": Kind(model["kind"])})
        self._rubric = rubric.parse(rubric_text, "the rubric")
        self._exhibits = Exhibits(self._rubric, self._settings)
        self._plan = plan
        own, others = (Edits.open(Path(root), verify=False).entries if root else () for root in (edits, anchors))
        cases = Cases.of(own, others, self._rubric, percent=self._settings.audit, seed=self._settings.seed)
        self._cases = [*cases]
        starts = starts or batching.starts(cases, self._rubric, self._settings)
        self._chunks = batching.chunks(ScorePaths(Path(out)), cases, starts)
        self._interview: Interview | None = None

    def __len__(self) -> int:
        return len(self._plan)

    def name(self, item: int) -> str:
        return self._chunks.title(self._plan[item])

    def keys(self, item: int) -> Sequence[str]:
        return [self._cases[place].name for place in self._places(item)]

    def done(self, item: int) -> bool:
        return self._chunks.has(self._plan[item])

    def load(self, device: str) -> list[str]:
        self._interview = Interview(judges.load(self._model, self._settings.for_judge(device)))
        return [*self._interview.judge.notes]

    def prepare(self, item: int) -> _Chunk:
        edited = {place: self._cases[place] for place in self._places(item) if self._cases[place].pictures}
        asked, broken = self._exhibits.questions(edited)
        chunk = _Chunk([_Part(name, questions) for name, questions in asked], broken)
        # The judge may still be loading when the first chunk is decoded: its own part is then done in `compute`.
        return self._lay_out(chunk) if self._interview is not None else chunk

    def compute(self, item: int, prepared: _Chunk, pulse: Pulse) -> dict[int, _Judged]:
        chunk = self._lay_out(prepared) if any(part.batches is None for part in prepared.parts) else prepared
        pulse.ahead()
        if all(place in chunk.broken for place in self._places(item) if self._cases[place].pictures):
            _try_again(chunk.broken.values())
        votes = [self._vote(chunk, number) for number in range(self._settings.votes)]
        judged = {}
        for place in self._places(item):
            case = self._cases[place]
            if not case.pictures:
                judged[place] = _Judged(case, self._row(case, records.EDIT_FAILED))
            elif place in chunk.broken:
                judged[place] = self._failed(case, chunk.broken[place].message)
            else:
                made = failure.attempt(self._judged, place, votes)
                judged[place] = self._failed(case, made.message) if isinstance(made, Failed) else made
        return judged

    def store(self, item: int, result: dict[int, _Judged], seconds: float) -> list[Event]:
        judged = [result[place] for place in self._places(item)]
        self._chunks.put(self._plan[item], [one.row for one in judged])
        return [self._event(item, one, seconds / len(judged)) for one in judged]

    def fail(self, item: int, reason: str, error: str, tries: int) -> list[Event]:  # noqa: ARG002
        judged = []
        for case in (self._cases[place] for place in self._places(item)):
            lost = _Judged(case, self._row(case, records.EDIT_FAILED))
            judged.append(self._failed(case, f"{reason}: {error}") if case.pictures else lost)
        self._chunks.put(self._plan[item], [one.row for one in judged])
        return [self._event(item, one, 0.0) for one in judged]

    def _places(self, item: int) -> range:
        return self._chunks.rows_of(self._plan[item])

    def _lay_out(self, chunk: _Chunk) -> _Chunk:
        """The judge's own work on the CPU. A sample of which it can't take one question is broken."""
        laid, broken = [], dict(chunk.broken)
        for part in chunk.parts:
            batches, problems = self._interview.lay_out(part.questions)
            laid.append(_Part(part.name, part.questions, batches))
            broken |= problems
        return _Chunk(laid, broken)

    def _vote(self, chunk: _Chunk, number: int) -> dict[int, list[Answer]]:
        """All questions asked once: the answers by place. Raises when all samples failed of what may be passing."""
        answers: dict[int, list[Answer]] = {}
        self._interview.failed.clear()
        for part in chunk.parts:
            for place, answer in self._ask(part, number).items():
                answers.setdefault(place, []).append(answer)
        if all(any(one.status == records.ERROR for one in given) for given in answers.values()):
            _try_again(self._interview.failed)
        return answers

    def _ask(self, part: _Part, vote: int) -> dict[int, Answer]:
        replies: dict[int, Reply] = {}
        for batch in part.batches or ():
            names = {place: self._cases[place].name for place in batch.questions}
            seeds = {place: self._settings.draw_seed(name, part.name, vote) for place, name in names.items()}
            drawn = seeds if self._settings.temperature else None
            replies |= self._interview.answers(batch, drawn)
        read = votes.distributed if self._settings.readout == records.EXPECTED else votes.written
        name, questions = part.name, part.questions
        answers = {
            place: _or_unanswered(name, read, name, questions[place].criteria, reply) for place, reply in replies.items()
        }
        return self._forced(part, answers) if self._settings.forced else answers

    def _forced(self, part: _Part, answers: dict[int, Answer]) -> dict[int, Answer]:
        """The same, with a forced readout of those that were written and could not be read."""
        unread = [
            place for place, answer in answers.items() if answer.status == records.UNPARSED and answer.read == records.GENERATE
        ]
        questions = {
            (place, number): unfinished(part.questions[place], answers[place].text, number)
            for place in unread
            for number in range(len(part.questions[place].criteria))
        }
        most = self._settings.batch_size or len(part.questions)
        replies = self._interview.forced(questions, most)
        if replies is None:
            return answers
        for place in unread:
            criteria = part.questions[place].criteria
            found = [replies[place, number] for number in range(len(criteria))]
            answers[place] = _or_unanswered(part.name, votes.forced, answers[place], criteria, found)
        return answers

    def _judged(self, place: int, votes: Sequence[Mapping[int, list[Answer]]]) -> _Judged:
        case = self._cases[place]
        score = partial(self._score, case)
        cast = [Vote.of(answers[place], score, keep=self._rubric.partial) for answers in votes]
        found = Verdict.of(cast, partial(self._steps, case))
        flags = [records.PARTIAL] if found.partial else []
        return _Judged(case, self._row(case, found.status, flags, **found.values), found.note)

    def _score(self, case: Case, criteria: Mapping[str, float]) -> float:
        return self._rubric.score(criteria, case.sample)

    def _steps(self, case: Case, criteria: Mapping[str, float]) -> Mapping[str, float]:
        return self._rubric.steps(criteria, case.sample)

    def _failed(self, case: Case, why: str) -> _Judged:
        return _Judged(case, self._row(case, records.ERROR, response=why), why)

    def _row(self, case: Case, status: str, odd: Sequence[str] = (), **values: Any) -> Judgement:
        """`odd`: flags of the judgement, beside the edit's own."""
        common = {name: getattr(case.sample, name) for name in ("key", "id", "category", "language", "group")}
        flags = [*case.entry.flags, *([CUT] if questions.cuts(case.sample, self._settings) else []), *odd]
        shard = case.entry.stored.shard.name if case.entry.stored else None
        subsets = self._rubric.subsets(case.sample)
        return Judgement(**common, status=status, shard=shard, flags=flags, subsets=subsets, audit=case.audit, **values)

    def _event(self, item: int, judged: _Judged, seconds: float) -> Event:
        """The scores of controls and anchors are told as a note: they are none of the samples'."""
        row, score, note = judged.row, judged.row.score, " ".join(judged.note.split())
        if judged.case.title and score is not None:
            score, note = None, f"{judged.case.title} {score:.2f}: {note}"
        return Event(judged.case.name, row.category, row.status, round(seconds, 4), score, note[:200], self.name(item))


def _or_unanswered(question: str, read: Callable[..., Answer], *given: Any) -> Answer:
    """What `read` makes of a judge's reply, which may be nothing that a judge should give."""
    answer = failure.attempt(read, *given)
    return votes.unanswered(question, answer.error) if isinstance(answer, Failed) else answer


def _try_again(failed: Iterable[Failed]) -> None:
    """Raises the first that may be gone at the next try: the rank then tries the chunk again."""
    for one in failed:
        if one.reason in failure.TRANSIENT:
            raise one.exception()
