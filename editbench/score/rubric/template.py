"""Texts of a rubric: placeholders, and the languages they are written in."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

PLACEHOLDERS = ("instruction", "category", "guidance", "criteria", "reference_text", "reference")
"""What a question's text may hold. `reference` is the sentence of the table [reference]."""

_PLACEHOLDER = re.compile(r"\{\s*(\w+)\s*\}")
_OTHER_NAMES = {"cn": "zh"}  # GEdit marks Chinese with a country code


_CAPTIONS = {
    "en": ("Image {}", ", ", "You see {} pictures, in this order: {}.", ' Below, "{}" means {} together.'),
    "zh": ("图{}", "、", "你会依次看到{}张图：{}。", "下文的“{}”是指{}这一组图。"),
}
"""Name of an image, what separates two; the sentence on all images (number, names), and that on those that share a name."""


class TemplateError(ValueError):
    """A text has a placeholder that is not known, by its `name`; or it lacks a token."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, slots=True)
class Template:
    """A text with placeholders. `pieces`: text and placeholder names in turn, text first."""

    pieces: tuple[str, ...]

    @property
    def placeholders(self) -> tuple[str, ...]:
        return self.pieces[1::2]

    def fill(self, values: Mapping[str, str]) -> str:
        """The text with `values` for its placeholders. What is filled in is data: braces in it come out as they are."""
        return "".join(values[piece] if index % 2 else piece for index, piece in enumerate(self.pieces))


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


def caption(language: str, counts: Sequence[int]) -> str:
    """What stands before a question's text so that its "Image 1", "Image 2" ... stay true where one is several pictures.

    `counts`: how many pictures stand for Image 1, Image 2 ... Empty where each is one. English where a language has no words
    of its own here.
    """
    if max(counts) == 1:
        return ""
    name, separator, all_images, same_name = _CAPTIONS.get(language, _CAPTIONS["en"])
    groups = {
        name.format(number): [name.format(f"{number}.{nth}" if count > 1 else number) for nth in range(1, count + 1)]
        for number, count in enumerate(counts, 1)
    }
    shared = [same_name.format(title, separator.join(names)) for title, names in groups.items() if len(names) > 1]
    listed = separator.join(image for names in groups.values() for image in names)
    return f"{all_images.format(sum(counts), listed)}{''.join(shared)}\n\n"


def primary_language(tag: str) -> str:
    """The language of a tag such as `en`, `zh-CN` or GEdit's `cn`."""
    primary = tag.strip().casefold().replace("_", "-").partition("-")[0]
    return _OTHER_NAMES.get(primary, primary)
