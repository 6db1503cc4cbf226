"""Markdown that GitHub renders as meant, whatever is in the texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from editbench.printable import clean


class Markdown(str):
    """Text that is Markdown already, and goes out as it is."""


def escape(value: object) -> Markdown:
    """Text from outside as one line of plain text: no cell, tag, link, address, formula or emphasis in it takes effect."""
    if isinstance(value, Markdown):
        return value
    line = clean(str(value)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return Markdown(re.sub(r"([\\`*_#\[\]|~$]|:(?=//)|(?<=www)\.)", r"\\\1", line))


def bold(value: object) -> Markdown:
    return Markdown(f"**{escape(value)}**")


def bullets(texts: Iterable[object], before: str = "") -> str:
    """A list, an item a text. `before` goes in front of each line."""
    # Text that begins like a heading, a list or a rule would be one.
    items = (re.sub(r"^(\d*)([-+=.)])", r"\1\\\2", escape(text)) for text in texts)
    return "\n".join(f"{before}- {item}" for item in items)


def warnings(texts: Sequence[str]) -> list[str]:
    return [f"> [!WARNING]\n{bullets(texts, '> ')}"] if texts else []


def table(header: Sequence[object], rows: Iterable[Sequence[object]], texts: int = 1) -> str:
    """Cells are escaped. `texts`: how many columns, from the left, are aligned as text; the others as numbers."""
    rule = [Markdown("---" if column < texts else "---:") for column in range(len(header))]
    return "\n".join("| " + " | ".join(map(escape, row)) + " |" for row in (header, rule, *rows))
