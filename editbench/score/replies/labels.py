"""Scores behind the name of what they rate: `Score: 8/10`, `评分：8分`, `The score is 8.`, a heading with the number below it,
a key in JSON that is broken off, a list under a word for any score.

The looser the form, the stricter where it may stand: "a perfect score: 10" and "if so, the score is 10" don't count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Self

from editbench.score.criteria import Criterion
from editbench.score.replies.numbers import DECOR, NUMBER, VALUE, pattern, runs_on, value

_SCORE = r"""(?<![A-Za-z])(?:
    (?:(?:the|my|final|overall|total|revised|corrected|updated|adjusted)[ _]{1,2}){0,3}(?:score|rating)s?(?:\ given)?
  | (?:我给出的|我的|最终|综合|总体|本次){0,2}的?(?:评分|得分|分数|打分)
)"""
NOTE = r"(?:\([^()\n]{0,40}\))?"  # Score (0-10): 8
_LIST = rf"\[{{1,2}}\s{{0,4}}(?P<list>{NUMBER}(?:\s{{0,4}},\s{{0,4}}{NUMBER}){{0,15}})\s{{0,4}}\]{{1,2}}"
_LISTED = pattern(rf"""["']?{_SCORE}["']?{DECOR}[:=]\s{{0,4}}{DECOR}{_LIST}""")
_NUMBERS = re.compile(NUMBER, re.VERBOSE)
WHOLE_LIST = pattern(_LIST)
"""A text that is nothing but a list of numbers."""

_BROKEN_OBJECT = re.compile(r"""\{\s{0,8}["']""")
_BEFORE = 24
"""Characters before a label that decide whether it opens a line, a sentence or a clause."""
_OPENS_LINE = re.compile(r"\n[\s*_#>`\"'(\[{|+-]*\Z")
_OPENS_SENTENCE = re.compile(r"[\n.!?。][\s*_#>`\"'(\[{|+-]*\Z")
OPENS_CLAUSE = re.compile(
    r"(?:[\n.!?。,;:、…)\]}|>—–]|\b(?:so|thus|therefore|hence)\b|因此|所以|故)[\s*_#>`\"'(\[{|+-]*\Z", re.IGNORECASE
)


class GivenScore(NamedTuple):
    """A score that a reply gives, None where it can't be read. `offset`: where it begins in the reply."""

    offset: int
    score: float | None


@dataclass(frozen=True, slots=True)
class ScorePatterns:
    """The forms in which a reply gives the score of one name."""

    label: str
    """The name, as a pattern's text."""
    name: re.Pattern[str]
    """Also a whole JSON key."""
    colon: re.Pattern[str]
    copula: re.Pattern[str]
    heading: re.Pattern[str]
    keyed: re.Pattern[str]

    @classmethod
    def of(cls, label: str) -> Self:
        return cls(
            label=label,
            name=pattern(label),
            colon=pattern(rf"{DECOR}{NOTE}{DECOR}[:=]\s{{0,4}}{DECOR}{VALUE}"),
            copula=pattern(
                rf"{DECOR}{NOTE}(?:\ {{0,2}}(?:is|为|是):?|\ [-–—])\ {{0,2}}{DECOR}{VALUE}(?={DECOR}(?:[.,;!。]|\n|\Z))"
            ),
            heading=pattern(rf"{DECOR}{NOTE}{DECOR}\n\s{{0,3}}{DECOR}{VALUE}{DECOR}[.。]?{DECOR}(?:\n|\Z)"),
            keyed=pattern(rf"""(?<!\\)["']{label}["']\s{{0,8}}:\s{{0,8}}["']?{VALUE}"""),
        )


SCORE = ScorePatterns.of(_SCORE)
"""Those of the words for any score."""


@lru_cache(maxsize=256)
def patterns(criterion: Criterion, number: int = 0) -> ScorePatterns:
    """The patterns of a criterion's own name and labels. `number`: which of a question's several it is, from 1: its name may
    then also be `score1`."""
    names = sorted((criterion.name, *criterion.labels), key=len, reverse=True)
    words = (re.findall(r"[^\W_]+|&", name) for name in names)
    spelled = "|".join(r"[\s_-]{1,3}".join("(?:&|and)" if word == "&" else word for word in several) for several in words)
    own = rf"(?<![A-Za-z_])(?:{spelled})(?:[\ _]{{0,2}}(?:scores?|rating|评分|得分|分数))?"
    return ScorePatterns.of(rf"(?:{own}|(?<![A-Za-z_])(?:score|评分|得分)[\ _]?{number}(?![0-9]))" if number else own)


def head(plain: str) -> str:
    """The text before a JSON object that is broken: labels within a reason are no labels."""
    return _BROKEN_OBJECT.split(plain, maxsplit=1)[0]


def find(plain: str, names: ScorePatterns, highest: int) -> Iterator[GivenScore]:
    """Scores under a quoted key, where the JSON around them is broken or cut off; and scores behind a label."""
    for keyed in names.keyed.finditer(plain):
        yield GivenScore(keyed.start(), None if _cut(keyed, highest) else value(keyed, highest))
    before = head(plain)
    for label in names.name.finditer(before):
        if match := _after_label(before, names, label.start(), label.end()):
            yield GivenScore(label.start(), value(match, highest))


def _cut(match: re.Match[str], highest: int) -> bool:
    """Whether the reply may have been cut off within the number: at `1` of `10`, at `8.` of `8.5`."""
    end = match.end("value")
    tail = match.string[end : end + 2]
    return tail == "." or (not tail and 0 < 10 * float(match["number"]) <= highest)


def _after_label(plain: str, names: ScorePatterns, start: int, end: int) -> re.Match[str] | None:
    """The score behind a label that stands where a label of its form may stand."""
    before = preceding(plain, start)
    allowed = ((names.colon, OPENS_CLAUSE), (names.copula, _OPENS_SENTENCE), (names.heading, _OPENS_LINE))
    matches = (form.match(plain, end) for form, opening in allowed if opening.search(before))
    return next(filter(None, matches), None)


def preceding(plain: str, start: int) -> str:
    """What stands before a label, the beginning of the text as a line break."""
    return plain[start - _BEFORE : start] if start > _BEFORE else "\n" + plain[:start]


def lists(plain: str) -> Iterator[tuple[int, list[float]]]:
    """Lists of scores under a word for any score, with their offsets; an empty one for what can't be read."""
    for match in _LISTED.finditer(plain):
        yield match.start(), [] if runs_on(plain, match.end()) else listed(match)


def listed(match: re.Match[str]) -> list[float]:
    """The numbers of a match of a list."""
    return [float(number) for number in _NUMBERS.findall(match["list"])]
