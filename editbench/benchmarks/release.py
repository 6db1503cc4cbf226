"""How many rows the public release of a benchmark has, and what a copy of it lacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

_SHOWN = 8
"""Differences that are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    name: str
    samples: int
    categories: Mapping[str, int | None]
    """Rows by category, in each language if there are several; None where the number is not known."""
    languages: tuple[str, ...] = ()
    """Of a benchmark that has each category's rows once in each language."""
    lacking: Callable[[set[str]], list[str]] | None = None
    """Ids that must be there, given those that are."""

    def compare(self, counts: Mapping[tuple[str, str], int], ids: Iterable[str]) -> tuple[str, bool]:
        """A sentence on how a copy differs from the release, and whether it does. `counts`: rows by category and language."""
        there = Counter[tuple[str, str]]()
        for (category, spoken), count in counts.items():
            there[category, spoken if self.languages else ""] += count
        parts = {
            (category, spoken): number for category, number in self.categories.items() for spoken in self.languages or ("",)
        }
        fewer, others = [], []
        for part, wanted in parts.items():
            if wanted is None and not there[part]:
                fewer.append(f"all {_named(part)}")
            elif wanted is not None and there[part] < wanted:
                fewer.append(f"{wanted - there[part]:,} of {wanted:,} {_named(part)}")
        for part, count in there.items():
            wanted = parts.get(part, 0)
            if wanted is not None and count > wanted:
                others.append(f"{count - wanted:,} {_named(part)}")
        lacking = self.lacking(set(ids)) if self.lacking and fewer else []
        missing = lacking if len(lacking) == self.samples - there.total() else fewer
        sentences = [
            f"{there.total():,} of {self.samples:,} rows of {self.name}",
            *([f"missing: {_listed(missing)}"] if missing else []),
            *([f"not in the release: {_listed(others)}"] if others else []),
        ]
        return "; ".join(sentences), there.total() != self.samples or len(sentences) > 1


def _named(part: tuple[str, str]) -> str:
    category, spoken = part
    return f"{category} ({spoken})" if spoken else category


def _listed(parts: list[str]) -> str:
    more = [f"and {len(parts) - _SHOWN:,} more"] if len(parts) > _SHOWN else []
    return ", ".join([*parts[:_SHOWN], *more])
