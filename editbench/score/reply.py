"""Reading the scores out of a judge's reply: what models really write, and nothing else.

In this order: JSON objects; a score's key in JSON that is broken, single-quoted or cut off; labelled scores
("Score: 8/10", "评分：8分", a heading with the number below it); a reply that is nothing but a number. No other digit counts,
there is no default, and readings that contradict each other are no reading.

A score goes by its criterion's name or labels ("visual_naturalness", "Visual Naturalness: 4"). A question's only score may also
go by the words for any score; several may also stand in a list under such a word, or alone, in the order they were asked for
("score": [8, 6]).

Every pattern has bounded or possessive repeats, so a reply is read in time linear in its length.

>>> read('{"reason": "3 cats remain", "success": 8}', [Criterion("success", 0, 10)])
Reading(status='ok', criteria={'success': 8.0}, reason='3 cats remain')
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

from editbench.records import OK, OUT_OF_RANGE, REFUSED, UNPARSED
from editbench.score.criteria import Criterion

JSON_ATTEMPTS = 32
"""Broken JSON objects to try before giving up on JSON; each attempt may read the whole reply."""

REFUSAL_HEAD = 300
"""Characters in which a refusal must begin: models refuse in their first sentence."""


_LABEL = r"""(?<![A-Za-z])(?:
    (?:(?:the|my|final|overall|total)[ _]{1,2}){0,3}(?:score|rating)
  | (?:我给出的|我的|最终|综合|总体|本次){0,2}的?(?:评分|得分|分数|打分)
)"""
_DECOR = r"""[*_`"'\ \t]{0,8}"""
_NOTE = r"(?:\([^()\n]{0,40}\))?"  # Score (0-10): 8
_UNIT = r"(?:\ {0,2}(?:分|points?))?"
_TOP = r"(?:[*_\ ]{0,4}[,(]?\ ?(?:/|out\ of|满分)[为是:\ ]{0,3}[*_]{0,2}(?P<top>[0-9]++(?:\.[0-9]++)?+))?"
# No part of a longer number, of a range, list, fraction, percentage or word: 8,5  7-8  8 9  8/x  80%  8th  8个
_END = r"(?!\.[0-9])(?![*_\ \t]{0,4}[,~/–—-]?[\ \t]{0,3}[0-9])(?![*_\ \t]{0,4}(?:[/%]|percent))(?![^\W_])"
_VALUE = rf"(?P<number>[-+]?[0-9]++(?:\.[0-9]++)?+){_UNIT}{_TOP}{_UNIT}{_END}"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.VERBOSE)


@dataclass(frozen=True, slots=True)
class _Forms:
    """The ways in which a reply gives the score of one name."""

    name: re.Pattern[str]
    """Also a whole JSON key."""
    colon: re.Pattern[str]
    copula: re.Pattern[str]
    heading: re.Pattern[str]
    keyed: re.Pattern[str]

    @classmethod
    def of(cls, label: str) -> Self:
        """`label`: a pattern of the name."""
        return cls(
            name=_pattern(label),
            colon=_pattern(rf"{_DECOR}{_NOTE}{_DECOR}[:=]\s{{0,4}}{_DECOR}{_VALUE}"),
            copula=_pattern(
                rf"{_DECOR}{_NOTE}(?:\ {{0,2}}(?:is|为|是):?|\ [-–—])\ {{0,2}}{_DECOR}{_VALUE}(?={_DECOR}(?:[.,;!。]|\n|\Z))"
            ),
            heading=_pattern(rf"{_DECOR}{_NOTE}{_DECOR}\n\s{{0,3}}{_DECOR}{_VALUE}{_DECOR}[.。]?{_DECOR}(?:\n|\Z)"),
            keyed=_pattern(rf"""(?<!\\)["']{label}["']\s{{0,8}}:\s{{0,8}}["']?{_VALUE}"""),
        )


_SCORE = _Forms.of(_LABEL)
_NUMBER = r"[-+]?[0-9]++(?:\.[0-9]++)?+"
_LIST = rf"\[\s{{0,4}}(?P<list>{_NUMBER}(?:\s{{0,4}},\s{{0,4}}{_NUMBER}){{1,15}})\s{{0,4}}\]"
_LISTED = _pattern(rf"""["']?{_LABEL}["']?{_DECOR}[:=]\s{{0,4}}{_DECOR}{_LIST}""")
_WHOLE_LIST = _pattern(_LIST)
_WHOLE = _pattern(rf"{_DECOR}{_VALUE}{_DECOR}[.。!]?{_DECOR}")
_THOUGHTS = re.compile(r"^<think>", re.MULTILINE)
_FENCE = re.compile(r"```[A-Za-z]{0,12}")
_BROKEN_OBJECT = re.compile(r"""\{\s{0,8}["']""")

_BEFORE = 24  # characters before a label that decide whether it opens a line, a sentence or a clause
_OPENS_LINE = re.compile(r"\n[\s*_#>`\"'(\[{|+-]*\Z")
_OPENS_SENTENCE = re.compile(r"[\n.!?。][\s*_#>`\"'(\[{|+-]*\Z")
_OPENS_CLAUSE = re.compile(
    r"(?:[\n.!?。,;:、…)\]}|>—–]|\b(?:so|thus|therefore|hence)\b|因此|所以|故)[\s*_#>`\"'(\[{|+-]*\Z", re.IGNORECASE
)

_REASON_KEY = _pattern(r"reason|reasoning|rationale|explanation|理由|原因")
_KEYED_REASON = _pattern(rf"""["'](?:{_REASON_KEY.pattern})["']\s{{0,8}}:\s{{0,8}}(?P<quote>["'])""")

_REFUSAL = _pattern(
    r"""(?:sorry|apologi[sz]e)\b[^.\n]{0,80}?\b(?:can't|cannot|can\ not|won't|unable|not\ able)\b
      | \bi(?:\ am|'m)?\ (?:can't|cannot|can\ not|won't|unable\ to|not\ able\ to)
        \ (?:help|assist|provide|rate|score|evaluate|judge|assess|comply|process|view|fulfill?|continue|answer|do)\b
      | (?:抱歉|对不起|不好意思|遗憾)[^。\n]{0,40}?(?:无法|不能|没法|不便|没有办法)
      | 我(?:无法|不能|没法)(?:对[^。\n]{0,20})?(?:提供|协助|帮助|评价|评估|评判|评分|打分|回答|满足|完成|处理|继续)"""
)

# One character for one, so that nothing moves: full-width forms to ASCII, typographic quotes and signs to plain ones.
_PLAIN = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    ord(odd): plain for odd, plain in zip("‘’“”−\u3000\u00a0\r", "''\"\"-   ", strict=True)
}


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with its repeated keys."""


_DECODER = json.JSONDecoder(
    object_pairs_hook=_Pairs,
    parse_int=float,  # any number of digits
    parse_constant=lambda _: None,  # NaN and Infinity are no scores
    strict=False,  # line breaks within a reason
)


@dataclass(frozen=True, slots=True)
class Reading:
    """`criteria`: all values by name, on the criteria's own scales; None unless `status` is `ok`.

    `reason`: the one given under its key, else the words around the scores. `readable`: the values that could be read and are
    in range, whatever became of the others.
    """

    status: str
    criteria: dict[str, float] | None
    reason: str
    readable: dict[str, float] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class _Reply:
    """A reply taken apart: its JSON objects, the text around them, and the same in plain signs."""

    answer: str
    objects: list[_Pairs]
    rest: str
    plain: str


def read(text: str, criteria: Sequence[Criterion]) -> Reading:
    """Read a reply, answer prefix included: all of a question's criteria or none. Raises nothing."""
    answer = _without_thoughts(text)
    objects, rest = _json_objects(answer)
    reply = _Reply(answer, objects, rest, rest.translate(_PLAIN))
    found = {criteria[0].name: _only(reply, criteria[0])} if len(criteria) == 1 else _several(reply, criteria)
    status = _status(found, criteria)
    reason = "" if _is_bare(reply) else _reason(objects, rest)
    numbers = any(value is not None for values in found.values() for value in values)
    if not numbers and _REFUSAL.search(answer[:REFUSAL_HEAD].translate(_PLAIN)):
        return Reading(REFUSED, None, reason)
    alone = (entry for entry in criteria if _status({entry.name: found[entry.name]}, (entry,)) == OK)
    readable = {entry.name: entry.value(found[entry.name][0]) + 0.0 for entry in alone}  # + 0.0: -0 is 0
    return Reading(status, readable if status == OK else None, reason, readable)


def _status(found: dict[str, list[float | None]], criteria: Sequence[Criterion]) -> str:
    """Of each criterion one reading, or several that agree; None stands for a score that is given but can't be read."""
    if any(len(set(values)) != 1 or values[0] is None for values in found.values()):
        return UNPARSED
    if all(entry.lowest <= found[entry.name][0] <= entry.highest for entry in criteria):
        return OK
    return OUT_OF_RANGE


def _only(reply: _Reply, criterion: Criterion) -> list[float | None]:
    """All readings of a question's only criterion: by the words for a score, and by its own name."""
    found = _find(reply, _SCORE, criterion)
    if criterion.name != "score" or criterion.labels:
        found += _find(reply, _forms(criterion), criterion)
    if not found and (whole := _bare(reply, _WHOLE)):
        found = [_value(whole, criterion.highest)]
    return found


def _several(reply: _Reply, criteria: Sequence[Criterion]) -> dict[str, list[float | None]]:
    found = {entry.name: _find(reply, _forms(entry), entry) for entry in criteria}
    lists = [
        value for value in _values(reply.objects, _SCORE.name) if isinstance(value, list) and not isinstance(value, _Pairs)
    ]
    lists += [_numbers(match) for match in _LISTED.finditer(reply.plain)]
    if not lists and not any(found.values()):
        # A whole reply that is a list: JSON reads only objects.
        lists = [_numbers(match)] if (match := _bare(reply, _WHOLE_LIST)) else []
    for values in lists:
        for place, entry in enumerate(criteria):
            fits = len(values) == len(criteria) and isinstance(values[place], float)
            found[entry.name].append(values[place] if fits else None)
    return found


def _find(reply: _Reply, forms: _Forms, criterion: Criterion) -> list[float | None]:
    found = [_json_score(value, criterion.highest) for value in _values(reply.objects, forms.name)]
    found += _keyed(reply.plain, forms, criterion.highest)
    return found + _labelled(_BROKEN_OBJECT.split(reply.plain, maxsplit=1)[0], forms, criterion.highest)


@lru_cache(maxsize=256)
def _forms(criterion: Criterion) -> _Forms:
    names = sorted((criterion.name, *criterion.labels), key=len, reverse=True)
    spelled = "|".join(r"[\s_-]{1,3}".join(map(_word, re.findall(r"[^\W_]+|&", name))) for name in names)
    return _Forms.of(rf"(?<![A-Za-z_])(?:{spelled})(?:[\ _]{{0,2}}(?:score|rating|评分|得分|分数))?")


def _word(word: str) -> str:
    return "(?:&|and)" if word == "&" else re.escape(word)


def _bare(reply: _Reply, pattern: re.Pattern[str]) -> re.Match[str] | None:
    """The match of a reply that is nothing else."""
    return None if reply.objects else pattern.fullmatch(_FENCE.sub("", reply.plain).strip())


def _is_bare(reply: _Reply) -> bool:
    return bool(_bare(reply, _WHOLE) or _bare(reply, _WHOLE_LIST))


def _numbers(match: re.Match[str]) -> list[float]:
    return [float(number) for number in match["list"].split(",")]


def _without_thoughts(text: str) -> str:
    """What follows a thinking model's thoughts; what precedes them when it never left them. Thoughts begin a line: elsewhere
    the word is one that a reason quotes."""
    _, closed, answer = text.rpartition("</think>")
    return answer if closed else _THOUGHTS.split(text, maxsplit=1)[0]


def _json_objects(text: str) -> tuple[list[_Pairs], str]:
    """The JSON objects in a text, and the text around them."""
    objects: list[_Pairs] = []
    around: list[str] = []
    start = failures = 0
    brace = text.find("{")
    while brace >= 0 and failures < JSON_ATTEMPTS:
        try:
            entry, end = _DECODER.raw_decode(text, brace)
        except (ValueError, RecursionError):
            failures, end = failures + 1, brace + 1
        else:
            objects.append(entry)
            around.append(text[start:brace])
            start = end
        brace = text.find("{", end)
    return objects, "\n".join((*around, text[start:]))


def _values(objects: list[_Pairs], wanted: re.Pattern[str]) -> Iterator[Any]:
    """The values of the wanted keys, at any depth."""
    stack: list[Any] = [*reversed(objects)]
    while stack:
        node = stack.pop()
        if not isinstance(node, _Pairs):
            stack += node if isinstance(node, list) else ()
            continue
        for key, value in node:
            if wanted.fullmatch(key.strip()):
                yield value
            else:
                stack.append(value)


def _json_score(value: Any, highest: int) -> float | None:
    if isinstance(value, _Pairs):  # {"naturalness": {"score": 8, "reason": ...}}
        inner = {_json_score(entry, highest) for entry in _values([value], _SCORE.name)}
        return inner.pop() if len(inner) == 1 else None
    if isinstance(value, float):
        return value
    match = _WHOLE.fullmatch(value.translate(_PLAIN).strip()) if isinstance(value, str) else None
    return _value(match, highest) if match else None


def _value(match: re.Match[str], highest: int) -> float | None:
    """The number of a match; None when it is a fraction of something else than the scale's top."""
    if match["top"] is not None and float(match["top"]) != highest:
        return None
    return float(match["number"])


def _keyed(plain: str, forms: _Forms, highest: int) -> list[float | None]:
    """Scores under their quoted key, where the JSON around them is broken or cut off."""
    return [None if _cut(match, highest) else _value(match, highest) for match in forms.keyed.finditer(plain)]


def _cut(match: re.Match[str], highest: int) -> bool:
    """Whether the reply may have been cut off within the number: at `1` of `10`, at `8.` of `8.5`."""
    tail = match.string[match.end() : match.end() + 2]
    return tail == "." or (not tail and 0 < 10 * float(match["number"]) <= highest)


def _labelled(plain: str, forms: _Forms, highest: int) -> list[float | None]:
    """Scores after a label, as in `Score: 8/10`, `The score is 8.`, or a heading with the number below it."""
    found = []
    for label in forms.name.finditer(plain):
        if match := _after_label(plain, forms, label.start(), label.end()):
            found.append(_value(match, highest))
    return found


def _after_label(plain: str, forms: _Forms, start: int, end: int) -> re.Match[str] | None:
    """The looser the form, the stricter where it may stand: "a perfect score: 10" and "if so, the score is 10" don't count."""
    before = plain[max(0, start - _BEFORE) : start] if start > _BEFORE else "\n" + plain[:start]
    allowed = ((forms.colon, _OPENS_CLAUSE), (forms.copula, _OPENS_SENTENCE), (forms.heading, _OPENS_LINE))
    matches = (form.match(plain, end) for form, opening in allowed if opening.search(before))
    return next(filter(None, matches), None)


def _reason(objects: list[_Pairs], rest: str) -> str:
    for value in _values(objects, _REASON_KEY):
        if isinstance(value, str):
            return value.strip()
    if opened := _KEYED_REASON.search(rest):
        closed = re.compile(rf"{opened['quote']}\s*+[,}}]").search(rest, opened.end())
        return rest[opened.end() : closed.start() if closed else None].strip()
    return "" if objects else rest.strip()
