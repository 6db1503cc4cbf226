"""Markdown that GitHub renders as meant, whatever is in the texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def escape(value: object) -> str:
    """Text from outside as one line of plain text: no table cell, tag, link, formula or emphasis in it takes effect."""
    line = " ".join(str(value).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~$])", r"\\\1", line)


def warnings(texts: Iterable[str]) -> list[str]:
    lines = [f"> - {escape(text)}" for text in texts]
    return ["\n".join(["> [!WARNING]", *lines])] if lines else []


def table(header: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """`texts`: how many columns, from the left, are aligned as text; the others as numbers."""
    rule = ["---" if place < texts else "---:" for place in range(len(header))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))
