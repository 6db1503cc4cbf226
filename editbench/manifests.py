"""Manifests: what makes a folder a finished benchmark, finished edits or finished scores. A manifest is written last.

Each kind is a frozen dataclass. `load` checks the types of all fields, that names of shards are such, and that counts and
digest agree with each other; what it returns can be believed as far as one file can tell.

>>> manifests.load(EditPaths(root).manifest, EditManifest).edited
900
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from msgspec import Meta

from editbench import files, identity
from editbench.errors import UserError
from editbench.paths import BenchmarkPaths, is_shard
from editbench.shards import ShardEntry

Count = Annotated[int, Meta(ge=0)]

_OMITTED = {"kind", "digest", "revision", "edits", "audit", "anchors", "rubric"}
"""Fields that are left out of the file when they are None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A benchmark or a model: its name, and what fixes it, a digest of its contents or the revision of its repository."""

    kind: str | None = None
    """Of a model, see `models.Kind`."""
    name: str
    digest: str | None = None
    revision: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EditsFacts:
    """The edits that were scored: the digest of their manifest, and what made them."""

    digest: str
    benchmark: Named
    model: Named

    def to_dict(self) -> dict[str, Any]:
        return _plain(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsEntry:
    """A file of rows beside the scores: of the audit, or of the anchors."""

    rows: Count
    statuses: dict[str, Count]
    sha256: str
    edits: str | None = None
    """Of anchors: the digest of their folder of edits."""


class _Manifest:
    """What the kinds have in common; `what` and `mark` (a field that no other kind has) tell them apart."""

    __slots__ = ()
    what: ClassVar[str]
    mark: ClassVar[str]

    def problem(self) -> str:
        """What in this manifest contradicts itself; "" when nothing does."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        return _plain(self)

    def dump(self, path: Path) -> None:
        """Raises OSError when the disk is full."""
        files.dump(path, self.to_dict())


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkManifest(_Manifest):
    what: ClassVar[str] = "a benchmark"
    mark: ClassVar[str] = "categories"

    schema: int = files.SCHEMA
    name: str
    samples: Count
    categories: dict[str, Count]
    shards: list[ShardEntry]
    digest: str
    rubric: str | None = None
    """Name of the rubric with the protocol of a public benchmark."""

    @classmethod
    def of(
        cls, name: str, categories: Mapping[str, int], shards: Sequence[ShardEntry], rubric: str | None = None
    ) -> BenchmarkManifest:
        samples, digest = sum(entry.samples for entry in shards), benchmark_digest(shards)
        return cls(name=name, samples=samples, categories=dict(categories), shards=[*shards], digest=digest, rubric=rubric)

    def problem(self) -> str:
        counted, shard = sum(entry.samples for entry in self.shards), BenchmarkPaths(Path()).shard
        if not self.samples == counted == sum(self.categories.values()):
            return "its counts of samples contradict each other"
        if [entry.name for entry in self.shards] != [shard(number).name for number in range(len(self.shards))]:
            return "its shards are not numbered from 0"
        return "" if self.digest == benchmark_digest(self.shards) else "its digest is not that of its shards"


@dataclass(frozen=True, slots=True, kw_only=True)
class EditManifest(_Manifest):
    what: ClassVar[str] = "an edit run"
    mark: ClassVar[str] = "edited"

    schema: int = files.SCHEMA
    samples: Count
    edited: Count
    failed: Count
    failures: dict[str, Count]
    """Samples without an edit, by reason."""
    flagged: Count
    """Edits with a flag."""
    flags: dict[str, Count]
    benchmark: Named
    model: Named
    identity: str
    """Digest of the run's identity."""
    shards: list[ShardEntry]
    digest: str
    rubric: str | None = None
    """Name of the rubric with the protocol of the benchmark, where that is a public one."""

    def problem(self) -> str:
        counted, failed = sum(entry.samples for entry in self.shards), sum(self.failures.values())
        if self.edited != counted or self.failed != failed or self.samples != counted + failed:
            return "its counts of samples contradict each other"
        names = [entry.name for entry in self.shards]
        if not all(map(is_shard, names)) or sorted(set(names)) != names:
            return "its shards have wrong names"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreManifest(_Manifest):
    what: ClassVar[str] = "scores"
    mark: ClassVar[str] = "statuses"

    schema: int = files.SCHEMA
    samples: Count
    statuses: dict[str, Count]
    mean: float | None
    min: float | None
    max: float | None
    edits: EditsFacts
    identity: str
    sha256: str
    """Of the file of scores."""
    audit: RowsEntry | None = None
    anchors: RowsEntry | None = None
    digest: str = ""
    """Of all of the above."""

    def problem(self) -> str:
        others = [(entry.rows, entry.statuses) for entry in (self.audit, self.anchors) if entry]
        if any(rows != sum(statuses.values()) for rows, statuses in [(self.samples, self.statuses), *others]):
            return "its counts of rows contradict each other"
        return "" if self.digest == self.own_digest() else "its digest is not that of its contents"

    def own_digest(self) -> str:
        return identity.digest({name: value for name, value in self.to_dict().items() if name != "digest"})


Manifest = TypeVar("Manifest", BenchmarkManifest, EditManifest, ScoreManifest)
REMEDY = "Restore the folder, or make it again."


def load(path: Path, kind: type[Manifest], remedy: str = REMEDY) -> Manifest:
    """Raises UserError for a file that is missing, broken, of another kind or schema, or that contradicts itself."""
    return _checked(path, files.versioned(path, remedy), kind, remedy)


def load_finished(path: Path, kind: type[Manifest]) -> Manifest | None:
    """The manifest that a finished run wrote; None where there is none. Raises UserError as `load` does."""
    return load(path, kind) if path.exists() else None


def load_any(path: Path) -> BenchmarkManifest | EditManifest | ScoreManifest:
    """A manifest of whatever kind it is. Raises UserError as `load` does."""
    raw = files.versioned(path, REMEDY)
    if ScoreManifest.mark in raw:
        return _checked(path, raw, ScoreManifest, REMEDY)
    if EditManifest.mark in raw:
        return _checked(path, raw, EditManifest, REMEDY)
    return _checked(path, raw, BenchmarkManifest, REMEDY)


def benchmark_digest(shards: Sequence[ShardEntry]) -> str:
    return identity.digest([_plain(entry) for entry in shards])


def edits_digest(shards: Sequence[ShardEntry], failures: Sequence[tuple[int, str, str]]) -> str:
    """`failures`: (index, key, reason) of each sample without an edit."""
    return identity.digest([[_plain(entry) for entry in shards], failures])


def _checked(path: Path, raw: dict[str, Any], kind: type[Manifest], remedy: str) -> Manifest:
    if kind.mark not in raw:
        raise UserError(f"{path} is not the manifest of {kind.what}", "Is this the right folder?")
    manifest = files.checked(raw, kind, str(path), remedy)
    if problem := manifest.problem():
        raise UserError(f"{path}: {problem}", remedy)
    return manifest


def _plain(value: Any) -> dict[str, Any]:
    return asdict(
        value, dict_factory=lambda pairs: {key: entry for key, entry in pairs if entry is not None or key not in _OMITTED}
    )
