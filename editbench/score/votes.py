"""From the judge's replies to a sample's row: asks become a vote, votes become the sample's score.

A vote's status is the worst of its asks, and it has a score only when all of them could be read; or, where the rubric says
partial = "keep", from those criteria that could be. A sample's score is the mean over its votes that have one, over the whole
ones where there are any.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from editbench.records import ERROR, EXPECTED, FORCED, GENERATE, OK, OUT_OF_RANGE, REFUSED, UNPARSED, Status, writable
from editbench.score import replies
from editbench.score.criteria import Criterion
from editbench.score.judge import Reply
from editbench.score.readout import expectation, mode

WORST = (ERROR, REFUSED, UNPARSED, OUT_OF_RANGE, OK)
DIGITS = 6
"""Decimals of what is computed from probabilities; the last bits beyond them depend on the hardware."""

Score = Callable[[Mapping[str, float]], float]
"""The rubric's formula for a sample: from all its criteria."""
Steps = Callable[[Mapping[str, float]], Mapping[str, float]]
"""The rubric's numbers on the way to the score."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one ask yielded. All values are on the criteria's own scales."""

    question: str
    status: Status
    criteria: Mapping[str, float] = field(default_factory=dict)
    """All of the question's criteria, or none unless `status` is `ok`."""
    readable: Mapping[str, float] = field(default_factory=dict)
    """The criteria that could be read."""
    expected: Mapping[str, float] = field(default_factory=dict)
    """Means of the distributions that are known, by criterion."""
    masses: tuple[float, ...] = ()
    """Sums of the distributions that are known."""
    text: str = ""
    reason: str = ""
    read: str = ""
    """How it was read, as in a row."""


def written(question: str, criteria: Sequence[Criterion], answer: Reply) -> Answer:
    """The answer in a reply that was written, readout `generate`."""
    if answer.error or answer.cut:
        return _without_answer(question, answer)
    text = writable(answer.text)
    reading = replies.read(text, criteria)
    expected, masses = _distributed(criteria, answer)
    return Answer(
        question,
        reading.status,
        reading.criteria or {},
        reading.readable,
        expected,
        masses,
        text=writable(answer.thought) + text,
        reason=reading.reason,
        read=GENERATE,
    )


def distributed(question: str, criteria: Sequence[Criterion], answer: Reply) -> Answer:
    """The answer in a reply that is a distribution, readout `expected`."""
    if answer.error or answer.cut:
        return _without_answer(question, answer)
    expected, masses = _distributed(criteria, answer)
    whole = len(expected) == len(criteria)
    values = expected if whole else {}, expected, expected, masses or (0.0,)
    return Answer(question, OK if whole else UNPARSED, *values, text=writable(answer.thought), read=EXPECTED)


def forced(answer: Answer, criteria: Sequence[Criterion], replies: Sequence[Reply]) -> Answer:
    """An answer that could not be read, with what the forced readout of each criterion gave."""
    if failed := [reply for reply in replies if reply.error]:
        return unanswered(answer.question, failed[0].error)
    pairs = [*zip(criteria, replies, strict=True)]
    modes = {entry: mode(reply.distributions.get(entry.name, ()), entry.lowest) for entry, reply in pairs}
    values = {entry.name: entry.value(likeliest) for entry, likeliest in modes.items() if likeliest is not None}
    if len(values) < len(criteria):
        return answer
    means = [_distributed((entry,), reply) for entry, reply in pairs]
    expected = _merged(by_name for by_name, _ in means)
    masses = tuple(mass for _, several in means for mass in several)
    return replace(answer, status=OK, criteria=values, readable=values, expected=expected, masses=masses, read=FORCED)


def unanswered(question: str, why: str, text: str = "") -> Answer:
    """What the judge could not answer, or what it gave that is no answer."""
    return Answer(question, ERROR, text=writable(text), reason=writable(why))


def refused(question: str, text: str) -> Answer:
    """The judge, or a filter of its provider, refused to answer, in these words."""
    return Answer(question, REFUSED, text=writable(text), reason="refused", read=GENERATE)


def _without_answer(question: str, reply: Reply) -> Answer:
    """What failed, or came to no answer. Of that nothing was read, and so no forced readout follows."""
    if reply.error:
        return unanswered(question, reply.error, reply.text)
    return Answer(question, UNPARSED, text=writable(reply.text), reason="cut")


def _distributed(criteria: Sequence[Criterion], answer: Reply) -> tuple[dict[str, float], tuple[float, ...]]:
    """The means of the distributions that are known, by criterion, and their masses."""
    means, masses = {}, []
    for entry in criteria:
        probabilities = answer.distributions.get(entry.name)
        if not probabilities:
            continue
        mean, mass = expectation(probabilities, entry.lowest)
        masses.append(mass)
        if mean is not None:
            means[entry.name] = entry.value(mean)
    return means, tuple(masses)


@dataclass(frozen=True, slots=True)
class Vote:
    """The answers to all that is asked of a sample, each given once."""

    answers: tuple[Answer, ...]
    status: Status
    score: float | None
    criteria: Mapping[str, float]
    expected: float | None
    partial: bool = False
    """Whether the score leaves out criteria that could not be read."""

    @classmethod
    def of(cls, answers: Iterable[Answer], score: Score, *, keep: bool = False) -> Vote:
        """`keep`: whether what could be read counts where something could not be. An ask that failed is no such case: it is
        asked again."""
        answers = tuple(answers)
        status = min((answer.status for answer in answers), key=WORST.index)
        criteria = _merged(answer.readable for answer in answers)
        partial = keep and status not in (OK, ERROR) and bool(criteria)
        status = OK if partial else status
        expected = _merged(answer.expected for answer in answers)
        return cls(
            answers,
            status,
            score(criteria) if status == OK else None,
            criteria if status == OK else {},
            score(expected) if status == OK and expected.keys() == criteria.keys() else None,
            partial,
        )


@dataclass(frozen=True, slots=True)
class SampleOutcome:
    """What the votes of a sample make of it. `values`: the fields of a row that the judge decides. `note`: for people who
    watch. `partial`: see `Vote`."""

    status: Status
    values: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    partial: bool = False

    @classmethod
    def of(cls, votes: Sequence[Vote], steps: Steps) -> SampleOutcome:
        """An ask that failed fails the sample, whatever else is known: a mean over what did not fail would depend on the luck
        of the run."""
        if failed := [answer.reason for vote in votes for answer in vote.answers if answer.status == ERROR]:
            return cls(ERROR, {"response": failed[0]}, failed[0])
        scored = [vote for vote in votes if vote.score is not None]
        counted = [vote for vote in scored if not vote.partial] or scored
        status = OK if counted else min((vote.status for vote in votes), key=WORST.index)
        masses = [mass for vote in counted or votes for answer in vote.answers for mass in answer.masses]
        mass = round(min(masses), DIGITS) if masses else None
        expected = [vote.expected for vote in counted if vote.expected is not None]
        scores = [vote.score for vote in counted if vote.score is not None]
        values = {
            "score": _mean(scores) if scores else None,
            "criteria": _means([vote.criteria for vote in counted]),
            "expected": _mean(expected) if expected else None,
            "mass": mass,
            "response": _joined(votes),
            "votes": len(counted) or len(votes),
            "spread": round(statistics.stdev(scores), DIGITS) if len(scores) > 1 else None,
            "read": _read(counted),
            "steps": _means([steps(vote.criteria) for vote in counted]),
        }
        return cls(status, values, _note(counted, votes, mass), any(vote.partial for vote in counted))


def _merged(mappings: Iterable[Mapping[str, float]]) -> dict[str, float]:
    return {name: value for mapping in mappings for name, value in mapping.items()}


def _mean(values: Sequence[float]) -> float:
    return round(math.fsum(values) / len(values), DIGITS)


def _means(votes: Sequence[Mapping[str, float]]) -> dict[str, float] | None:
    """By name, the mean over the votes that have it; None without votes."""
    return {name: _mean([vote[name] for vote in votes if name in vote]) for name in _merged(votes)} if votes else None


def _read(counted: Sequence[Vote]) -> str:
    """How the score was read: `forced` where a single answer had to be."""
    ways = [answer.read for vote in counted for answer in vote.answers]
    return FORCED if FORCED in ways else ways[0] if ways else ""


def _joined(votes: Sequence[Vote]) -> str:
    """What the judge wrote; where it was asked more than once, each reply under a line that says what it answers."""
    texts = [answer.text for vote in votes for answer in vote.answers]
    lines = titles([answer.question for answer in votes[0].answers], len(votes))
    return "\n\n".join(map("".join, zip(lines, texts, strict=True))) if any(texts) else ""


def titles(questions: Sequence[str], votes: int) -> list[str]:
    """The line above each reply of a row's `response`, vote by vote; empty for the only one."""
    lines = []
    for number in range(1, votes + 1):
        for question in questions:
            names = [question] * (len(questions) > 1) + [f"vote {number}"] * (votes > 1)
            lines.append(f"[{', '.join(names)}]\n" if names else "")
    return lines


def split(response: str, lines: Sequence[str]) -> list[str]:
    """The replies in a row's `response`, each under its line of `titles`; all empty where a line is missing."""
    texts, rest = [], response.removeprefix(lines[0])
    for line in lines[1:]:
        text, separator, rest = rest.partition(f"\n\n{line}")
        texts.append(text if separator else "")
    return [*texts, rest]


def _note(counted: Sequence[Vote], votes: Sequence[Vote], mass: float | None) -> str:
    answers = (counted or votes)[0].answers
    if answers[0].read == EXPECTED:
        return "" if mass is None else f"mass {mass:.3f}"
    return " / ".join(answer.reason if counted else answer.text for answer in answers)
