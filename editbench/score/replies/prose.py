"""Scores that criteria are given by their own names, in looser forms than a label's: `naturalness 8 artifacts 7`,
`a naturalness score of 8`, `a score of 8 for naturalness and 7 for artifacts`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise

from editbench.score.criteria import Criterion
from editbench.score.replies.labels import GivenScore, ScorePatterns, patterns
from editbench.score.replies.numbers import DECOR, VALUE, pattern, value

_SENTENCE = 80
"""Characters of a sentence before a score in which a word can take it back."""
_SENTENCE_END = re.compile(r"[.!?。]\s|\n")
_SCORES_OF = pattern(r"\b(?:scores?|ratings?)\ of\b")
_TENTATIVE = pattern(r"\b(?:should|could|might|were)\b")
_IF_SO = pattern(r"\ (?:would|could|should|might|means?|needs?|requires?)\b")
_SUPPOSED = pattern(
    r"""\b(?:if|unless)\b | (?<!\bi\ )\bwould\b | 如果|假如|若|除非|满分|最高|最低|而不是|原本|本来
      | (?:n't|\b(?:not|never|cannot|than|instead\ of|reach|get|needs?|requires?|ideal|perfect|full|max|maximum|highest|higher
        |minimum|lowest|lower|possible|other|another|different|initial|first|previous|original|earlier))
        \ (?:[a-z]{1,12}\ ){0,2}\Z"""
)
_GLUE = r"""[\s*_`"'()\[\]{},;:=/|.&-]|(?:and|is|for|on|in|of|score|rating)\b|和|为|是"""


def paired(plain: str, criteria: Sequence[Criterion]) -> Iterator[tuple[Criterion, GivenScore]]:
    """The scores of lines that are nothing but the names of all criteria and their numbers: `naturalness 8, artifacts 7`, or
    `8 for naturalness and 7 for artifacts`."""
    by_group: dict[str | None, Criterion] = {f"name{index}": criterion for index, criterion in enumerate(criteria)}
    token, start = _token(tuple(criteria)), 0
    for line in plain.splitlines(keepends=True):
        names, numbers = _names_and_numbers(token, line)
        if {name.lastgroup for name in names} == by_group.keys():
            for name, number in zip(names, numbers, strict=True):
                criterion = by_group[name.lastgroup]
                yield criterion, GivenScore(start + name.start(), value(number, criterion.highest))
        start += len(line)


@lru_cache(maxsize=256)
def _token(criteria: tuple[Criterion, ...]) -> re.Pattern[str]:
    names = (rf"(?P<name{index}>{patterns(criterion, index + 1).label})" for index, criterion in enumerate(criteria))
    return pattern("|".join((*names, VALUE, rf"(?:{_GLUE})")))


def _names_and_numbers(token: re.Pattern[str], line: str) -> tuple[list[re.Match[str]], list[re.Match[str]]]:
    """The tokens of a line in which names and numbers take turns; none of any other."""
    tokens, offset = [], 0
    while offset < len(line):
        if (match := token.match(line, offset)) is None:
            return [], []
        tokens += [match] if match.lastgroup else []
        offset = match.end()
    is_number = [match.lastgroup == "value" for match in tokens]
    if len(tokens) % 2 or any(left == right for left, right in pairwise(is_number)):
        return [], []
    return (tokens[1::2], tokens[::2]) if is_number[:1] == [True] else (tokens[::2], tokens[1::2])


def sentences(plain: str, names: ScorePatterns, highest: int) -> Iterator[GivenScore]:
    """Scores that a sentence gives: `a naturalness score of 8`, `a score of 8 for naturalness and 7 for artifacts`."""
    behind, ahead = _sentence_patterns(names.label)
    matches = [*behind.finditer(plain)]
    matches += [match for match in ahead.finditer(plain) if _SCORES_OF.search(_sentence(plain, match.start()))]
    for match in matches:
        unsure = _TENTATIVE.search(_sentence(plain, match.start())) or _IF_SO.match(plain, match.end())
        if not unsure and not supposed(plain, match.start()):
            yield GivenScore(match.start(), value(match, highest))


@lru_cache(maxsize=256)
def _sentence_patterns(label: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    behind = rf"{label}(?<=score|cores|ating)\ of\ {DECOR}{VALUE}"
    return pattern(behind), pattern(rf"(?:(?<=of\ )|(?<=and\ )|(?<=,\ )){VALUE}\ (?:for|on)\ (?:the\ )?{DECOR}{label}\b")


def supposed(plain: str, start: int) -> bool:
    """Whether the sentence up to `start` is about a score that is not given: `if`, `would`, `not a`, `a perfect`."""
    return _SUPPOSED.search(_sentence(plain, start)) is not None


def _sentence(plain: str, end: int) -> str:
    """The sentence up to `end`."""
    return _SENTENCE_END.split(plain[max(0, end - _SENTENCE) : end])[-1]
