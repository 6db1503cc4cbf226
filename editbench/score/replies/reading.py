"""Reading the scores out of a judge's reply.

In this order: JSON objects; a score's key in JSON that is broken, single-quoted or cut off; labelled scores ("Score: 8/10",
"评分：8分", a heading with the number below it); names and numbers by turns; a sentence that gives a criterion's score by its
name; a reply that is nothing but a number, or a list. No other digit counts, there is no default, and scores that contradict
each other are no score: neither `7 to 8`, nor `10 - no, 3`, nor an 8 that a later sentence makes a 6.

A score goes by its criterion's name or labels ("visual_naturalness", "Visual Naturalness: 4"). A question's only score may also
go by the words for any score; several may also be numbered ("score1: 8"), or stand in a list under such a word, or alone, in
the order they were asked for ("score": [8, 6]).

>>> read('{"reason": "3 cats remain", "success": 8}', [Criterion("success", 0, 10)])
Reading(status='ok', criteria={'success': 8.0}, reason='3 cats remain')
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from editbench.records import OK, OUT_OF_RANGE, REFUSED, UNPARSED, Status
from editbench.score.criteria import Criterion
from editbench.score.replies import doubts, labels, objects, prose
from editbench.score.replies.labels import SCORE, GivenScore, ScorePatterns
from editbench.score.replies.numbers import pattern, plain, value
from editbench.score.replies.objects import Pairs

REFUSAL_HEAD = 300
"""Characters in which a refusal must begin: models refuse in their first sentence."""

_THOUGHTS = re.compile(r"^<think>", re.MULTILINE)
_FENCE = re.compile(r"```[A-Za-z]{0,12}")

_REASON_KEY = pattern(r"reason|reasoning|rationale|explanation|理由|原因")
_KEYED_REASON = pattern(rf"""["'](?:{_REASON_KEY.pattern})["']\s{{0,8}}:\s{{0,8}}(?P<quote>["'])""")

_REFUSAL = pattern(
    r"""(?:sorry|apologi[sz]e)\b[^.\n]{0,80}?\b(?:can't|cannot|can\ not|won't|unable|not\ able)\b
      | \bi(?:\ am|'m)?\ (?:can't|cannot|can\ not|won't|unable\ to|not\ able\ to)
        \ (?:help|assist|provide|rate|score|evaluate|judge|assess|comply|process|view|fulfill?|continue|answer|do)\b
      | (?:抱歉|对不起|不好意思|遗憾)[^。\n]{0,40}?(?:无法|不能|没法|不便|没有办法)
      | 我(?:无法|不能|没法)(?:对[^。\n]{0,20})?(?:提供|协助|帮助|评价|评估|评判|评分|打分|回答|满足|完成|处理|继续)"""
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply says. `criteria`: all values by name, on the criteria's own scales; None unless `status` is `ok`.

    `reason`: the one given under its key, else the words around the scores. `readable`: the values that could be read and are
    in range, whatever became of the others.
    """

    status: Status
    criteria: dict[str, float] | None
    reason: str
    readable: dict[str, float] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class _ParsedReply:
    """A reply taken apart: its JSON objects, and the text around them. `offset`: where the first object stood in that text."""

    objects: list[Pairs]
    rest: str
    plain: str
    offset: int

    @classmethod
    def of(cls, answer: str) -> Self:
        parsed, around = objects.split(answer)
        rest = "\n".join(around)
        return cls(parsed, rest, plain(rest), len(around[0]))

    def bare(self, whole: re.Pattern[str]) -> re.Match[str] | None:
        """The match of a reply that is nothing but what `whole` matches."""
        return None if self.objects else whole.fullmatch(_FENCE.sub("", self.plain).strip())


def read(text: str, criteria: Sequence[Criterion]) -> Reading:
    """Read a reply, answer prefix included: all of a question's criteria or none. Raises nothing."""
    answer = _without_thoughts(text)
    reply = _ParsedReply.of(answer)
    given = _with_doubts(reply, _given_scores(reply, criteria), criteria)
    bare = reply.bare(objects.WHOLE) or reply.bare(labels.WHOLE_LIST)
    reason = "" if bare else _reason(reply.objects, reply.rest)
    numbers = any(one.score is not None for scores in given.values() for one in scores)
    if not numbers and _REFUSAL.search(plain(answer[:REFUSAL_HEAD])):
        return Reading(REFUSED, None, reason)
    scores = {entry: _agreed(given[entry.name]) for entry in criteria}
    readable = {
        entry.name: entry.value(score) + 0.0  # -0 is 0
        for entry, score in scores.items()
        if score is not None and entry.lowest <= score <= entry.highest
    }
    if len(readable) == len(scores):
        return Reading(OK, readable, reason, readable)
    return Reading(UNPARSED if None in scores.values() else OUT_OF_RANGE, None, reason, readable)


def _agreed(given: Sequence[GivenScore]) -> float | None:
    """The only score that is given, once or more often; None where there is none, or any that can't be read."""
    scores = {one.score for one in given}
    return scores.pop() if len(scores) == 1 else None


def _names(criteria: Sequence[Criterion]) -> dict[str, list[ScorePatterns]]:
    """By criterion, the patterns of the names that its score goes by."""
    if len(criteria) > 1:
        return {entry.name: [labels.patterns(entry, number)] for number, entry in enumerate(criteria, 1)}
    own = [] if _is_any(criteria[0]) else [labels.patterns(criteria[0])]
    return {criteria[0].name: [SCORE, *own]}


def _is_any(criterion: Criterion) -> bool:
    """Whether its name is a word for any score."""
    return SCORE.name.fullmatch(criterion.name) is not None and not criterion.labels


def _given_scores(reply: _ParsedReply, criteria: Sequence[Criterion]) -> dict[str, list[GivenScore]]:
    """By criterion, all scores that a reply gives it."""
    names = _names(criteria)
    given = {entry.name: [one for form in names[entry.name] for one in _find(reply, form, entry)] for entry in criteria}
    for entry, one in prose.paired(reply.plain, criteria) if len(criteria) > 1 else ():
        given[entry.name].append(one)
    for offset, scores in _lists(reply, criteria):
        for index, entry in enumerate(criteria):
            score = objects.score(scores[index], entry.highest) if len(scores) == len(criteria) else None
            given[entry.name].append(GivenScore(offset, score))
    for entry in criteria:
        if not given[entry.name] and not _is_any(entry):
            given[entry.name] += prose.sentences(reply.plain, labels.patterns(entry), entry.highest)
    if any(given.values()):
        return given
    return {entry.name: _alone(reply, criteria, index) for index, entry in enumerate(criteria)}


def _find(reply: _ParsedReply, names: ScorePatterns, criterion: Criterion) -> Iterator[GivenScore]:
    for entry in objects.values(reply.objects, names.name):
        yield from (GivenScore(reply.offset, score) for score in objects.scores(entry, SCORE.name, criterion.highest))
    yield from labels.find(reply.plain, names, criterion.highest)


def _lists(reply: _ParsedReply, criteria: Sequence[Criterion]) -> Iterator[tuple[int, Sequence[Any]]]:
    """Lists of scores under a word for any score, with their offsets; an empty one for what can't be read."""
    if len(criteria) > 1:  # a list of one is read as its entry
        for entry in objects.values(reply.objects, SCORE.name):
            if isinstance(entry, list) and not isinstance(entry, Pairs):
                yield reply.offset, entry
    yield from labels.lists(reply.plain)


def _alone(reply: _ParsedReply, criteria: Sequence[Criterion], index: int) -> list[GivenScore]:
    """A criterion's score in a reply that is nothing but a number or a list; JSON reads only objects."""
    if match := reply.bare(labels.WHOLE_LIST):
        scores = labels.listed(match)
        return [GivenScore(0, scores[index] if len(scores) == len(criteria) else None)]
    match = reply.bare(objects.WHOLE) if len(criteria) == 1 else None
    return [GivenScore(0, value(match, criteria[0].highest))] if match else []


def _with_doubts(
    reply: _ParsedReply, given: dict[str, list[GivenScore]], criteria: Sequence[Criterion]
) -> dict[str, list[GivenScore]]:
    """By criterion, the scores that a reply gives it, and those that it claims later on."""
    text, names = labels.head(reply.plain), _names(criteria)
    doubted = {}
    for name, scores in given.items():
        start = min((one.offset for one in scores), default=len(text))
        later = [claim for form in names[name] for claim in doubts.claims(text, start, form)]
        later += doubts.revisions(text, start) if len(criteria) == 1 else ()
        doubted[name] = [*scores, *(GivenScore(start, claim) for claim in later)]
    return doubted


def _without_thoughts(text: str) -> str:
    """What follows a thinking model's thoughts; what precedes them when it never left them. Thoughts begin a line: elsewhere
    the word is one that a reason quotes."""
    _, closed, answer = text.rpartition("</think>")
    return answer if closed else _THOUGHTS.split(text, maxsplit=1)[0]


def _reason(parsed: Sequence[Pairs], rest: str) -> str:
    for entry in objects.values(parsed, _REASON_KEY):
        if isinstance(entry, str):
            return entry.strip()
    if opened := _KEYED_REASON.search(rest):
        closed = re.compile(rf"{opened['quote']}\s*+[,}}]").search(rest, opened.end())
        return rest[opened.end() : closed.start() if closed else None].strip()
    return "" if parsed else rest.strip()
