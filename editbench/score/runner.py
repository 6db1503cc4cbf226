"""Runs the judge: in batches that fit into memory, once a vote, and a second time where a reply could not be read.

A question that the judge fails on takes no others down. A batch that does not fit into memory is halved, which its replies say
(another batch may move their last bits), and the next chunk is asked as planned again. A batch that raises anything else is
asked again one by one; a question that fails alone gets a reply that says why.

The second time is the forced readout. The judge goes on from what it has said, up to its last whole sentence, behind the key
of the answer that is missing; only the allowed answers count, and the most likely one is its answer, as greedy decoding would
have written it.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from editbench.errors import UserError
from editbench.fleet import failure
from editbench.fleet.failure import Failed
from editbench.score.judge import Judge, Question, Reply
from editbench.wording import counted

_SENTENCE = re.compile(r"""[.!?。！？…][\\"'”’»)\]）】]*(?=\s|\Z)|[。！？]|\n""")
_OPEN_TEXT = re.compile(r"""\{\s*"(?:[^"\\\n]|\\.)*"\s*:\s*"(?:[^"\\]|\\.)*\Z""")
_log = logging.getLogger(__name__)

Ask = Callable[[Mapping[Any, Question]], list[Reply] | None]
"""Calls the judge; None: it has no such replies."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Questions by the row that they are about, and what the judge prepared of them on the CPU."""

    questions: Mapping[int, Question]
    prepared: Any


class JudgeRunner:
    """Asks a judge questions that are given by a key, a row as a rule, and gives its replies by the same keys."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self._fits: int | None = None
        """Questions that fit into memory at once, known since there were too many, until the next chunk."""
        self.failures: list[Failed] = []
        """How questions failed even when asked alone, until somebody empties it."""

    def start_chunk(self) -> None:
        """Ask as many questions at once as are planned again: the memory may have been somebody else's."""
        self._fits = None

    def prepare(self, questions: Mapping[int, Question]) -> tuple[list[Batch], dict[int, Failed]]:
        """The judge's own work on the CPU, ahead of the model; and the questions that it can't take, with the reason."""
        if not questions:
            return [], {}
        prepared = failure.attempt(self._prepare, questions)
        if not isinstance(prepared, Failed):
            return [Batch(questions, prepared)], {}
        alone = {row: failure.attempt(self._prepare, {row: question}) for row, question in questions.items()}
        failed = {row: outcome for row, outcome in alone.items() if isinstance(outcome, Failed)}
        single = [Batch({row: questions[row]}, prepared) for row, prepared in alone.items() if row not in failed]
        return self._without(questions, failed) or single, failed

    def _without(self, questions: Mapping[int, Question], failed: Collection[int]) -> list[Batch]:
        """The rest of the questions as one batch, where it is some questions' fault that they could not be prepared."""
        rest = {row: question for row, question in questions.items() if row not in failed}
        prepared = failure.attempt(self._prepare, rest) if failed and rest else None
        return [] if prepared is None or isinstance(prepared, Failed) else [Batch(rest, prepared)]

    def _prepare(self, questions: Mapping[int, Question]) -> Any:
        try:
            return self.judge.prepare([*questions.values()])
        except ValueError as error:
            # How a judge says that it can't take a question (see Judge.prepare).
            raise UserError(failure.summary(error)) from None

    def answer(self, batch: Batch, seeds: Mapping[int, int] | None = None) -> dict[int, Reply]:
        """The replies by row. `seeds`: by row, where tokens are sampled."""

        def ask(part: Mapping[int, Question]) -> list[Reply]:
            whole = len(part) == len(batch.questions)
            prepared = batch.prepared if whole else self.judge.prepare([*part.values()])
            chosen = [[seeds[row] for row in part]] if seeds else []
            return self.judge.answer(prepared, *chosen) or []

        return self._ask_in_parts(batch.questions, ask, len(batch.questions)) or {}

    def force(self, questions: Mapping[Any, Question], batch_size: int) -> dict[Any, Reply] | None:
        """The forced readout of questions with one criterion each, by their keys; None: the judge can't."""
        return self._ask_in_parts(questions, lambda part: self.judge.force([*part.values()]), batch_size)

    def _ask_in_parts(self, questions: Mapping[Any, Question], ask: Ask, size: int) -> dict[Any, Reply] | None:
        """Replies by key, of `size` questions at once; None where the judge has none."""
        replies: dict[Any, Reply] = {}
        for part in _slices(questions, size):
            answered = self._ask(part, ask)
            if answered is None:
                return None
            replies |= answered
        return replies

    def _ask(self, questions: Mapping[Any, Question], ask: Ask) -> dict[Any, Reply] | None:
        """Replies by key, of questions that are asked together unless that fails; None where the judge has none."""
        if self._fits and len(questions) > self._fits:
            return _marked(self._ask_in_parts(questions, ask, self._fits))
        replies = failure.attempt(_replies, questions, ask)
        if not isinstance(replies, Failed):
            return replies
        out_of_memory = replies.reason == failure.OUT_OF_MEMORY
        if out_of_memory:
            failure.recover()
        if len(questions) == 1:
            self.failures.append(replies)
            return dict.fromkeys(questions, Reply("", error=replies.error))
        if not out_of_memory:
            return self._ask_in_parts(questions, ask, 1)
        failures = len(self.failures)
        halved = _marked(self._ask_in_parts(questions, ask, len(questions) // 2))
        if len(self.failures) == failures:
            self._shrink(len(questions), replies.error)
        return halved

    def _shrink(self, size: int, why: str) -> None:
        if self._fits and self._fits <= size // 2:
            return
        self._fits = size // 2
        _log.warning(
            "%d questions at once did not fit into memory: for the rest of the chunk %d. With a --batch-size or --max-pixels "
            "that fits, runs are equal to the bit. (%s)",
            size,
            self._fits,
            why,
        )


def unfinished(question: Question, reply: str, index: int) -> Question:
    """The question whose next words can only be the answer for one of its criteria, by index; `reply` is what was answered.

    Whole sentences of the reply stay, and JSON that is open within a text is gone on with.
    """
    criterion, prefix = question.criteria[index], question.answer_prefix
    key = f"{json.dumps(criterion.name, ensure_ascii=False)}: "
    ends = [match.end() for match in _SENTENCE.finditer(reply, len(prefix))]
    kept = reply[len(prefix) : ends[-1]].rstrip() if ends else ""
    if not kept:
        return replace(question, criteria=(criterion,), answer_prefix="" if "{" in prefix else prefix, said=f"{{{key}")
    said = f'{kept}", {key}' if _OPEN_TEXT.search(prefix + kept) else f"{kept}\n{{{key}"
    return replace(question, criteria=(criterion,), said=said)


def _replies(questions: Mapping[Any, Question], ask: Ask) -> dict[Any, Reply] | None:
    replies = ask(questions)
    if replies is None:
        return None
    if len(replies) != len(questions):
        message = f"the judge gave {counted(len(replies), 'reply', 'replies')} to {counted(len(questions), 'question')}"
        raise UserError(message, "Return one a question.")
    return dict(zip(questions, replies, strict=True))


def _marked(replies: dict[Any, Reply] | None) -> dict[Any, Reply] | None:
    """The replies, which now say that memory ran out. What is no Reply stays as it is: reading it fails, and says why."""
    if replies is None:
        return None
    return {key: replace(one, short_of_memory=True) if isinstance(one, Reply) else one for key, one in replies.items()}


def _slices(questions: Mapping[Any, Question], size: int) -> Sequence[dict[Any, Question]]:
    keys = [*questions]
    return [{key: questions[key] for key in keys[start : start + size]} for start in range(0, len(keys), max(size, 1))]
