"""Pictures in a folder: which sample each belongs to, by a layout's names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from editbench.benchmarks.rows import Picture
from editbench.errors import UserError
from editbench.layouts.layout import SUFFIXES, Layout, stems_of
from editbench.layouts.matches import Matches
from editbench.records import Sample


def match(layout: Layout, root: Path, samples: Sequence[Sample]) -> Matches:
    """The picture of each sample. Suffixes in capitals are as good; files that are no pictures are left alone.

    Raises:
        UserError: no such folder, or a sample whose names make no path.
    """
    if not root.is_dir():
        raise UserError(f"no folder of pictures {root}", f"Give the folder that holds for example {layout.example}")
    present = dict(_pictures(root))
    pictures, wanted, sources = {}, {}, set()
    suffixes = dict.fromkeys((*layout.kinds, *SUFFIXES))
    for sample, stem in zip(samples, stems_of(layout, samples), strict=True):
        names = (f"{each}.{suffix}" for each in (stem, *layout.other_stems(sample)) for suffix in suffixes)
        if name := next((name for name in names if name in present), None):
            pictures[sample.key] = Picture.file(root / present.pop(name))
        else:
            wanted[sample.key] = f"{stem}.{layout.kinds[0]}"
        sources.add(layout.source(sample))
    return Matches(pictures, wanted, sorted(present[name] for name in present.keys() - sources))


def _refuse(error: OSError) -> None:
    """What could not be listed would pass for pictures that are missing."""
    raise UserError(f"can't read {error.filename}: {error.strerror}", "Make it readable.")


def _pictures(root: Path) -> Iterator[tuple[str, str]]:
    """Each picture's path below `root`, with `/`: once with its suffix in small letters, once as it is."""
    for folder, _, files in os.walk(root, onerror=_refuse):
        base = Path(folder).relative_to(root)
        for file in sorted(files):
            stem, _, suffix = file.rpartition(".")
            if suffix.lower() in SUFFIXES and not file.startswith("."):
                yield (base / f"{stem}.{suffix.lower()}").as_posix(), (base / file).as_posix()
