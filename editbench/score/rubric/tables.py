"""A rubric's tables while they are checked: every fault names the file, the key and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Self

from editbench.errors import UserError
from editbench.score.rubric.formula import Formula, FormulaError, ValueType, compile_formula
from editbench.score.rubric.template import Template, TemplateError, template

Origin = Callable[[str], str]
"""The file that a key, given by its whole path, was read from."""


class Table:
    """A table whose keys are read one by one; a key that nobody read is unknown to `close`. All methods raise UserError."""

    def __init__(self, values: Mapping[str, Any], origin: Origin, path: str = "") -> None:
        self.values, self.path = values, path
        self._origin = origin
        self._used: set[str] = set()

    def fault(self, key: str, problem: str, remedy: str = "") -> UserError:
        """The error to raise for a key: it names file and key."""
        path = f"{self.path}{key}"
        return UserError(f"{self._origin(path)}: {path}: {problem}", remedy)

    def has(self, key: str) -> bool:
        return key in self.values

    def take(self, key: str, kind: type, described: str) -> Any:
        """The value of a key, which must be there and of just this type; `described`: the type in words."""
        self._used.add(key)
        if key not in self.values:
            raise self.fault(key, "is missing", f"It must be {described}.")
        if type(self.values[key]) is not kind:
            raise self.fault(key, f"must be {described}, not {self.values[key]!r:.60}")
        return self.values[key]

    def text(self, key: str) -> str:
        """A text that is not empty."""
        value = self.take(key, str, "text")
        if not value.strip():
            raise self.fault(key, "is empty")
        return value

    def flag(self, key: str) -> bool:
        """True or false; false where the key is missing."""
        return self.take(key, bool, "true or false") if self.has(key) else False

    def template(self, key: str, allowed: Collection[str], *, empty: bool = False, strip: bool = True) -> Template:
        """A text with placeholders, or a table {text, placeholders} whose text has tokens of its own instead.

        `strip`: line breaks at either end are the file's, not the text's.
        """
        tokens = None
        text: Any = self.values.get(key)
        if isinstance(text, Mapping):
            inner = self.table(key)
            text = inner.text("text")
            tokens = inner.mapping("placeholders") if inner.has("placeholders") else None
            inner.close()
        else:
            text = self.take(key, str, "text") if empty else self.text(key)
        try:
            return template(text.strip("\n") if strip else text, allowed, tokens)
        except TemplateError as error:
            known = ", ".join(f"{{{entry}}}" for entry in allowed) or "none here"
            raise self.fault(key, str(error), f"{meant(error.name, allowed)}Known: {known}.") from None

    def formula(self, key: str, types: Mapping[str, ValueType], wanted: ValueType) -> Formula:
        try:
            formula = compile_formula(self.text(key), types)
        except FormulaError as error:
            raise self.fault(key, str(error)) from None
        if formula.value_type is not wanted:
            raise self.fault(key, f"must be {wanted.value}, and is {formula.value_type.value}")
        return formula

    def strings(self, key: str, known: Collection[str] | None = None, *, what: str = "name") -> tuple[str, ...]:
        """A list of texts, none twice, all of them among `known` if that is not None."""
        values = self.take(key, list, "a list of texts")
        if not all(isinstance(value, str) and value.strip() for value in values):
            raise self.fault(key, "must be a list of texts, none empty")
        if len(set(values)) < len(values):
            raise self.fault(key, f"must name each {what} once")
        for value in values:
            if known is not None and value not in known:
                raise self.fault(key, f"unknown {what} {value!r}", f"{meant(value, known)}Known: {', '.join(known)}.")
        return tuple(values)

    def span(self, key: str, within: tuple[int, int]) -> tuple[int, int]:
        """Two whole numbers, the lower first."""
        ends = self.take(key, list, "[lowest, highest]")
        if len(ends) != 2 or any(type(end) is not int for end in ends):
            raise self.fault(key, f"must be two whole numbers, not {ends}")
        low, high = ends
        if low >= high:
            raise self.fault(key, f"is upside down: {low} is not below {high}")
        if low < within[0] or high > within[1]:
            raise self.fault(key, f"{ends} goes beyond {within[0]}..{within[1]}")
        return low, high

    def mapping(self, key: str) -> dict[str, str]:
        """A table of texts, not empty."""
        values = self.take(key, dict, "a table of texts")
        if not values or not all(isinstance(value, str) and name for name, value in values.items()):
            raise self.fault(key, "must be a table of texts, none empty")
        return values

    def table(self, key: str) -> Self:
        return type(self)(self.take(key, dict, "a table"), self._origin, f"{self.path}{key}.")

    def optional(self, key: str) -> Self:
        """The table of a key, or an empty one where the key is missing."""
        return self.table(key) if self.has(key) else type(self)({}, self._origin, f"{self.path}{key}.")

    def check_keys(self, known: Collection[str], what: str) -> None:
        """Refuse keys that are not `known`."""
        for key in self.values:
            if key not in known:
                raise self.fault(key, f"unknown {what}", f"{meant(key, known)}Known: {', '.join(known)}.")

    def close(self) -> None:
        """Refuse keys that nobody read."""
        for key in sorted(self.values.keys() - self._used):
            raise self.fault(key, "unknown key", f"{meant(key, self._used)}Known: {', '.join(sorted(self._used))}.")


def meant(name: str, known: Iterable[str]) -> str:
    """`Did you mean ...? ` when a known name is close, else nothing."""
    close = get_close_matches(name, sorted(known), n=1)
    return f"Did you mean {close[0]}? " if close else ""
