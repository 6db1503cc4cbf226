"""Where in a reply an answer stands: the number that changes what is read when it is changed itself.

>>> answer_offsets('{"reason": "3 of 8 birds left", "score": 8}', (Criterion("score", 0, 10),))
{'score': 41}
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from editbench.score import replies
from editbench.score.criteria import Criterion

_NUMBER = re.compile(r"(?<![0-9])[0-9]{1,2}(?![0-9])")
_MAX_TRIES = 64
"""Numbers of a reply to try for one criterion; each try reads the reply."""


def answer_offsets(text: str, criteria: Sequence[Criterion]) -> dict[str, int]:
    """By criterion, the offset in `text` of the first digit of its answer.

    A criterion is missing when its answer is no whole number in plain digits, or is given more than once.
    """
    values = replies.read(text, criteria).criteria
    if not values:
        return {}
    offsets = ((criterion.name, _offset(text, criteria, criterion, values)) for criterion in criteria)
    return {name: offset for name, offset in offsets if offset is not None}


def _offset(text: str, criteria: Sequence[Criterion], criterion: Criterion, values: Mapping[str, float]) -> int | None:
    answers = range(criterion.lowest, criterion.highest + 1)
    answer = next((answer for answer in answers if criterion.value(answer) == values.get(criterion.name)), None)
    if answer is None:
        return None
    other = criterion.lowest if answer != criterion.lowest else criterion.highest
    changed = {**values, criterion.name: criterion.value(other)}
    spans = [match.span() for match in _NUMBER.finditer(text) if match[0] == str(answer)]
    for start, end in reversed(spans[-_MAX_TRIES:]):  # the score comes last as a rule
        if replies.read(f"{text[:start]}{other}{text[end:]}", criteria).criteria == changed:
            return start
    return None
