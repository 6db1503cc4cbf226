"""What a format of benchmarks is: it recognises a source and streams its rows.

A format is one module with a `FORMAT`, and one line in `formats`. It checks neither pictures nor keys: `stage` does that for
all formats alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from editbench import files
from editbench.benchmarks import strict_json
from editbench.benchmarks.release import Release
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
        paths = self.fitting(fits)
        if len(paths) == 1:
            return paths[0], self.documents[paths[0]]
        if paths:
            raise UserError(f"{self.path} has several lists of samples: {', '.join(map(str, paths))}", "Name one of them.")
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
class Format:
    name: str
    recognise: Callable[[Source], str]
    """What in a source tells that it is of this format, in a few words; "" when it is not."""
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
