"""Folders to measure on, made in seconds: benchmarks of copies, edits by `copy`, rows of scores."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import orjson
from PIL import Image

from editbench import identity, images, shards
from editbench.benchmarks.benchmark import Benchmark, write_benchmark
from editbench.edit.settings import EditSettings
from editbench.edit.spool import Spool
from editbench.edit.stage import EditStage
from editbench.fleet.run_options import RunOptions
from editbench.manifests import EditsFacts, Named
from editbench.paths import EDITED, RECORD, SOURCE, ScorePaths
from editbench.records import OK, Judgement, Sample
from editbench.score.chunks import Chunks, RowFile

CATEGORIES = ("physical", "environmental", "social", "causal", "referential")
SIDE = 16
"""Pixels; small pictures, because what looks through folders reads none."""


def repeated(source: Path, root: Path, samples: int) -> None:
    """A benchmark of `samples` samples: those of `source` over and over, under new keys."""
    there = Benchmark.open(source)

    def copies() -> Iterator[tuple[Sample, shards.Members]]:
        for number in range(samples):
            turn, place = divmod(number, len(there.samples))
            sample, stored = there.samples[place], there.stored[place]
            pictures = {name: stored.read(name) for name in stored.images(SOURCE)}
            yield replace(sample, key=f"{sample.key}-{turn}"), pictures

    write_benchmark(root, "repeated", copies())


def benchmark(root: Path, samples: int) -> None:
    """A benchmark of one small picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (SIDE, SIDE), "teal").save(buffer, "PNG")
    pictures = {shards.source_extension("png"): buffer.getvalue()}
    rows = (_sample(number) for number in range(samples))
    write_benchmark(root, "synthetic", ((sample, pictures) for sample in rows))


def copied(root: Path, out: Path, *, missing: int = 0) -> Spool:
    """What `editbench edit root --model copy --out out` leaves: finished, or as when it was killed before the last samples.

    With some `missing`, shards that have all their samples are sealed and the others' edits are in the spool.
    """
    plan = EditStage.plan(root, "copy", out, EditSettings(), RunOptions())
    spool, paths = plan.spool, plan.paths
    paths.spool.mkdir(parents=True)
    identity.settle(paths.identity, plan.identity)
    edits = [_edit(stored) for stored in plan.benchmark.stored]
    done = len(edits) - missing
    for start in range(0, done, spool.size):
        if start + spool.size <= done or not missing:
            shards.write_shard(paths.shard(spool.shard_of(start)), edits[start : start + spool.size])
        else:
            for key, members in edits[start:done]:
                spool.put(key, members)
    if not missing:
        spool.finish(Named(**plan.identity["benchmark"]), Named(**plan.model.identity), plan.identity["digest"])
    return spool


def scores(root: Path, rows: int) -> None:
    """A finished folder of scores: five categories, four samples a group, 3 % of them unparsed."""
    chance = np.random.default_rng(0)
    values = chance.integers(0, 11, rows)
    lost = chance.random(rows) < 0.03
    paths = ScorePaths(root)
    paths.chunks.mkdir(parents=True)
    parts = {"edits": {"model": {"name": "editor"}}, "model": {"name": "judge"}, "settings": {"readout": "generate"}}
    rubric = {"name": "five", "version": 1, "digest": "", "scale": [0, 10]}
    identity.settle(paths.identity, identity.make("score", rubric=rubric, **parts))
    chunks = Chunks(paths, [RowFile(paths.scores, [(_sample(number).key, "") for number in range(rows)], (0,))])
    chunks.put(0, (_judgement(number, None if lost[number] else float(values[number])) for number in range(rows)))
    chunks.finish(EditsFacts(digest="", benchmark=Named(name="synthetic"), model=Named(name="editor")), "i")


def _sample(number: int) -> Sample:
    category, group = CATEGORIES[number % len(CATEGORIES)], f"group-{number // 4}"
    return Sample(key=f"sample-{number:06d}", id=str(number), instruction="Make it red.", category=category, group=group)


def _judgement(number: int, score: float | None) -> Judgement:
    sample = _sample(number)
    common = {name: getattr(sample, name) for name in ("key", "id", "category", "language", "group")}
    response = orjson.dumps({"reason": f"reason {number} " * 10, "score": score}).decode()
    status = "unparsed" if score is None else OK
    return Judgement(**common, status=status, score=score, response=response, shard=f"edits-{number // 32:05d}.tar")


def _edit(stored: shards.Stored) -> tuple[str, shards.Members]:
    name = stored.images(SOURCE)[0]
    source = stored.read(name)
    record = {**stored.record(), "edit": {"flags": []}}
    return stored.key, {name: source, EDITED: _png(source), RECORD: orjson.dumps(record)}


@lru_cache(64)
def _png(source: bytes) -> bytes:
    return images.encode_png(images.decode(source, "a source"))
