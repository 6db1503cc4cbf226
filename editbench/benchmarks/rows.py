"""A row of a public benchmark: what a reader understood of it, before any of it is checked.

The formats make rows, mostly with `cells`; `stage` checks them and makes samples of them.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

from editbench import images
from editbench.paths import KEY_LENGTH, is_key

UNCATEGORIZED = "uncategorized"
GROUP_LENGTH = 16
"""Digits of a picture's sha256 that name the group of its samples."""
_NOT_IN_KEY = re.compile(r"[^A-Za-z0-9_-]+")
_CJK = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")


@dataclass(frozen=True, slots=True)
class Picture:
    """Where a picture's bytes come from. `name` is for messages, and equal names are read and checked once."""

    name: str
    read: Callable[[], bytes]

    @classmethod
    def file(cls, path: Path) -> Self:
        return cls(str(path), partial(images.read, path))

    @classmethod
    def held(cls, name: str, data: bytes) -> Self:
        return cls(name, lambda: data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An empty text, tuple or None is what the benchmark does not say. `where` is the row's file and line."""

    where: str
    id: str = ""
    instruction: str = ""
    category: str = ""
    language: str = ""
    group: str = ""
    reference_text: str = ""
    sources: tuple[Picture, ...] = ()
    """The source picture, then further input pictures."""
    reference: Picture | None = None
    mask: Picture | None = None
    """Where the edit belongs, white on black."""
    extra: dict[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    """What is wrong with a row that could not be read; its other fields are then empty."""

    @property
    def pictures(self) -> tuple[Picture, ...]:
        return (*self.sources, *(picture for picture in (self.reference, self.mask) if picture))


def language_of(row: Row) -> str:
    """The language it says, `cn` as `zh`; else `zh` for an instruction with a Chinese character, and `en` for others."""
    if row.language:
        return {"cn": "zh"}.get(row.language.lower(), row.language.lower())
    return "zh" if _CJK.search(row.instruction) else "en"


def keys_of(ids: Iterable[str]) -> list[str]:
    """A key for each id: the id itself where WebDataset can carry it, else a slug of it and 8 digits of its sha256.

    A key depends on its id alone, except that ids which differ only in case all get the digits: keys become file names,
    and some file systems do not tell `A` from `a`.
    """
    ids = list(ids)
    folded = Counter(name.lower() for name in ids)
    return [name if is_key(name) and folded[name.lower()] == 1 else _slug(name) for name in ids]


def _slug(name: str) -> str:
    digits = hashlib.sha256(name.encode()).hexdigest()[:8]
    readable = _NOT_IN_KEY.sub("-", name)[: KEY_LENGTH - 9].strip("-") or "sample"
    return f"{readable}-{digits}"
