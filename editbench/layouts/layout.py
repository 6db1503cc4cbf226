"""What a layout is: where a tool or a public benchmark's own scripts keep the edited picture of each sample.

`import-edits` reads by it and `export` writes by it, so what one writes the other finds. Names in it are made from a
benchmark's ids and categories, which nobody checked: `stems_of` and `checked` refuse what could lie elsewhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from editbench.errors import UserError
from editbench.records import Judgement, Sample

File = tuple[str, bytes]
"""Path below the layout's folder, with `/`, and contents."""


SUFFIXES = ("png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff", "gif")
"""Of files that are taken for pictures, in the order in which they are preferred where a sample has several."""


_LONGEST_NAME = 240
"""Bytes. File systems take 255, and a temporary name is longer by 14."""


class Layout(ABC):
    """`name`: what `--layout` calls it. Paths are relative to the folder of one model's edits, and made with `/`."""

    name: ClassVar[str]
    example: ClassVar[str]
    """How paths look, for messages."""
    kinds: ClassVar[tuple[str, ...]] = ("png",)
    """Kinds of picture that are written as they are, by suffix; others become the first of these."""

    @abstractmethod
    def stem(self, sample: Sample) -> str:
        """Where the sample's edited picture lies, without the suffix."""

    def other_stems(self, sample: Sample) -> Iterable[str]:  # noqa: ARG002
        """Where it may lie too, when it is read."""
        return ()

    def source(self, sample: Sample) -> str | None:  # noqa: ARG002
        """Where the scripts expect the source picture, with the suffix `.png`; None where they bring their own."""
        return None

    def listing(self, edits: Sequence[tuple[Sample, str | None]]) -> Iterator[File]:  # noqa: ARG002
        """Files to be written beside the pictures. `edits`: samples, and the path of each one's picture, None for no edit."""
        yield from ()

    @abstractmethod
    def record(self, model: str, rows: Sequence[Judgement]) -> Iterator[File]:
        """The record in which the protocol's own script keeps what its judge said, to be aggregated by it.

        `model`: the name of the folder, which some scripts have in the names of their files.

        Raises:
            UserError: the scores are not those of this protocol, or the script could not read them.
        """


def stems_of(layout: Layout, samples: Iterable[Sample]) -> list[str]:
    """Where each sample's edited picture lies, without the suffix.

    Raises:
        UserError: a sample's names make no path, or those of two samples the same, as a file system sees it that does not tell
            `A` from `a`.
    """
    owners: dict[str, Sample] = {}
    stems = []
    for sample in samples:
        stems.append(checked(layout.stem(sample)))
        source = (layout.source(sample) or "").removesuffix(".png")
        for stem in filter(None, (stems[-1], source)):
            if (first := owners.setdefault(stem.lower(), sample)) is not sample:
                message = f"samples {first.id} and {sample.id} would both lie at {stem}"
                raise UserError(message, f"Is the benchmark that of layout {layout.name}? --layout files is for any.")
    return stems


def checked(path: str) -> str:
    """A path with `/`, made of names from data, to be put below a folder.

    Raises:
        UserError: it could lie elsewhere, or is no file name on every system: absolute, a part that is empty, `.` or `..`, a
            backslash, a control or other invisible character, more than 240 bytes in a part.
    """
    for part in path.split("/"):
        if part in ("", ".", "..") or "\\" in part or not part.isprintable() or len(part.encode()) > _LONGEST_NAME:
            raise UserError(f"{path[:200]!r} can be no path of a file", "Give its sample another name, or take --layout files.")
    return path


def own_name(sample: Sample) -> str:
    """The benchmark's name of a sample within its category: ids of public benchmarks are `CATEGORY/.../NAME`."""
    return sample.id.rpartition("/")[2]


def numbers_of(row: Judgement) -> dict[str, float]:
    """A row's criteria and steps, by name."""
    return {**(row.criteria or {}), **(row.steps or {})}


def protocol_values(layout: Layout, row: Judgement, names: Iterable[str]) -> dict[str, float]:
    """The criteria and steps of a scored row that are among `names`. Raises UserError when there are none of them."""
    numbers = numbers_of(row)
    if known := {name: numbers[name] for name in names if name in numbers}:
        return known
    message = f"sample {row.key} was scored on {', '.join(numbers) or 'nothing'}, not on {', '.join(names)}"
    raise UserError(message, f"Score with a rubric that follows the protocol of {layout.name}, or export --layout files.")


def whole(layout: Layout, row: Judgement, name: str, value: float) -> int:
    """A criterion's value for a script that reads whole numbers. Raises UserError for another."""
    if value != int(value):
        message = f"sample {row.key}: {name} is {value:g}, and the scripts of {layout.name} read whole numbers"
        raise UserError(message, "Score with --readout generate, one vote and no decimals, or export --layout files.")
    return int(value)
