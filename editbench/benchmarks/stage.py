"""`import`: a public benchmark, a table or a folder of pictures becomes benchmark shards.

The source is gone through twice, a few rows at a time. First everything is checked, and all that is wrong is said at once; then
it is written. The shards are made in a folder beside the final one and renamed, so an import that is interrupted leaves nothing
under the final name (what one that is killed leaves in hidden files beside it is removed by the next).

>>> import_benchmark(Path("my.jsonl"), out=Path("shards/my")).samples
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path

from editbench import atomic, console, manifests, shards
from editbench.benchmarks import formats
from editbench.benchmarks.benchmark import write_benchmark
from editbench.benchmarks.checks import Checked, Checks, check, fingerprint, refuse
from editbench.benchmarks.format import Format, Rows, Source
from editbench.benchmarks.rows import GROUP_LENGTH, UNCATEGORIZED, Picture, Row, language_of
from editbench.errors import UserError
from editbench.images import decode, encode_png
from editbench.manifests import BenchmarkManifest
from editbench.paths import MASK, REFERENCE, SOURCE, BenchmarkPaths
from editbench.records import Sample

Packed = Iterator[tuple[Sample, shards.Members]]


def import_benchmark(
    path: Path,
    *,
    out: Path,
    format: str | None = None,  # noqa: A002 - the option's name
    images: Path | None = None,
    mapping: Mapping[str, str] | None = None,
    name: str | None = None,
) -> BenchmarkManifest:
    """Write the benchmark at `path` as shards into the new folder `out`; returns the manifest.

    `format`: its name, otherwise it is recognised; `images`: where pictures are looked up; `mapping`: the source's column for
    names of ours; `name`: of the benchmark (default: the folder's). When `out` already holds exactly this benchmark, nothing is
    touched.

    Raises:
        UserError: an unknown format, a source that can't be read, rows that are wrong (the first 20 are listed), or an
            `out` that holds something else or can't be written.
    """
    source = Source(path, images, mapping)
    kind = _format(source, format)
    _check_out(out)
    rows = kind.open(source)
    if not rows.total:
        raise UserError(f"{path} has no rows", "Name a benchmark that lists samples.")
    for note in rows.notes:
        console.warn(note)
    with console.progress("checking", rows.total) as advance:
        checks = check(rows, advance)
    refuse(path, checks)
    _compare(kind, checks)
    with console.progress("writing", rows.total) as advance:
        return _publish(out.resolve(), name or out.resolve().name, _samples(rows, checks, advance), kind.rubric)


def _format(source: Source, name: str | None) -> Format:
    chosen = formats.named(name) if name else None
    if not source.path.exists():
        raise UserError(f"no {source.path} to import", "Name the benchmark's table or folder.")
    if source.images and not source.images.is_dir():
        raise UserError(f"no picture folder {source.images}", "Name the folder that the table's picture paths start from.")
    if chosen is None and source.path.is_dir() and BenchmarkPaths(source.path).all_shards():
        raise UserError(f"{source.path} holds shards of editbench already", "A benchmark goes to: editbench edit")
    if chosen is None:
        chosen, evidence = formats.recognise(source)
        console.say(f"{source.path} is read as {chosen.name}: {evidence}")
    if source.mapping and not chosen.mapped:
        raise UserError(
            f"the columns of {chosen.name} are known, and can't be mapped", "Leave --map out, or add --format table."
        )
    return chosen


def _compare(kind: Format, checks: Checks) -> None:
    """Say how a public benchmark differs from its release."""
    if kind.release:
        sentence, differs = kind.release.compare(checks.counts, (row.id for row in checks.rows))
        (console.warn if differs else console.say)(sentence)


def _samples(rows: Rows, checks: Checks, advance: Callable[[], None]) -> Packed:
    for known, key, row in zip_longest(checks.rows, checks.keys, rows.read()):
        if known is None or row is None or fingerprint(row)[0] != known.fingerprint:
            raise UserError(f"{(known or row).where} changed while it was imported", "Import again.")
        sample = Sample(
            key=key,
            id=row.id,
            instruction=row.instruction,
            category=row.category.strip() or UNCATEGORIZED,
            language=language_of(row),
            group=row.group or checks.pictures[row.sources[0].name].sha256.hex()[:GROUP_LENGTH],
            reference_text=row.reference_text,
            extra=row.extra,
        )
        yield sample, dict(_members(row, checks.pictures))
        advance()


def _members(row: Row, checked: Mapping[str, Checked]) -> Iterator[tuple[str, bytes]]:
    numbered = [(SOURCE, number, picture) for number, picture in enumerate(row.sources, 1)]
    numbered += [(kind, 1, picture) for kind, picture in ((REFERENCE, row.reference), (MASK, row.mask)) if picture]
    for kind, number, picture in numbered:
        suffix, data = _encoded(picture, checked[picture.name])
        yield shards.source_extension(suffix, number, kind), data


def _encoded(picture: Picture, checked: Checked) -> tuple[str, bytes]:
    """The picture's bytes as they come, or as PNG where WebDataset readers would not know the kind."""
    data = picture.read()
    if hashlib.sha256(data).digest() != checked.sha256:
        raise UserError(f"{picture.name} changed while it was imported", "Import again.")
    if checked.suffix:
        return checked.suffix, data
    return "png", encode_png(decode(data, picture.name))


def _check_out(out: Path) -> None:
    """Refuse a path that can't become the benchmark, before the work begins."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file", "Choose another folder with --out.")
    if out.is_dir() and not BenchmarkPaths(out).manifest.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty and holds no benchmark", "Choose another folder with --out.")


def _publish(out: Path, name: str, samples: Packed, rubric: str | None) -> BenchmarkManifest:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic.building(out) as staging:
            manifest = write_benchmark(staging, name, samples, rubric)
            if BenchmarkPaths(out).manifest.exists():
                _expect_same(out, manifest)
                _restore(staging, out, manifest)
            else:
                os.replace(staging, out)
    except OSError as error:
        raise UserError(f"can't write {out}: {error}", "Make room, or choose another folder with --out.") from None
    return manifest


def _expect_same(out: Path, manifest: BenchmarkManifest) -> None:
    paths, remedy = BenchmarkPaths(out), "Choose another folder with --out, or remove this one."
    if manifests.load(paths.manifest, BenchmarkManifest, remedy) != manifest:
        raise UserError(f"{out} holds another benchmark, or another version of this one", remedy)
    there = [entry for entry in manifest.shards if paths.listed(entry.name).exists()]
    if damage := list(shards.check(paths, there)):
        raise UserError(
            f"{out} holds this benchmark, but damaged: {'; '.join(damage)}", "Set it aside with: editbench verify --repair"
        )


def _restore(staging: Path, out: Path, manifest: BenchmarkManifest) -> None:
    """Put back the shards that `out` has lost, or that `verify --repair` has set aside."""
    for entry in manifest.shards:
        if not (shard := BenchmarkPaths(out).listed(entry.name)).exists():
            os.replace(BenchmarkPaths(staging).listed(entry.name), shard)
