"""Tokens that a served judge has read and written, and what they cost: a row a sample in the timings, added up by who asks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated

from msgspec import Meta

from editbench import files
from editbench.errors import UserError
from editbench.paths import RunPaths

DECIMALS = 6
"""Of a price that is added up."""

Count = Annotated[int, Meta(ge=0, le=2**40)]
"""Tokens of a sample; bounded, so that no sum of what a file or a server claims is too large for JSON."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the server counts them."""

    read: Count = 0
    """Of prompts, pictures included."""
    written: Count = 0
    price: Annotated[float, Meta(ge=0, le=1e12)] | None = None
    """Of all of them; None where it is not known."""

    def __add__(self, other: Usage) -> Usage:
        price = None if self.price is None or other.price is None else self.price + other.price
        return Usage(self.read + other.read, self.written + other.written, price)

    def priced(self, per_read: float | None, per_written: float | None) -> Usage:
        """With its price by prices of a million tokens; as it is where one of them is not known."""
        if per_read is None or per_written is None:
            return self
        return replace(self, price=(self.read * per_read + self.written * per_written) / 1e6)

    def __str__(self) -> str:
        return f"{self.read:,} read, {self.written:,} written" + (
            f"; price {self.price:,.4f}" if self.price is not None else ""
        )


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the timings, as far as it is read back."""

    keys: list[str]
    tokens: Usage


def used(paths: RunPaths) -> tuple[Usage, int]:
    """What all attempts in a folder have used, and for how many samples. Rows that can't be read are left out."""
    total, samples = Usage(price=0.0), 0
    for row in _rows(paths):
        total, samples = total + row.tokens, samples + len(row.keys)
    price = None if total.price is None else round(total.price, DECIMALS)
    return (replace(total, price=price), samples) if samples else (Usage(), 0)


def _rows(paths: RunPaths) -> Iterator[_Row]:
    if not paths.timings.is_file():
        return
    for line in paths.timings.read_bytes().splitlines():
        with contextlib.suppress(UserError):
            yield files.checked(files.parse(line, paths.timings.name), _Row, paths.timings.name)
