"""From finished edits to sealed shards.

A finished edit is one file in `spool/`, by rename. Shard i holds the samples [i*S, (i+1)*S) of the run's order, whoever edited
them; it is sealed (written whole, then its spool files removed) by the rank that finishes its last sample. Shards with failed
samples are sealed at the end of the run, without them, and made again when a later run edits those.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from editbench import atomic, files, shards
from editbench.console import warn
from editbench.errors import StageError, UserError
from editbench.manifests import EditManifest, Named, edits_digest
from editbench.paths import EditPaths
from editbench.records import Edit, Failure

_REMEDY = "Remove it and run the same command again."


@dataclass(frozen=True, slots=True)
class Spool:
    """The edits of `keys`, in the run's order, `size` a shard."""

    paths: EditPaths
    keys: Sequence[str]
    size: int

    def shard_of(self, index: int) -> int:
        return index // self.size

    def indices(self, shard: int) -> range:
        """The samples of a shard."""
        return range(len(self.keys))[shard * self.size : (shard + 1) * self.size]

    def shard_keys(self, shard: int) -> Sequence[str]:
        return self.keys[shard * self.size : (shard + 1) * self.size]

    @property
    def shard_count(self) -> int:
        return -(-len(self.keys) // self.size)

    def put(self, key: str, members: shards.Members) -> None:
        """A finished edit, on disk when this returns. Raises OSError when the disk is full."""
        atomic.write(self.paths.spooled(key), shards.pack(key, members))

    def put_failure(self, failure: Failure) -> None:
        atomic.write(self.paths.failed(failure.key), failure.to_json())

    def has(self, index: int) -> bool:
        """Whether the edit lies on disk, in the spool or in its shard."""
        key, sealed = self.keys[index], self.paths.shard(self.shard_of(index))
        return self.paths.spooled(key).exists() or (sealed.exists() and key in self._sealed(self.shard_of(index)))

    def missing(self) -> list[int]:
        """Indices of the samples without an edit on disk.

        A sealed shard holds all its samples but those in failures.jsonl, so that only shards with failures are opened: 10,000
        finished samples are looked through in milliseconds. What has been cut short does not count.
        """
        spooled = {path.stem for path in self.paths.all_spooled() if shards.ends_well(path)}
        failed = {failure.key for failure in self.failures()}
        indices: list[int] = []
        for shard in range(self.shard_count):
            keys = self.shard_keys(shard)
            path = self.paths.shard(shard)
            lacking = set(keys) - spooled
            if path.exists() and shards.ends_well(path):
                lacking &= failed
                lacking -= self._sealed(shard).keys() if lacking else set()
            indices += [index for index, key in zip(self.indices(shard), keys, strict=True) if key in lacking]
        return indices

    def set_aside_damaged(self) -> None:
        """Rename the shards and spool files that have been cut short, and say so."""
        sealed = (self.paths.shard(shard) for shard in range(self.shard_count))
        present = [*self.paths.all_spooled(), *(path for path in sealed if path.exists())]
        self.set_aside([path for path in present if not shards.ends_well(path)])

    def set_aside(self, damaged: Iterable[Path]) -> None:
        """Rename these files, where they are there, and say so. They are kept beside the shards: the spool goes at the end."""
        for path in damaged:
            if path.exists():
                kept = atomic.set_aside(path, self.paths.root)
                warn(f"{path} is not whole; kept as {kept.name}, its samples are edited again")

    def pending(self) -> list[int]:
        """Indices of the samples that have neither an edit nor, in the run that is going on, a failure."""
        return [index for index in self.missing() if not self.paths.failed(self.keys[index]).exists()]

    def failures(self) -> list[Failure]:
        """The failures that the last finished run recorded."""
        if not self.paths.failures.exists():
            return []
        return [*files.rows(self.paths.failures, Failure, _REMEDY)]

    def forget_failures(self) -> None:
        """Forget the failures of a run that did not finish: its samples are tried again."""
        for path in self.paths.all_failed():
            path.unlink()

    def complete(self, shard: int) -> bool:
        """Whether every sample of the shard has an edit on disk."""
        return self._present(shard) == set(self.shard_keys(shard))

    def seal(self, shard: int) -> Sequence[shards.Stored]:
        """Write the shard from the spool and from what it held; returns its samples."""
        keys, sealed = self.shard_keys(shard), self._sealed(shard)
        waiting = self._spooled(keys)
        if not waiting:
            return list(sealed.values())
        order = [key for key in keys if key in waiting or key in sealed]
        shards.write_shard(self.paths.shard(shard), ((key, self._members(key, waiting, sealed)) for key in order))
        for key in waiting:
            self.paths.spooled(key).unlink(missing_ok=True)
        return shards.index(self.paths.shard(shard))

    def finish(self, benchmark: Named, model: Named, identity: str, rubric: str | None = None) -> EditManifest:
        """Seal what is left and write failures.jsonl and, last, the manifest, which is returned. `identity`: its digest;
        `rubric`: that of the benchmark's own protocol.

        Raises:
            StageError: a sample has neither an edit nor a failure.
            UserError: what lies in the folder is not what this run put there.
        """
        failures = list(self._collect_failures())
        # A sealed shard is taken to hold every sample of its range that failures.jsonl does not name. So shards that gain
        # samples are written before it, and new ones, which may lack some, after it.
        for shard in range(self.shard_count):
            if self.paths.shard(shard).exists() and self._spooled(self.shard_keys(shard)):
                self.seal(shard)
        atomic.write(self.paths.failures, [failure.to_json() + b"\n" for failure in failures])
        counts, flags = self._seal_all()
        entries = shards.describe([self.paths.shard(shard) for shard in counts], [*counts.values()])
        manifest = EditManifest(
            samples=len(self.keys),
            edited=sum(counts.values()),
            failed=len(failures),
            failures=dict(sorted(Counter(failure.reason for failure in failures).items())),
            flagged=sum(map(bool, flags)),
            flags=dict(sorted(Counter(flag for each in flags for flag in each).items())),
            benchmark=benchmark,
            model=model,
            identity=identity,
            rubric=rubric,
            shards=entries,
            digest=edits_digest(entries, [(failure.index, failure.key, failure.reason) for failure in failures]),
        )
        manifest.dump(self.paths.manifest)
        self.clear()
        return manifest

    def _seal_all(self) -> tuple[dict[int, int], list[list[str]]]:
        """Samples by shard, for shards that have some, and each edit's flags. 10,000 samples that were sealed before
        take 0.7 s."""
        counts, flags = {}, []
        for shard in range(self.shard_count):
            if samples := self.seal(shard):
                counts[shard] = len(samples)
                flags += [Edit.from_dict(stored.record(), str(stored.shard)).edit.flags for stored in samples]
        return counts, flags

    def lost(self, manifest: EditManifest) -> list[int]:
        """The shards of a finished run that are gone or of another size."""
        sizes = {self.paths.listed(entry.name): entry.bytes for entry in manifest.shards}
        whole = {path for path, size in sizes.items() if path.exists() and path.stat().st_size == size}
        return [shard for shard in range(self.shard_count) if self.paths.shard(shard) in sizes.keys() - whole]

    def clear(self) -> None:
        shutil.rmtree(self.paths.spool, ignore_errors=True)

    def _collect_failures(self) -> Iterator[Failure]:
        for shard in range(self.shard_count):
            present = self._present(shard)
            for key in (key for key in self.shard_keys(shard) if key not in present):
                path = self.paths.failed(key)
                if not path.exists():
                    raise StageError(f"sample {key} has neither an edit nor a failure", "Run the same command again.")
                yield files.load(path, Failure, _REMEDY)

    def _present(self, shard: int) -> set[str]:
        return self._spooled(self.shard_keys(shard)) | self._sealed(shard).keys()

    def _sealed(self, shard: int) -> dict[str, shards.Stored]:
        path = self.paths.shard(shard)
        return {stored.key: stored for stored in shards.index(path)} if path.exists() else {}

    def _spooled(self, keys: Iterable[str]) -> set[str]:
        return {key for key in keys if self.paths.spooled(key).exists()}

    def _members(self, key: str, waiting: set[str], sealed: dict[str, shards.Stored]) -> shards.Members:
        return self._waiting(key).members() if key in waiting else sealed[key].members()

    def _waiting(self, key: str) -> shards.Stored:
        """The sample of a spooled file, which must be `key` and alone."""
        stored = shards.index(self.paths.spooled(key))
        if [sample.key for sample in stored] != [key]:
            raise UserError(f"{self.paths.spooled(key)} does not hold the sample {key} alone", _REMEDY)
        return stored[0]
