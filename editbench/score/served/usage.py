"""Tokens that a served judge has read and written, and what they cost."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from editbench import files
from editbench.errors import UserError
from editbench.paths import RunPaths


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the server counts them."""

    read: int = 0
    """Of prompts, pictures included."""
    written: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.read + other.read, self.written + other.written)

    def price(self, per_read: float | None, per_written: float | None) -> float | None:
        """By prices of a million tokens; None where neither is known."""
        if per_read is None and per_written is None:
            return None
        return (self.read * (per_read or 0.0) + self.written * (per_written or 0.0)) / 1e6

    def text(self, per_read: float | None, per_written: float | None) -> str:
        """For people: the tokens, and their price where one is known."""
        price = self.price(per_read, per_written)
        return f"{self.read:,} read, {self.written:,} written" + (f"; price {price:,.4f}" if price is not None else "")


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the timings, as far as it is read back."""

    keys: list[str]
    tokens: Usage


def used(paths: RunPaths) -> tuple[Usage, int]:
    """What all attempts in a folder have used, and for how many samples. Rows that can't be read are left out."""
    total, samples = Usage(), 0
    for row in _rows(paths):
        total, samples = total + row.tokens, samples + len(row.keys)
    return total, samples


def _rows(paths: RunPaths) -> Iterator[_Row]:
    if not paths.timings.is_file():
        return
    for line in paths.timings.read_bytes().splitlines():
        with contextlib.suppress(UserError):
            yield files.checked(files.parse(line, paths.timings.name), _Row, paths.timings.name)
