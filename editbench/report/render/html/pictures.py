"""Where the pictures of a run lie: the folder of edits that was scored, found again and opened as far as it is there.

Only a folder whose manifest has the digest that the scores name is used, so that no score stands under another run's picture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from editbench import files, manifests, shards
from editbench.errors import UserError
from editbench.manifests import EditManifest
from editbench.paths import EditPaths, ScorePaths, elsewhere
from editbench.records import Environment


@dataclass(frozen=True, slots=True)
class RunPictures:
    """One run of the report: its score folder, and where to look for its edits first."""

    label: str
    scores: Path
    edits: Sequence[Path] = ()
    """Before the folder that the score folder names."""


class Picture(NamedTuple):
    stored: shards.Stored
    extension: str

    @property
    def name(self) -> str:
        return f"{self.stored.shard}: {self.stored.key}.{self.extension}"

    def read(self) -> bytes:
        return self.stored.read(self.extension)


@dataclass(slots=True)
class Shelf:
    """The edits of one run, opened a shard at a time. `missing` counts what was asked for in vain, by reason."""

    label: str
    root: Path | None
    """None when no folder with these edits was found."""
    why: str
    """Why not."""
    name: str
    """What the folder is called, without where it lies; "" when nobody says."""
    names: frozenset[str] = frozenset()
    """The shards of the manifest; a row that names another file gets nothing."""
    missing: Counter[str] = field(default_factory=Counter)
    _opened: dict[str, Mapping[str, shards.Stored] | str] = field(default_factory=dict)

    def find(self, shard: str, key: str) -> shards.Stored | None:
        """The sample `key` of the shard of that name, None when it is not there."""
        if self.root is None:
            self.missing[self.why] += 1
            return None
        if shard not in self._opened:
            self._opened[shard] = self._open(shard)
        samples = self._opened[shard]
        if isinstance(samples, str) or key not in samples:
            self.missing[samples if isinstance(samples, str) else f"they are not in {self.root / shard}"] += 1
            return None
        return samples[key]

    def warnings(self) -> Iterator[str]:
        """One sentence for each reason, with the number of samples."""
        for why, count in self.missing.items():
            yield f"{self.label}: pictures of {counted(count)} are missing: {why}"

    def _open(self, shard: str) -> Mapping[str, shards.Stored] | str:
        if self.root is None or shard not in self.names:
            return f"the manifest in {self.root} knows no {shard}"
        try:
            return {stored.key: stored for stored in shards.index(self.root / shard)}
        except UserError as error:
            return str(error)


def counted(samples: int) -> str:
    return f"{samples:,} sample{'' if samples == 1 else 's'}"


def open_shelf(run: RunPictures, digest: str) -> Shelf:
    """The edits of a run whose scores are of the edits `digest`. What can't be found is told by its `missing`, not raised."""
    reasons, folders = [], list(_candidates(run))
    for folder in folders:
        try:
            manifest = manifests.load(EditPaths(folder).manifest, EditManifest)
        except UserError:
            reasons.append(f"no finished edits in {folder}")
            continue
        if manifest.digest == digest:
            return Shelf(run.label, folder, "", folder.name, frozenset(entry.name for entry in manifest.shards))
        reasons.append(f"{folder} holds other edits than the scored ones")
    why = "; ".join(reasons) or f"{run.scores} does not tell where its edits lie"
    return Shelf(run.label, None, why, folders[-1].name if folders else "")


def _candidates(run: RunPictures) -> Iterable[Path]:
    yield from run.edits
    try:
        told = files.load(ScorePaths(run.scores).environment, Environment)
    except UserError:
        return
    if told.edits:
        yield elsewhere(run.scores, told.edits)
