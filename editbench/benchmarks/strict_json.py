"""JSON without loss: where the usual parsers drop or round a value without a word, this one keeps it or says what is wrong."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import orjson

_SHOWN = 40


def loads(data: bytes) -> Any:
    """The value of a JSON text. An integer of more than 64 bits, which most programs would round, is text with all its digits.

    Raises:
        orjson.JSONDecodeError: no JSON. With its line and column.
        ValueError: an object names a value twice (parsers take the last), or values are nested too deeply to be written again.
    """
    orjson.loads(data)  # stricter than the standard library (NaN, halves of surrogate pairs), and with offsets in its messages
    try:
        value = json.loads(data.decode(), object_pairs_hook=_object, parse_int=_integer)
        orjson.dumps([[value]])  # two levels deeper, since a record has it inside others
    except (RecursionError, orjson.JSONEncodeError):
        raise ValueError("values are nested too deeply") from None
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        repeated = [name for name, times in Counter(name for name, _ in pairs).items() if times > 1]
        begins = json.dumps(dict(pairs[:1]), ensure_ascii=False)[: -len("}")][:_SHOWN]
        raise ValueError(f"columns with the same name: {', '.join(repeated)} (in the object that begins {begins})")
    return values


def _integer(digits: str) -> int | str:
    value = int(digits)
    return value if -(2**63) <= value < 2**64 else digits
