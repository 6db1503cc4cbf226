"""The work of `editbench score` in one rank: decode a chunk's images, judge them, read the scores, write the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
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
from editbench.score import batching, judges, rubric, votes
from editbench.score.items import JudgedItems
from editbench.score.judge import Reply
from editbench.score.questions import QuestionBuilder, QuestionGroup
from editbench.score.readout import tells_apart
from editbench.score.row_maker import JudgedRow, RowMaker
from editbench.score.runner import Batch, JudgeRunner, unfinished
from editbench.score.settings import ScoreSettings
from editbench.score.votes import Answer


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What to ask, and by row what can't be asked: its images can't be read or can't be judged."""

    groups: list[QuestionGroup]
    failures: dict[int, Failed]


@dataclass(frozen=True, slots=True)
class _PreparedChunk(_Chunk):
    """A chunk that the judge has prepared. `batches`: of each group."""

    batches: list[list[Batch]]


class ScoreWorker(Worker):
    """Judges chunks. `plan`: their numbers, in the order they are handed out. `starts`: where they begin (see `batching`)."""

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
        self._builder = QuestionBuilder(self._rubric, self._settings)
        self._row_maker = RowMaker(self._rubric, self._settings)
        self._plan = plan
        own, others = (Edits.open(Path(root), verify=False).entries if root else () for root in (edits, anchors))
        items = JudgedItems.of(own, others, self._rubric, percent=self._settings.audit, seed=self._settings.seed)
        self._items = [*items]
        starts = starts or batching.starts(items, self._rubric, self._settings)
        self._chunks = batching.chunks(ScorePaths(Path(out)), items, starts)
        self._short_of_memory: set[int] = set()  # rows of the chunk under way
        self._runner: Future[JudgeRunner] = Future()  # done once `load` is, while `prepare` may run in another thread

    def __len__(self) -> int:
        return len(self._plan)

    def name(self, item: int) -> str:
        return self._chunks.title(self._plan[item])

    def keys(self, item: int) -> Sequence[str]:
        return [self._items[row].name for row in self._rows(item)]

    def done(self, item: int) -> bool:
        return self._chunks.has(self._plan[item])

    def load(self, device: str) -> list[str]:
        judge = judges.load(self._model, self._settings.for_judge(device))
        self._runner.set_result(JudgeRunner(judge))
        return [*judge.notes]

    def kernels(self) -> dict[str, str]:
        return {**self._runner.result().judge.kernels}

    def prepare(self, item: int) -> _Chunk:
        chunk = _Chunk(*self._builder.build({row: self._items[row] for row in self._rows(item) if self._items[row].images}))
        # The judge may still be loading when the first chunk is decoded: its own part is then done in `compute`.
        return self._prepared(chunk) if self._runner.done() else chunk

    def compute(self, item: int, prepared: _Chunk, pulse: Pulse) -> dict[int, JudgedRow]:
        chunk = prepared if isinstance(prepared, _PreparedChunk) else self._prepared(prepared)
        pulse.ahead()
        self._runner.result().start_chunk()
        self._short_of_memory.clear()
        if all(row in chunk.failures for row in self._rows(item) if self._items[row].images):
            _try_again(chunk.failures.values())
        votes = [self._vote(chunk, number) for number in range(self._settings.votes)]
        return {row: self._judged(row, chunk, votes) for row in self._rows(item)}

    def store(self, item: int, result: dict[int, JudgedRow], seconds: float) -> list[Event]:
        judged = [result[row] for row in self._rows(item)]
        self._chunks.put(self._plan[item], [one.row for one in judged])
        return [one.event(seconds / len(judged), self.name(item)) for one in judged]

    def fail(self, item: int, reason: str, error: str, tries: int) -> list[Event]:  # noqa: ARG002
        judged = {row: self._row_maker.unjudged(self._items[row], f"{reason}: {error}") for row in self._rows(item)}
        return self.store(item, judged, 0.0)

    def _rows(self, item: int) -> range:
        return self._chunks.rows_of(self._plan[item])

    def _prepared(self, chunk: _Chunk) -> _PreparedChunk:
        """The judge's own work on the CPU. A sample of which it can't take one question has failed."""
        failures, batches = dict(chunk.failures), []
        for group in chunk.groups:
            prepared, failed = self._runner.result().prepare(group.questions)
            batches.append(prepared)
            failures |= failed
        return _PreparedChunk(chunk.groups, failures, batches)

    def _vote(self, chunk: _PreparedChunk, vote: int) -> dict[int, list[Answer]]:
        """All questions asked once: the answers by row. Raises when all samples failed of what may be passing."""
        answers: dict[int, list[Answer]] = {}
        failures = self._runner.result().failures
        failures.clear()
        for group, batches in zip(chunk.groups, chunk.batches, strict=True):
            for row, answer in self._answers(group, batches, vote).items():
                answers.setdefault(row, []).append(answer)
        if all(any(one.status == records.ERROR for one in several) for several in answers.values()):
            _try_again(failures)
        return answers

    def _answers(self, group: QuestionGroup, batches: Sequence[Batch], vote: int) -> dict[int, Answer]:
        """The answers to one question, by row."""
        replies: dict[int, Reply] = {}
        for batch in batches:
            seeds = {row: self._settings.draw_seed(self._items[row].name, group.name, vote) for row in batch.questions}
            replies |= self._runner.result().answer(batch, seeds if self._settings.temperature else None)
        self._note_memory(replies.items())
        read = votes.distributed if self._settings.readout == records.EXPECTED else votes.written
        criteria = {row: group.questions[row].criteria for row in replies}
        answers = {row: _or_unanswered(group.name, read, group.name, criteria[row], reply) for row, reply in replies.items()}
        return self._forced(group, answers) if self._settings.forced else answers

    def _forced(self, group: QuestionGroup, answers: dict[int, Answer]) -> dict[int, Answer]:
        """The answers, with a forced readout of those that were written and could not be read."""
        how = (records.UNPARSED, records.GENERATE)
        unread = [
            row
            for row, answer in answers.items()
            if (answer.status, answer.read) == how and all(map(tells_apart, group.questions[row].criteria))
        ]
        unanswered = {
            (row, index): unfinished(group.questions[row], answers[row].text, index)
            for row in unread
            for index in range(len(group.questions[row].criteria))
        }
        replies = self._runner.result().force(unanswered, self._settings.batch_size or len(group.questions))
        if replies is None:
            return answers
        self._note_memory((row, reply) for (row, _), reply in replies.items())
        for row in unread:
            criteria = group.questions[row].criteria
            forced = [replies[row, index] for index in range(len(criteria))]
            answers[row] = _or_unanswered(group.name, votes.forced, answers[row], criteria, forced)
        return answers

    def _note_memory(self, replies: Iterable[tuple[int, Reply]]) -> None:
        self._short_of_memory |= {row for row, reply in replies if getattr(reply, "short_of_memory", False)}

    def _judged(self, row: int, chunk: _Chunk, votes: Sequence[Mapping[int, list[Answer]]]) -> JudgedRow:
        item = self._items[row]
        if not item.images:
            return self._row_maker.unjudged(item)
        answers = (vote[row] for vote in votes)
        flags = [records.SHORT_OF_MEMORY] if row in self._short_of_memory else []
        failed = chunk.failures.get(row)
        outcome = failure.attempt(self._row_maker.judged, item, answers, flags) if failed is None else failed
        return self._row_maker.unjudged(item, outcome.message) if isinstance(outcome, Failed) else outcome


def _or_unanswered(question: str, read: Callable[..., Answer], *arguments: Any) -> Answer:
    """What `read` makes of a judge's reply, which may be nothing that a judge should give."""
    answer = failure.attempt(read, *arguments)
    return votes.unanswered(question, answer.error) if isinstance(answer, Failed) else answer


def _try_again(failures: Iterable[Failed]) -> None:
    """Raises the first that may be gone at the next try: the rank then tries the chunk again."""
    for failed in failures:
        if failed.reason in failure.TRANSIENT:
            raise failed.exception()
