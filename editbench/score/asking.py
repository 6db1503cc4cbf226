"""Asks the judge: in batches that fit into memory, once a vote, and a second time where a reply could not be read.

A question that the judge fails on takes no others down. A batch that does not fit into memory is halved, and one that raises
anything else is asked again one by one; a question that fails alone gets a reply that says why. Only in such a batch are
replies from other company than the plan's, which may move their last bits.

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

_SENTENCE = re.compile(r"""[.!?。！？…][\\"'”’»)\]）】]*(?=\s|\Z)|[。！？]|\n""")
_OPEN_TEXT = re.compile(r"""\{\s*"(?:[^"\\\n]|\\.)*"\s*:\s*"(?:[^"\\]|\\.)*\Z""")


_log = logging.getLogger(__name__)

Ask = Callable[[Mapping[Any, Question]], list[Reply] | None]


@dataclass(frozen=True, slots=True)
class Batch:
    """Questions by the place of their sample, and what the judge made of them on the CPU; None: nothing yet."""

    questions: Mapping[int, Question]
    prepared: Any = None


class Interview:
    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self._fits: int | None = None
        """Questions that fit into memory at once, known since there were too many. The next batches are that small from the
        start. Another batch moves the last bits of a row: a --batch-size that fits keeps runs equal to the bit."""
        self.failed: list[Failed] = []
        """How questions failed even when asked alone, until somebody empties it."""

    def lay_out(self, questions: Mapping[int, Question]) -> tuple[list[Batch], dict[int, Failed]]:
        """The judge's own work on the CPU, ahead of the model; and the questions that it can't take, with the reason."""
        batches, broken = [], {}
        for part in _slices(questions, self._fits or len(questions)):
            prepared = failure.attempt(self._prepare, part)
            if not isinstance(prepared, Failed):
                batches.append(Batch(part, prepared))
                continue
            alone = {place: failure.attempt(self._prepare, {place: question}) for place, question in part.items()}
            faults = {place: fault for place, fault in alone.items() if isinstance(fault, Failed)}
            broken |= faults
            batches += self._without(part, faults) or [
                Batch({place: part[place]}, made) for place, made in alone.items() if place not in faults
            ]
        return batches, broken

    def _without(self, part: Mapping[int, Question], faults: Collection[int]) -> list[Batch]:
        """The rest of a part as one batch, where it is some questions' fault that it could not be prepared."""
        rest = {place: question for place, question in part.items() if place not in faults}
        prepared = failure.attempt(self._prepare, rest) if faults and rest else None
        return [] if prepared is None or isinstance(prepared, Failed) else [Batch(rest, prepared)]

    def _prepare(self, questions: Mapping[int, Question]) -> Any:
        try:
            return self.judge.prepare([*questions.values()])
        except ValueError as error:
            # How a judge says that it can't take a question (see Judge.prepare).
            raise UserError(failure.summary(error)) from None

    def answers(self, batch: Batch, seeds: Mapping[int, int] | None = None) -> dict[int, Reply]:
        """A reply by place. `seeds`: by place, where tokens are drawn."""

        def ask(part: Mapping[int, Question]) -> list[Reply]:
            known = batch.prepared is not None and len(part) == len(batch.questions)
            prepared = batch.prepared if known else self.judge.prepare([*part.values()])
            chosen = [[seeds[place] for place in part]] if seeds else []
            return self.judge.answer(prepared, *chosen) or []

        return self._fitting(batch.questions, ask) or {}

    def forced(self, questions: Mapping[Any, Question], most: int) -> dict[Any, Reply] | None:
        """The forced readout of questions with one criterion each, `most` at a time; None: the judge can't."""
        replies: dict[Any, Reply] = {}
        for part in _slices(questions, most):
            given = self._fitting(part, lambda some: self.judge.force([*some.values()]))
            if given is None:
                return None
            replies |= given
        return replies

    def _fitting(self, questions: Mapping[Any, Question], ask: Ask) -> dict[Any, Reply] | None:
        """Replies by key; None where the judge has none."""
        given = [self._asked(part, ask) for part in _slices(questions, self._fits or len(questions))]
        return None if None in given else {key: reply for part in given for key, reply in part.items()}

    def _asked(self, questions: Mapping[Any, Question], ask: Ask) -> dict[Any, Reply] | None:
        """The same, of questions that are asked together unless that fails."""
        replies = failure.attempt(_answered, questions, ask)
        if not isinstance(replies, Failed):
            return replies
        short = replies.reason == failure.OUT_OF_MEMORY
        if short:
            failure.recover()
        if len(questions) == 1:
            self.failed.append(replies)
            return dict.fromkeys(questions, Reply("", error=replies.error))
        failed = len(self.failed)
        parts = [self._asked(part, ask) or {} for part in _slices(questions, len(questions) // 2 if short else 1)]
        if short and len(self.failed) == failed:
            self._shrink(len(questions), replies.error)
        return {key: reply for part in parts for key, reply in part.items()}

    def _shrink(self, size: int, why: str) -> None:
        if self._fits and self._fits <= size // 2:
            return
        self._fits = size // 2
        _log.warning(
            "%d questions at once did not fit into memory: from here on %d. With a --batch-size or --max-pixels that fits "
            "from the start, runs are equal to the bit. (%s)",
            size,
            self._fits,
            why,
        )


def unfinished(question: Question, reply: str, criterion: int) -> Question:
    """The question whose next words can only be the answer for one of its criteria, by number; `reply` is what was answered.

    Whole sentences of the reply stay, and JSON that is open within a text is gone on with.
    """
    asked, prefix = question.criteria[criterion], question.answer_prefix
    key = f"{json.dumps(asked.name, ensure_ascii=False)}: "
    ends = [match.end() for match in _SENTENCE.finditer(reply, len(prefix))]
    kept = reply[len(prefix) : ends[-1]].rstrip() if ends else ""
    if not kept:
        return replace(question, criteria=(asked,), answer_prefix="" if "{" in prefix else prefix, said=f"{{{key}")
    said = f'{kept}", {key}' if _OPEN_TEXT.search(prefix + kept) else f"{kept}\n{{{key}"
    return replace(question, criteria=(asked,), said=said)


def _answered(questions: Mapping[Any, Question], ask: Ask) -> dict[Any, Reply] | None:
    replies = ask(questions)
    if replies is None:
        return None
    if len(replies) != len(questions):
        message = f"the judge gave {len(replies)} replies to {len(questions)} questions"
        raise UserError(message, "Return one a question.")
    return dict(zip(questions, replies, strict=True))


def _slices(questions: Mapping[Any, Question], size: int) -> Sequence[dict[Any, Question]]:
    keys = [*questions]
    return [{key: questions[key] for key in keys[start : start + size]} for start in range(0, len(keys), max(size, 1))]
