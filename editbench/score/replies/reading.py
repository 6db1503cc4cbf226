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
from editbench.score.replies.labels import SCORE, Forms, Given
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
    """`criteria`: all values by name, on the criteria's own scales; None unless `status` is `ok`.

    `reason`: the one given under its key, else the words around the scores. `readable`: the values that could be read and are
    in range, whatever became of the others.
    """

    status: Status
    criteria: dict[str, float] | None
    reason: str
    readable: dict[str, float] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class _Reply:
    """A reply taken apart. `at`: where the first JSON object stood in the text around them all."""

    objects: list[Pairs]
    rest: str
    plain: str
    at: int

    @classmethod
    def of(cls, answer: str) -> Self:
        parsed, around = objects.split(answer)
        rest = "\n".join(around)
        return cls(parsed, rest, plain(rest), len(around[0]))

    def bare(self, whole: re.Pattern[str]) -> re.Match[str] | None:
        """The match of a reply that is nothing else."""
        return None if self.objects else whole.fullmatch(_FENCE.sub("", self.plain).strip())


def read(text: str, criteria: Sequence[Criterion]) -> Reading:
    """Read a reply, answer prefix included: all of a question's criteria or none. Raises nothing."""
    answer = _without_thoughts(text)
    reply = _Reply.of(answer)
    given = _doubted(reply, _given(reply, criteria), criteria)
    status = _status(given, criteria)
    bare = reply.bare(objects.WHOLE) or reply.bare(labels.WHOLE_LIST)
    reason = "" if bare else _reason(reply.objects, reply.rest)
    numbers = any(one.score is not None for scores in given.values() for one in scores)
    if not numbers and _REFUSAL.search(plain(answer[:REFUSAL_HEAD])):
        return Reading(REFUSED, None, reason)
    alone = (entry for entry in criteria if _status({entry.name: given[entry.name]}, (entry,)) == OK)
    readable = {entry.name: entry.value(given[entry.name][0].score) + 0.0 for entry in alone}  # + 0.0: -0 is 0
    return Reading(status, readable if status == OK else None, reason, readable)


def _status(given: dict[str, list[Given]], criteria: Sequence[Criterion]) -> Status:
    """Of each criterion one score, or several that agree; None stands for a score that is given but can't be read."""
    scores = {name: {one.score for one in several} for name, several in given.items()}
    if any(len(several) != 1 or None in several for several in scores.values()):
        return UNPARSED
    if all(entry.lowest <= given[entry.name][0].score <= entry.highest for entry in criteria):
        return OK
    return OUT_OF_RANGE


def _names(criteria: Sequence[Criterion]) -> dict[str, list[Forms]]:
    """By criterion, the names that its score goes by."""
    if len(criteria) > 1:
        return {entry.name: [labels.forms(entry, number)] for number, entry in enumerate(criteria, 1)}
    own = [] if _is_any(criteria[0]) else [labels.forms(criteria[0])]
    return {criteria[0].name: [SCORE, *own]}


def _is_any(criterion: Criterion) -> bool:
    """Whether its name is a word for any score."""
    return SCORE.name.fullmatch(criterion.name) is not None and not criterion.labels


def _given(reply: _Reply, criteria: Sequence[Criterion]) -> dict[str, list[Given]]:
    """By criterion, all scores that a reply gives it."""
    names = _names(criteria)
    given = {entry.name: [one for form in names[entry.name] for one in _find(reply, form, entry)] for entry in criteria}
    for entry, one in prose.paired(reply.plain, criteria) if len(criteria) > 1 else ():
        given[entry.name].append(one)
    for at, scores in _lists(reply, criteria):
        for place, entry in enumerate(criteria):
            score = objects.score(scores[place], entry.highest) if len(scores) == len(criteria) else None
            given[entry.name].append(Given(at, score))
    for entry in criteria:
        if not given[entry.name] and not _is_any(entry):
            given[entry.name] += prose.sentences(reply.plain, labels.forms(entry), entry.highest)
    return (
        given if any(given.values()) else {entry.name: _alone(reply, criteria, place) for place, entry in enumerate(criteria)}
    )


def _find(reply: _Reply, names: Forms, criterion: Criterion) -> Iterator[Given]:
    for entry in objects.values(reply.objects, names.name):
        yield from (Given(reply.at, score) for score in objects.scores(entry, SCORE.name, criterion.highest))
    yield from labels.find(reply.plain, names, criterion.highest)


def _lists(reply: _Reply, criteria: Sequence[Criterion]) -> Iterator[tuple[int, Sequence[Any]]]:
    """Lists of scores under a word for any score, with their places; an empty one for what can't be read."""
    if len(criteria) > 1:  # a list of one is read as its entry
        for entry in objects.values(reply.objects, SCORE.name):
            if isinstance(entry, list) and not isinstance(entry, Pairs):
                yield reply.at, entry
    yield from labels.lists(reply.plain)


def _alone(reply: _Reply, criteria: Sequence[Criterion], place: int) -> list[Given]:
    """A criterion's score in a reply that is nothing but a number or a list; JSON reads only objects."""
    if match := reply.bare(labels.WHOLE_LIST):
        scores = labels.listed(match)
        return [Given(0, scores[place] if len(scores) == len(criteria) else None)]
    match = reply.bare(objects.WHOLE) if len(criteria) == 1 else None
    return [Given(0, value(match, criteria[0].highest))] if match else []


def _doubted(reply: _Reply, given: dict[str, list[Given]], criteria: Sequence[Criterion]) -> dict[str, list[Given]]:
    """The same, with what the reply claims later on."""
    text, names = labels.head(reply.plain), _names(criteria)
    doubted = {}
    for name, scores in given.items():
        start = min((one.at for one in scores), default=len(text))
        later = [claim for form in names[name] for claim in doubts.claims(text, start, form)]
        later += doubts.revisions(text, start) if len(criteria) == 1 else ()
        doubted[name] = [*scores, *(Given(start, claim) for claim in later)]
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
