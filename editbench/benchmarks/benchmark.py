"""A benchmark on disk: shards bench-00000.tar ... and the manifest that makes them one.

>>> benchmark = Benchmark.open(Path("shards/sample"))
>>> benchmark.samples[0].instruction
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from editbench import manifests, remote, shards
from editbench.errors import UserError
from editbench.manifests import BenchmarkManifest
from editbench.paths import RECORD, SOURCE, BenchmarkPaths
from editbench.records import Sample

SHARD_SIZE = 256
"""Samples a benchmark shard; at a megabyte a picture some 256 MB, what WebDataset recommends or a little below."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """`samples[i]` is described by its record and lies at `stored[i]`, in the benchmark's order."""

    root: Path
    manifest: BenchmarkManifest
    samples: Sequence[Sample]
    stored: Sequence[shards.Stored]

    @classmethod
    def open(cls, root: Path, *, verify: bool = True) -> Benchmark:
        """Read a benchmark folder; with `verify`, bring it up to date where it is in a store, and hash its shards against the
        manifest.

        Raises:
            UserError: no such folder, no manifest or one that contradicts itself or the shards; a shard missing, changed or cut
                short; a key that comes twice or is not its record's, a record with wrong fields, a sample without a source
                picture, no samples at all. Names the file, the key and what to do.
        """
        if verify:
            remote.pull(root)
        if not root.is_dir():
            raise UserError(f"no benchmark folder {root}", "Make one with: editbench import SOURCE --out FOLDER")
        paths, remedy = BenchmarkPaths(root), "Restore the benchmark's shards, or import it again."
        if not paths.manifest.exists():
            raise UserError(f"{root} is not a benchmark: it has no {paths.manifest.name}", "Make one with: editbench import")
        manifest = manifests.load(paths.manifest, BenchmarkManifest, "Import the benchmark again.")
        stored = shards.open_listed(paths, manifest.shards, verify=verify, remedy=remedy)
        if not stored:
            raise UserError(f"{root} holds no samples", "Import a benchmark that has some.")
        samples = [sample_of(entry) for entry in stored]
        if Counter(sample.category for sample in samples) != manifest.categories:
            raise UserError(f"{paths.manifest} counts other samples by category than there are", remedy)
        return cls(root, manifest, samples, stored)

    @property
    def name(self) -> str:
        return self.manifest.name

    @property
    def digest(self) -> str:
        return self.manifest.digest

    def select(self, categories: Sequence[str] = (), limit: int | None = None) -> Benchmark:
        """The samples of some categories, at most `limit` of them, in the same order.

        Raises:
            UserError: a category that the benchmark does not have.
        """
        known = Counter(sample.category for sample in self.samples)
        if unknown := [name for name in categories if name not in known]:
            raise UserError(f"{self.root} has no category {', '.join(unknown)}", f"It has: {', '.join(sorted(known))}.")
        chosen = [index for index, sample in enumerate(self.samples) if not categories or sample.category in categories]
        chosen = chosen[:limit]
        return replace(self, samples=[self.samples[index] for index in chosen], stored=[self.stored[index] for index in chosen])


def write_benchmark(
    root: Path, name: str, samples: Iterable[tuple[Sample, shards.Members]], rubric: str | None = None
) -> BenchmarkManifest:
    """Write a benchmark into the empty or new folder `root` and return its manifest; the manifest comes last.

    `samples`: records, and their pictures by extension (`source.png`, `source2.jpg`, `reference.png`, `mask.png`). `rubric`:
    the one with the benchmark's own protocol, if it has one.
    """
    paths = BenchmarkPaths(root)
    root.mkdir(parents=True, exist_ok=True)
    counts: list[int] = []
    files, categories = [], Counter[str]()

    def packed(batch: Iterable[tuple[int, tuple[Sample, shards.Members]]]) -> Iterator[tuple[str, shards.Members]]:
        for _, (sample, pictures) in batch:
            counts[-1] += 1
            categories[sample.category] += 1
            yield sample.key, {**pictures, RECORD: sample.to_json()}

    # groupby streams: one sample's pictures are in memory at a time.
    for number, batch in groupby(enumerate(samples), key=lambda numbered: numbered[0] // SHARD_SIZE):
        files.append(paths.shard(number))
        counts.append(0)
        shards.write_shard(files[-1], packed(batch))
    manifest = BenchmarkManifest.of(name, dict(sorted(categories.items())), shards.describe(files, counts), rubric)
    manifest.dump(paths.manifest)
    return manifest


def sample_of(stored: shards.Stored) -> Sample:
    """A sample's record. Raises UserError for a wrong one, and where there is no source picture."""
    if not stored.images(SOURCE):
        raise UserError(f"{stored.shard}: sample {stored.key} has no source picture", "Import the benchmark again.")
    return Sample.from_dict(stored.record(), f"{stored.shard}: {stored.key}.{RECORD}")
