"""The pictures of a run, from the folder of edits that was scored, as far as it still lies somewhere.

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
from editbench.wording import counted


@dataclass(frozen=True, slots=True)
class RunPictures:
    """One run of the report: its score folder, and where to look for its edits first."""

    label: str
    scores: Path
    edits: Sequence[Path] = ()
    """Folders that are tried before the one that the score folder names."""


class StoredPicture(NamedTuple):
    """A picture in a shard."""

    stored: shards.Stored
    extension: str

    @property
    def name(self) -> str:
        return f"{self.stored.shard}: {self.stored.key}.{self.extension}"

    def read(self) -> bytes:
        return self.stored.read(self.extension)


@dataclass(slots=True)
class EditShards:
    """The edits of one run, opened a shard at a time. `missing` counts the samples that were looked for in vain, by reason."""

    label: str
    root: Path | None
    """The folder of edits; None when none with these edits was found."""
    reason: str
    """Why there is no root."""
    name: str
    """The folder's own name without its path; "" when it is not known."""
    shard_names: frozenset[str] = frozenset()
    """Names of the shards in the manifest; a row that names another file gets nothing."""
    missing: Counter[str] = field(default_factory=Counter)
    _opened: dict[str, Mapping[str, shards.Stored] | str] = field(default_factory=dict)

    def find(self, shard: str, key: str) -> shards.Stored | None:
        """The sample `key` of the shard of that name, None when it is not there."""
        if self.root is None:
            self.missing[self.reason] += 1
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
        for reason, count in self.missing.items():
            yield f"{self.label}: pictures of {counted(count, 'sample')} are missing: {reason}"

    def _open(self, shard: str) -> Mapping[str, shards.Stored] | str:
        if self.root is None or shard not in self.shard_names:
            return f"the manifest in {self.root} knows no {shard}"
        try:
            return {stored.key: stored for stored in shards.index(self.root / shard)}
        except UserError as error:
            return str(error)


def open_edits(run: RunPictures, digest: str) -> EditShards:
    """The edits with that digest, which a run scored. What can't be found is counted in its `missing`, not raised."""
    reasons, folders = [], list(_candidates(run))
    for folder in folders:
        try:
            manifest = manifests.load(EditPaths(folder).manifest, EditManifest)
        except UserError:
            reasons.append(f"no finished edits in {folder}")
            continue
        if manifest.digest == digest:
            return EditShards(run.label, folder, "", folder.name, frozenset(entry.name for entry in manifest.shards))
        reasons.append(f"{folder} holds other edits than the scored ones")
    reason = "; ".join(reasons) or f"{run.scores} does not tell where its edits lie"
    return EditShards(run.label, None, reason, folders[-1].name if folders else "")


def _candidates(run: RunPictures) -> Iterable[Path]:
    yield from run.edits
    try:
        environment = files.load(ScorePaths(run.scores).environment, Environment)
    except UserError:
        return
    if environment.edits:
        yield elsewhere(run.scores, environment.edits)
