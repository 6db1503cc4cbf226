"""Where in a reply an answer stands: the number that changes what is read when it is changed itself.

>>> answer_places('{"reason": "3 of 8 birds left", "score": 8}', (Criterion("score", 0, 10),))
{'score': 41}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from editbench.score import replies
from editbench.score.criteria import Criterion

_NUMBER = re.compile(r"(?<![0-9])[0-9]{1,2}(?![0-9])")
_MOST = 64
"""Numbers of a reply to try for one criterion; each try reads the reply."""


def answer_places(text: str, criteria: Sequence[Criterion]) -> dict[str, int]:
    """By criterion, the place in `text` of the first digit of its answer.

    A criterion is missing when its answer is no whole number in plain digits, or is given more than once.
    """
    reading = replies.read(text, criteria)
    if not reading.criteria:
        return {}
    places = ((criterion, _place(text, criteria, criterion, reading.criteria)) for criterion in criteria)
    return {criterion.name: place for criterion, place in places if place is not None}


def _place(text: str, criteria: Sequence[Criterion], criterion: Criterion, read: dict[str, float]) -> int | None:
    answers = range(criterion.lowest, criterion.highest + 1)
    given = next((answer for answer in answers if criterion.value(answer) == read.get(criterion.name)), None)
    if given is None:
        return None
    other = criterion.lowest if given != criterion.lowest else criterion.highest
    changed = {**read, criterion.name: criterion.value(other)}
    for start, end in _numbers(text, given):
        if replies.read(f"{text[:start]}{other}{text[end:]}", criteria).criteria == changed:
            return start
    return None


def _numbers(text: str, value: int) -> Iterator[tuple[int, int]]:
    spans = [match.span() for match in _NUMBER.finditer(text) if match[0] == str(value)]
    yield from reversed(spans[-_MOST:])  # the score comes last as a rule
