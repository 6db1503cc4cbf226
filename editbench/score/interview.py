"""Asks the judge: in batches that fit into memory, once a vote, and a second time where a reply could not be read.

A question that does not even fit alone takes no others down: its reply says so.

The second time is the forced readout. The judge goes on from what it has said, up to its last whole sentence, behind the key
of the answer that is missing; only the allowed answers count, and the most likely one is its answer, as greedy decoding would
have written it.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from editbench.errors import UserError
from editbench.fleet import failure
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
        self.lost: list[str] = []
        """What was said of each question that did not even fit into memory alone, until somebody empties it."""

    def lay_out(self, questions: Mapping[int, Question]) -> tuple[list[Batch], dict[int, str]]:
        """The judge's own work on the CPU, ahead of the model; and the questions that it can't take, with the reason."""
        batches, broken = [], {}
        for part in _slices(questions, self._fits or len(questions)):
            try:
                batches.append(Batch(part, self.judge.prepare([*part.values()])))
            except (ValueError, UserError):
                found = {place: problem for place, question in part.items() if (problem := self._problem(question))}
                if not found:  # it is not a single question's fault
                    raise
                rest = {place: question for place, question in part.items() if place not in found}
                batches += [Batch(rest, self.judge.prepare([*rest.values()]))] if rest else []
                broken |= found
        return batches, broken

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
            found = self._fitting(part, lambda some: self.judge.force([*some.values()]))
            if found is None:
                return None
            replies |= found
        return replies

    def _problem(self, question: Question) -> str:
        try:
            self.judge.prepare([question])
        except (ValueError, UserError) as error:
            return failure.summary(error)
        return ""

    def _fitting(self, questions: Mapping[Any, Question], ask: Ask) -> dict[Any, Reply] | None:
        """Replies by key; None where the judge has none."""
        found = [self._halving(part, ask) for part in _slices(questions, self._fits or len(questions))]
        return None if None in found else {key: reply for part in found for key, reply in part.items()}

    def _halving(self, questions: Mapping[Any, Question], ask: Ask) -> dict[Any, Reply] | None:
        """The same. What does not fit into memory is halved until it does. A question that does not fit alone tells nothing of
        how many others do."""
        import torch

        try:
            replies = ask(questions)
            if replies is None:
                return None
            if len(replies) != len(questions):
                message = f"the judge gave {len(replies)} replies to {len(questions)} questions"
                raise UserError(message, "Return one a question.")
            return dict(zip(questions, replies, strict=True))
        except torch.OutOfMemoryError as error:
            said, why = str(error), failure.summary(error)
        # Outside the handler: its traceback would keep the failed batch's tensors alive.
        torch.cuda.empty_cache()
        if len(questions) == 1:
            self.lost.append(said)
            return dict.fromkeys(questions, Reply("", error=why))
        lost = len(self.lost)
        halves = [self._halving(part, ask) or {} for part in _slices(questions, len(questions) // 2)]
        if len(self.lost) == lost:
            self._shrink(len(questions), why)
        return {key: reply for half in halves for key, reply in half.items()}

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


def _slices(questions: Mapping[Any, Question], size: int) -> Sequence[dict[Any, Question]]:
    keys = [*questions]
    return [{key: questions[key] for key in keys[start : start + size]} for start in range(0, len(keys), max(size, 1))]
