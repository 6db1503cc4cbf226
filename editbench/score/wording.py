"""Texts of a rubric: placeholders, and the languages they are written in."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

PLACEHOLDERS = ("instruction", "category", "guidance", "criteria", "reference_text", "reference")
"""What a question's text may hold. `reference` is the sentence of the table [reference]."""

_PLACEHOLDER = re.compile(r"\{\s*(\w+)\s*\}")
_OTHER_NAMES = {"cn": "zh"}  # GEdit marks Chinese with a country code


class TemplateError(ValueError):
    """A placeholder that is not known, by its `name`; or a token that the text does not hold."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, slots=True)
class Template:
    """`pieces`: text and placeholder names in turn, text first."""

    pieces: tuple[str, ...]

    @property
    def placeholders(self) -> tuple[str, ...]:
        return self.pieces[1::2]

    def fill(self, values: Mapping[str, str]) -> str:
        """What is filled in is data: braces in it come out as they are."""
        return "".join(values[piece] if place % 2 else piece for place, piece in enumerate(self.pieces))


def template(text: str, allowed: Collection[str], tokens: Mapping[str, str] | None = None) -> Template:
    """A text with `{placeholder}`s; or with `tokens` of its own, each of which stands for one, where braces are only text.

    Raises TemplateError for an unknown placeholder and for a token that is not in the text.
    """
    if tokens is None:
        pieces = _PLACEHOLDER.split(text)
    else:
        for token in tokens:
            if token not in text:
                raise TemplateError(f"token {token!r} is not in the text", tokens[token])
        longest_first = sorted(tokens, key=len, reverse=True)
        pieces = re.split(f"({'|'.join(map(re.escape, longest_first))})", text)
        pieces[1::2] = [tokens[token] for token in pieces[1::2]]
    for name in pieces[1::2]:
        if name not in allowed:
            raise TemplateError(f"unknown placeholder {{{name}}}", name)
    return Template(tuple(pieces))


def spelling(category: str) -> str:
    """Categories are told apart without regard to case and to `-`, `_` and space: GEdit mixes them."""
    return re.sub(r"[\s_-]+", "_", category.strip().casefold())


def primary_language(tag: str) -> str:
    """The language of a tag such as `en`, `zh-CN` or GEdit's `cn`."""
    primary = tag.strip().casefold().replace("_", "-").partition("-")[0]
    return _OTHER_NAMES.get(primary, primary)
