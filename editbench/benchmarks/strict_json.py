"""JSON without loss: where the usual parsers drop or round a value without a word, this one keeps it or says what is wrong."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import orjson

from editbench.errors import UserError

_SHOWN = 40
_BOM = b"\xef\xbb\xbf"
_DEEP = "values are nested too deeply"


def document(data: bytes, name: str, *, nan: bool = False) -> Any:
    """The value of a whole file. Raises UserError, which says what is wrong and where; `nan` as for `loads`."""
    try:
        return loads(data.removeprefix(_BOM), nan=nan)
    except json.JSONDecodeError as error:
        raise UserError(f"{name}:{error.lineno}: not JSON: {error.msg}", "Mend the file.") from None
    except ValueError as error:
        raise UserError(f"{name}: {error}", "Mend the file.") from None


def loads(data: bytes, *, nan: bool = False) -> Any:
    """The value of a JSON text. An integer of more than 64 bits, which most programs would round, is text with all its digits.

    With `nan`, the numbers NaN and Infinity, which Python's parsers write and JSON does not have, are null.

    Raises:
        json.JSONDecodeError: no JSON. With its line and column.
        ValueError: an object names a value twice (parsers take the last), values are nested too deeply to be written again, or
            a text is no Unicode.
    """
    if not nan:  # stricter than the standard library (NaN, halves of surrogate pairs), and with offsets in its messages
        orjson.loads(data)
    numbers: dict[str, Any] = {"parse_int": _integer, "parse_float": _finite, "parse_constant": lambda _: None}
    try:
        value = json.loads(data.decode(), object_pairs_hook=_object, **numbers)
        orjson.dumps([[value]])  # two levels deeper, since a record has it inside others
    except orjson.JSONEncodeError as error:
        raise ValueError("a text has half a surrogate pair" if "surrogates" in str(error) else _DEEP) from None
    except RecursionError:
        raise ValueError(_DEEP) from None
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        repeated = [name for name, times in Counter(name for name, _ in pairs).items() if times > 1]
        begins = json.dumps(dict(pairs[:1]), ensure_ascii=False)[: -len("}")][:_SHOWN]
        raise ValueError(f"columns with the same name: {', '.join(repeated)} (in the object that begins {begins})")
    return values


def _integer(digits: str) -> int | str:
    value = int(digits) if len(digits) <= 20 else 2**64  # Python refuses to read more than 4,300 digits
    return value if -(2**63) <= value < 2**64 else digits


def _finite(digits: str) -> float | None:
    value = float(digits)
    return value if abs(value) != float("inf") else None
