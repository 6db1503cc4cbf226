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
        there, wanted = self._there(counts), self._wanted()
        fewer = [self._short(part, wanted[part], there[part]) for part in wanted if there[part] < _least(wanted[part])]
        more = {part: count - _most(wanted.get(part, 0), count) for part, count in there.items()}
        others = [f"{extra:,} {_named(part)}" for part, extra in more.items() if extra > 0]
        lacking = self.lacking(set(ids)) if self.lacking and fewer else []
        missing = lacking if len(lacking) == self.samples - there.total() else fewer
        parts = [
            f"{there.total():,} of {self.samples:,} rows of {self.name}",
            *([f"missing: {_listed(missing)}"] if missing else []),
            *([f"not in the release: {_listed(others)}"] if others else []),
        ]
        return "; ".join(parts), there.total() != self.samples or len(parts) > 1

    def _there(self, counts: Mapping[tuple[str, str], int]) -> Counter[tuple[str, str]]:
        there = Counter[tuple[str, str]]()
        for (category, spoken), count in counts.items():
            there[category, spoken if self.languages else ""] += count
        return there

    def _wanted(self) -> dict[tuple[str, str], int | None]:
        languages = self.languages or ("",)
        return {(category, spoken): number for category, number in self.categories.items() for spoken in languages}

    @staticmethod
    def _short(part: tuple[str, str], wanted: int | None, there: int) -> str:
        return f"{'all' if wanted is None else f'{wanted - there:,} of {wanted:,}'} {_named(part)}"


def _least(wanted: int | None) -> int:
    return 1 if wanted is None else wanted


def _most(wanted: int | None, there: int) -> int:
    return there if wanted is None else wanted


def _named(part: tuple[str, str]) -> str:
    category, spoken = part
    return f"{category} ({spoken})" if spoken else category


def _listed(parts: list[str]) -> str:
    more = [f"and {len(parts) - _SHOWN:,} more"] if len(parts) > _SHOWN else []
    return ", ".join([*parts[:_SHOWN], *more])
