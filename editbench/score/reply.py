"""Reading the score out of a judge's reply: what models really write, and nothing else.

In this order: JSON objects; the score's key in JSON that is broken, single-quoted or cut off; labelled scores
("Score: 8/10", "评分：8分", a heading with the number below it); a reply that is nothing but a number. No other digit counts,
there is no default, and readings that contradict each other are no reading.

Every pattern has bounded or possessive repeats, so a reply is read in time linear in its length.

>>> parse('{"reason": "3 cats remain", "score": 8}', (0, 10))
Parsed(status='ok', score=8.0, reason='3 cats remain')
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from editbench.records import OK, OUT_OF_RANGE, REFUSED, UNPARSED

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


_LABELS = _pattern(_LABEL)
_COLON = _pattern(rf"{_DECOR}{_NOTE}{_DECOR}[:=]\s{{0,4}}{_DECOR}{_VALUE}")
_COPULA = _pattern(
    rf"{_DECOR}{_NOTE}(?:\ {{0,2}}(?:is|为|是):?|\ [-–—])\ {{0,2}}{_DECOR}{_VALUE}(?={_DECOR}(?:[.,;!。]|\n|\Z))"
)
_HEADING = _pattern(rf"{_DECOR}{_NOTE}{_DECOR}\n\s{{0,3}}{_DECOR}{_VALUE}{_DECOR}[.。]?{_DECOR}(?:\n|\Z)")
_KEYED = _pattern(rf"""(?<!\\)["']{_LABEL}["']\s{{0,8}}:\s{{0,8}}["']?{_VALUE}""")
_WHOLE = _pattern(rf"{_DECOR}{_VALUE}{_DECOR}[.。!]?{_DECOR}")
_FENCE = re.compile(r"```[A-Za-z]{0,12}")
_BROKEN_OBJECT = re.compile(r"""\{\s{0,8}["']""")

_BEFORE = 24  # characters before a label that decide whether it opens a line, a sentence or a clause
_OPENS_LINE = re.compile(r"\n[\s*_#>`\"'(\[{|+-]*\Z")
_OPENS_SENTENCE = re.compile(r"[\n.!?。][\s*_#>`\"'(\[{|+-]*\Z")
_OPENS_CLAUSE = re.compile(
    r"(?:[\n.!?。,;:、…)\]}|>—–]|\b(?:so|thus|therefore|hence)\b|因此|所以|故)[\s*_#>`\"'(\[{|+-]*\Z", re.IGNORECASE
)

_SCORE_KEY = _LABELS
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
class Parsed:
    """`score` is None unless `status` is `ok`. `reason`: the one given under its key, else the words around the score."""

    status: str
    score: float | None
    reason: str


def parse(text: str, scale: tuple[int, int]) -> Parsed:
    """Read a reply, answer prefix included, against a scale of (lowest, highest) score. Raises nothing."""
    answer = _without_thoughts(text)
    objects, rest = _json_objects(answer)
    plain = rest.translate(_PLAIN)
    found = [_json_score(value, scale) for value in _values(objects, _SCORE_KEY)]
    found += _keyed(plain, scale)
    found += _labelled(_BROKEN_OBJECT.split(plain, maxsplit=1)[0], scale)
    if not found and not objects and (whole := _WHOLE.fullmatch(_FENCE.sub("", plain).strip())):
        return _parsed([_value(whole, scale)], scale, "")
    parsed = _parsed(found, scale, _reason(objects, rest))
    refused = not any(value is not None for value in found) and _REFUSAL.search(answer[:REFUSAL_HEAD].translate(_PLAIN))
    return Parsed(REFUSED, None, parsed.reason) if refused else parsed


def _parsed(found: Iterable[float | None], scale: tuple[int, int], reason: str) -> Parsed:
    """One reading, or several that agree; None stands for a score that is given but can't be read."""
    scores = set(found)
    if len(scores) != 1 or (score := scores.pop()) is None:
        return Parsed(UNPARSED, None, reason)
    if not scale[0] <= score <= scale[1]:
        return Parsed(OUT_OF_RANGE, None, reason)
    return Parsed(OK, score + 0.0, reason)  # + 0.0: -0 is 0


def _without_thoughts(text: str) -> str:
    """What follows a thinking model's thoughts; what precedes them when it never left them."""
    _, closed, answer = text.rpartition("</think>")
    return answer if closed else text.partition("<think>")[0]


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


def _json_score(value: Any, scale: tuple[int, int]) -> float | None:
    if isinstance(value, float):
        return value
    match = _WHOLE.fullmatch(value.translate(_PLAIN).strip()) if isinstance(value, str) else None
    return _value(match, scale) if match else None


def _value(match: re.Match[str], scale: tuple[int, int]) -> float | None:
    """The number of a match; None when it is a fraction of something else than the scale's top."""
    if match["top"] is not None and float(match["top"]) != scale[1]:
        return None
    return float(match["number"])


def _keyed(plain: str, scale: tuple[int, int]) -> list[float | None]:
    """Scores under their quoted key, where the JSON around them is broken or cut off."""
    return [None if _cut(match, scale) else _value(match, scale) for match in _KEYED.finditer(plain)]


def _cut(match: re.Match[str], scale: tuple[int, int]) -> bool:
    """Whether the reply may have been cut off within the number: at `1` of `10`, at `8.` of `8.5`."""
    tail = match.string[match.end() : match.end() + 2]
    return tail == "." or (not tail and 0 < 10 * float(match["number"]) <= scale[1])


def _labelled(plain: str, scale: tuple[int, int]) -> list[float | None]:
    """Scores after a label, as in `Score: 8/10`, `The score is 8.`, or a heading with the number below it."""
    found = []
    for label in _LABELS.finditer(plain):
        if match := _after_label(plain, label.start(), label.end()):
            found.append(_value(match, scale))
    return found


def _after_label(plain: str, start: int, end: int) -> re.Match[str] | None:
    """The looser the form, the stricter where it may stand: "a perfect score: 10" and "if so, the score is 10" don't count."""
    before = plain[max(0, start - _BEFORE) : start] if start > _BEFORE else "\n" + plain[:start]
    forms = ((_COLON, _OPENS_CLAUSE), (_COPULA, _OPENS_SENTENCE), (_HEADING, _OPENS_LINE))
    matches = (form.match(plain, end) for form, opening in forms if opening.search(before))
    return next(filter(None, matches), None)


def _reason(objects: list[_Pairs], rest: str) -> str:
    for value in _values(objects, _REASON_KEY):
        if isinstance(value, str):
            return value.strip()
    if opened := _KEYED_REASON.search(rest):
        closed = re.compile(rf"{opened['quote']}\s*+[,}}]").search(rest, opened.end())
        return rest[opened.end() : closed.start() if closed else None].strip()
    return "" if objects else rest.strip()
