"""How a number of things is told."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 sample`, `1,200 samples`. `plural`: where that is not `noun` with an s."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
