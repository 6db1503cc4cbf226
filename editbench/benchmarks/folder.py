"""A benchmark on disk: shards bench-00000.tar ... and the manifest that makes them one.

>>> benchmark = Benchmark.open(Path("shards/sample"))
>>> benchmark.samples[0].instruction
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from editbench import atomic, identity, shards
from editbench.errors import UserError
from editbench.paths import RECORD, SOURCE, BenchmarkPaths
from editbench.records import Sample

SHARD_SIZE = 256
"""Samples a benchmark shard; at a megabyte a picture some 256 MB, what WebDataset recommends or a little below."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """`samples[i]` is described by its record and lies at `stored[i]`, in the benchmark's order."""

    root: Path
    name: str
    digest: str
    samples: Sequence[Sample]
    stored: Sequence[shards.Stored]

    @classmethod
    def open(cls, root: Path, *, verify: bool = True) -> Benchmark:
        """Read a benchmark folder; with `verify`, hash its shards against the manifest.

        Raises:
            UserError: no such folder, no manifest, a shard missing or changed or cut short, a sample without a source
                picture, no samples at all. Names the file and what to do.
        """
        if not root.is_dir():
            raise UserError(f"no benchmark folder {root}", "Make one with: editbench import SOURCE --format jsonl --out FOLDER")
        manifest, entries = _load_manifest(root)
        if verify and (problems := list(shards.check(root, entries))):
            raise UserError("; ".join(problems), "Restore the benchmark's shards, or import it again.")
        stored = [sample for entry in entries for sample in shards.index(root / entry.name)]
        if not stored:
            raise UserError(f"{root} holds no samples", "Import a benchmark that has some.")
        return cls(root, manifest["name"], manifest["digest"], [_sample(entry) for entry in stored], stored)

    def select(self, categories: Sequence[str] = (), limit: int | None = None) -> Benchmark:
        """The samples of some categories, at most `limit` of them, in the same order.

        Raises:
            UserError: a category that the benchmark does not have.
        """
        known = Counter(sample.category for sample in self.samples)
        if unknown := [name for name in categories if name not in known]:
            raise UserError(f"{self.root} has no category {', '.join(unknown)}", f"It has: {', '.join(sorted(known))}.")
        chosen = [place for place, sample in enumerate(self.samples) if not categories or sample.category in categories]
        chosen = chosen[:limit]
        return Benchmark(
            self.root,
            self.name,
            self.digest,
            [self.samples[place] for place in chosen],
            [self.stored[place] for place in chosen],
        )


def write(root: Path, name: str, samples: Iterable[tuple[Sample, shards.Members]]) -> dict[str, Any]:
    """Write a benchmark into the empty or new folder `root` and return its manifest; the manifest comes last.

    `samples`: records, and their pictures by extension (`source.png`, `source2.jpg`, `reference.png`).
    """
    paths = BenchmarkPaths(root)
    root.mkdir(parents=True, exist_ok=True)
    files, counts, categories = [], [], Counter[str]()

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
    entries = [entry._asdict() for entry in shards.describe(files, counts)]
    manifest = {
        "schema": identity.SCHEMA,
        "name": name,
        "samples": sum(counts),
        "categories": dict(sorted(categories.items())),
        "shards": entries,
        "digest": identity.digest(entries),
    }
    atomic.write(paths.manifest, orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return manifest


def _load_manifest(root: Path) -> tuple[dict[str, Any], list[shards.ShardEntry]]:
    path = BenchmarkPaths(root).manifest
    if not path.exists():
        raise UserError(f"{root} is not a benchmark: it has no {path.name}", "Make one with: editbench import")
    manifest = identity.load(path)
    if missing := {"name", "digest", "shards"} - manifest.keys():
        raise UserError(
            f"{path} lacks {', '.join(sorted(missing))}: not the manifest of a benchmark", "Is this the right folder?"
        )
    try:
        return manifest, [shards.ShardEntry(**entry) for entry in manifest["shards"]]
    except TypeError as error:
        raise UserError(f"{path} describes its shards in another way: {error}", "Import the benchmark again.") from None


def _sample(stored: shards.Stored) -> Sample:
    if not stored.images(SOURCE):
        raise UserError(f"{stored.shard}: sample {stored.key} has no source picture", "Import the benchmark again.")
    try:
        return Sample.from_dict(stored.record())
    except TypeError as error:
        raise UserError(f"{stored.shard}: the record of {stored.key} is incomplete: {error}", "Import it again.") from None
