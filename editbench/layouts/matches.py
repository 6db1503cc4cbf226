"""Which picture belongs to which sample, and what to say of those that belong to none."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from editbench.benchmarks.rows import Picture

SHOWN = 10
"""Names told."""
_CANDIDATES = 50
"""Names that difflib compares, those with the most pairs of letters in common: with 10,000 long ones it takes seconds."""


@dataclass(frozen=True, slots=True)
class Matches:
    pictures: Mapping[str, Picture]
    """By the key of the sample."""
    missing: Mapping[str, str]
    """For each sample without a picture, by its key, the name that it would have."""
    unmatched: Sequence[str]
    """Names that no sample has."""

    def messages(self) -> Iterator[str]:
        """A sentence for each unmatched name, with the nearest name that is missing."""
        wanted = {name.rpartition(".")[0] or name: name for name in self.missing.values()}
        for name in self.unmatched[:SHOWN]:
            near = nearest(name.rpartition(".")[0] or name, wanted)
            yield f"no sample is called {name}{f'; the nearest that is missing: {wanted[near]}' if near else ''}"
        if (more := len(self.unmatched) - SHOWN) > 0:
            yield f"and {more:,} more that no sample is called"


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that is most like `name`, if any is much like it."""
    letters = _pairs(name)
    few = heapq.nlargest(_CANDIDATES, names, key=lambda other: len(letters & _pairs(other)) / (len(name) + len(other)))
    return next(iter(difflib.get_close_matches(name, few, n=1)), None)


def _pairs(name: str) -> set[tuple[str, str]]:
    return set(pairwise(name))
