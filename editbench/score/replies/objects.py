"""The JSON objects in a reply, and the scores in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from editbench.score.replies.numbers import DECOR, VALUE, pattern, plain, value

ATTEMPTS = 32
"""Broken JSON objects to try before giving up on JSON; each attempt may read the whole reply."""

WHOLE = pattern(rf"{DECOR}{VALUE}{DECOR}[.。!]?{DECOR}")
"""A text that is nothing but a number."""


class Pairs(list[tuple[str, Any]]):
    """A JSON object as pairs of key and value: a key may come again."""


_DECODER = json.JSONDecoder(
    object_pairs_hook=Pairs,
    parse_int=float,  # any number of digits
    parse_constant=lambda _: None,  # NaN and Infinity are no scores
    strict=False,  # line breaks within a reason
)


def split(text: str) -> tuple[list[Pairs], list[str]]:
    """The JSON objects in a text, and the texts before, between and after them."""
    objects: list[Pairs] = []
    around: list[str] = []
    start = failures = 0
    brace = text.find("{")
    while brace >= 0 and failures < ATTEMPTS:
        try:
            entry, end = _DECODER.raw_decode(text, brace)
        except (ValueError, RecursionError):
            failures, end = failures + 1, brace + 1
        else:
            objects.append(entry)
            around.append(text[start:brace])
            start = end
        brace = text.find("{", end)
    return objects, [*around, text[start:]]


def values(objects: Sequence[Pairs], wanted: re.Pattern[str]) -> Iterator[Any]:
    """The values of the wanted keys, at any depth."""
    stack: list[Any] = [*reversed(objects)]
    while stack:
        node = stack.pop()
        if not isinstance(node, Pairs):
            stack += node if isinstance(node, list) else ()
            continue
        for key, entry in node:
            if wanted.fullmatch(key.strip()):
                yield entry
            else:
                stack.append(entry)


def scores(entry: Any, words: re.Pattern[str], highest: int) -> list[float | None]:
    """What a key's value gives as scores. An object gives those under `words` in it, as in {"naturalness": {"score": 8}}, and a
    list of one gives its entry."""
    if isinstance(entry, Pairs):
        return [score(inner, highest) for inner in values([entry], words)]
    return [score(entry[0] if isinstance(entry, list) and len(entry) == 1 else entry, highest)]


def score(entry: Any, highest: int) -> float | None:
    """A number, or a text that is nothing else; None for what can't be read."""
    if isinstance(entry, float):
        return entry
    match = WHOLE.fullmatch(plain(entry).strip()) if isinstance(entry, str) else None
    return value(match, highest) if match else None
