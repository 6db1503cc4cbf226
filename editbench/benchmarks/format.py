"""What a format of benchmarks is: it recognises a source and streams its rows.

A format is one module with a `FORMAT`, and one line in `formats`. It checks neither pictures nor keys: `stage` does that for
all formats alike.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from editbench import files
from editbench.benchmarks import strict_json
from editbench.benchmarks.rows import Row
from editbench.errors import UserError

_MOST_DOCUMENTS = 20
"""JSON files in a folder that are looked into."""


class Source:
    """What is to be imported. What was read of it to recognise its format is kept."""

    def __init__(self, path: Path, images: Path | None = None, mapping: Mapping[str, str] | None = None) -> None:
        self.path = path
        self.images = images
        """Where relative picture paths start, if it was given."""
        self.mapping = mapping or {}
        """The source's column for names of ours."""

    @cached_property
    def documents(self) -> dict[Path, Any]:
        """The JSON files that the source is, or has in its folder or in `data` there; one that can't be read is a UserError."""
        if self.path.is_file():
            paths = [self.path] if self.path.suffix.lower() == ".json" else []
        else:
            paths = sorted(path for pattern in ("*.json", "data/*.json") for path in self.path.glob(pattern))
        return {path: _document(path) for path in paths} if len(paths) <= _MOST_DOCUMENTS else {}

    def fitting(self, fits: Callable[[Any], bool]) -> list[Path]:
        """The documents that fit."""
        return [path for path, value in self.documents.items() if not isinstance(value, UserError) and fits(value)]

    def document(self, fits: Callable[[Any], bool], what: str) -> tuple[Path, Any]:
        """The one document that fits.

        Raises:
            UserError: none does, or several do.
        """
        found = self.fitting(fits)
        if len(found) == 1:
            return found[0], self.documents[found[0]]
        if found:
            raise UserError(f"{self.path} has several lists of samples: {', '.join(map(str, found))}", "Name one of them.")
        broken = [value for value in self.documents.values() if isinstance(value, UserError)]
        if broken:
            raise broken[0]
        raise UserError(f"{self.path} is not {what}", "Name its JSON file, or the folder that it lies in.")

    def bases(self, *usual: Path) -> tuple[Path, ...]:
        """Folders in which pictures are looked for: the one that was given, or the usual ones."""
        return (self.images,) if self.images else usual


@dataclass(frozen=True, slots=True)
class Rows:
    """A benchmark's rows. `read` starts anew at each call, so that nobody need keep them; `total` is how many they are."""

    total: int
    read: Callable[[], Iterator[Row]]
    notes: tuple[str, ...] = ()
    """What the user should know of how it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """How many rows the public release of a benchmark has."""

    name: str
    samples: int
    categories: Mapping[str, int | None]
    """Rows by category, and language if there are several; None where the number is not known."""
    languages: tuple[str, ...] = ()
    """Of a benchmark that has each category's rows once in each language."""
    lacking: Callable[[set[str]], list[str]] = field(default=lambda ids: [])  # noqa: ARG005
    """Ids that must be there, given those that are."""

    def compare(self, counts: Mapping[tuple[str, str], int], ids: Iterable[str]) -> tuple[str, bool]:
        """A sentence on how a benchmark differs from the release, and whether it does. `counts`: by category and language."""
        total = sum(counts.values())
        missing, more = [*self._missing(counts)], [*self._more(counts)]
        if total == self.samples and not missing and not more:
            return f"{total:,} of {self.samples:,} rows of {self.name}", False
        names = self.lacking(set(ids))
        shown = [*names[:5], f"and {len(names) - 5:,} more"] if len(names) > 5 else names
        parts = [
            f"{total:,} of {self.samples:,} rows of {self.name}",
            *([f"missing: {', '.join([*missing, *shown])}"] if missing or shown else []),
            *([f"not in the release: {', '.join(more)}"] if more else []),
        ]
        return "; ".join(parts), True

    def _wanted(self) -> Iterator[tuple[str, str, int | None]]:
        yield from ((category, spoken, n) for category, n in self.categories.items() for spoken in self.languages or ("",))

    def _there(self, counts: Mapping[tuple[str, str], int]) -> Counter[tuple[str, str]]:
        there = Counter[tuple[str, str]]()
        for (category, spoken), count in counts.items():
            there[category, spoken if self.languages else ""] += count
        return there

    def _missing(self, counts: Mapping[tuple[str, str], int]) -> Iterator[str]:
        there = self._there(counts)
        for category, spoken, wanted in self._wanted():
            count = there[category, spoken]
            if count < (1 if wanted is None else wanted):
                of = "all" if wanted is None else f"{wanted - count:,} of {wanted:,}"
                yield f"{of} {category}{f' ({spoken})' if spoken else ''}"

    def _more(self, counts: Mapping[tuple[str, str], int]) -> Iterator[str]:
        wanted = {(category, spoken): number for category, spoken, number in self._wanted()}
        for (category, spoken), count in self._there(counts).items():
            most = wanted.get((category, spoken), 0)
            if most is not None and count > most:
                yield f"{count - most:,} {category}{f' ({spoken})' if spoken else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    name: str
    recognise: Callable[[Source], str]
    """What a source is seen to be, in a few words; "" when it is not of this format."""
    open: Callable[[Source], Rows]
    """Raises UserError for a source that can't be read as a whole."""
    release: Release | None = None
    rubric: str | None = None
    """Name of the rubric with the benchmark's own protocol."""
    mapped: bool = False
    """Whether columns can be mapped."""


def _document(path: Path) -> Any:
    """The value of a JSON file, in which NaN stands for null; the UserError of one that can't be read."""
    try:
        return strict_json.document(files.read(path), str(path), nan=True)
    except UserError as error:
        return error
