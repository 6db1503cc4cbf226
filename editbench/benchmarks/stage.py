"""`import`: a public benchmark or a table of one's own becomes benchmark shards.

Everything is checked before anything is written, and all that is wrong is said at once. The shards are made in a folder
beside the final one and renamed, so an import that is interrupted leaves nothing under the final name (what one that is killed
leaves in hidden files beside it is removed by the next).

>>> import_benchmark(Path("my.jsonl"), format="jsonl", out=Path("shards/my")).samples
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, Protocol

from editbench import atomic, manifests, shards
from editbench.benchmarks import jsonl
from editbench.benchmarks.benchmark import write_benchmark
from editbench.benchmarks.rows import UNCATEGORIZED, Picture, Row, keys_of, language_of
from editbench.errors import UserError
from editbench.images import decode, encode_png, suffix
from editbench.manifests import BenchmarkManifest
from editbench.paths import REFERENCE, SOURCE, BenchmarkPaths
from editbench.records import Sample

SHOWN = 20
"""Problems listed in one message."""
THREADS = 8
"""Pictures decoded at once (PIL releases the GIL); also what bounds the memory: one picture a thread."""


class Reader(Protocol):
    """Reads one public format. Raises UserError when the source as a whole can't be read."""

    def __call__(self, source: Path, *, images: Path | None, mapping: Mapping[str, str]) -> list[Row]: ...


READERS: dict[str, Reader] = {"jsonl": jsonl.read}
"""By the name of the format."""


def import_benchmark(
    source: Path,
    *,
    format: str,  # noqa: A002 - the option's name
    out: Path,
    images: Path | None = None,
    mapping: Mapping[str, str] | None = None,
    name: str | None = None,
) -> BenchmarkManifest:
    """Write the benchmark `source` as shards into the new folder `out`; returns the manifest.

    `images`: where pictures are looked up; `mapping`: the source's column for names of ours; `name`: of the benchmark
    (default: the folder's). When `out` already holds exactly this benchmark, nothing is touched.

    Raises:
        UserError: an unknown format, a source that can't be read, rows that are wrong (the first 20 are listed), or an
            `out` that holds something else or can't be written.
    """
    reader = READERS.get(format)
    if reader is None:
        raise UserError(f"no benchmark format {format}", f"Known: {', '.join(sorted(READERS))}.")
    if not source.exists():
        raise UserError(f"no {source} to import", "Name the benchmark's table or folder.")
    if images and not images.is_dir():
        raise UserError(f"no picture folder {images}", "Name the folder that the table's picture paths start from.")
    _check_out(out)
    rows = reader(source, images=images, mapping=mapping or {})
    checked = _check_pictures(rows)
    _refuse(source, rows, list(_problems(rows, checked)))
    return _publish(out.resolve(), name or out.resolve().name, _samples(rows, checked))


class _Checked(NamedTuple):
    """What is known of a picture; the bytes are not kept."""

    sha256: str = ""
    suffix: str | None = None
    """The file's own kind, None when it must be rewritten as PNG."""
    problem: str = ""


def _check_pictures(rows: Sequence[Row]) -> dict[str, _Checked]:
    """Reads and decodes each picture once, by its name."""
    pictures = {picture.name: picture for row in rows for picture in row.pictures}
    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:
        return dict(zip(pictures, pool.map(_check_picture, pictures.values()), strict=True))


def _check_picture(picture: Picture) -> _Checked:
    try:
        data = picture.read()
        decode(data, picture.name)
        return _Checked(hashlib.sha256(data).hexdigest(), suffix(data, picture.name))
    except UserError as error:
        return _Checked(problem=str(error))


def _problems(rows: Sequence[Row], checked: Mapping[str, _Checked]) -> Iterator[str]:
    """One sentence for each thing that is wrong, which names the row, in the order of the rows."""
    by_id: dict[str, Row] = {}
    by_key: dict[str, Row] = {}
    for row, key in zip(rows, keys_of(row.id for row in rows), strict=True):
        yield from (f"{row.where}: {problem}" for problem in row.problems or _missing(row))
        broken = (checked[picture.name].problem for picture in row.pictures)
        yield from (f"{row.where}: {problem}" for problem in broken if problem)
        if not row.id:
            continue
        if (first := by_id.setdefault(row.id, row)) is not row:
            yield f"{row.where}: id {row.id} is taken by {first.where}"
        elif (first := by_key.setdefault(key.lower(), row)) is not row:
            yield f"{row.where}: id {row.id} gives the same key as {first.id} of {first.where}: {key}"


def _missing(row: Row) -> Iterator[str]:
    if not row.id.strip():
        yield "no id"
    if not row.instruction.strip():
        yield "no instruction"
    if not row.sources:
        yield "no image"


def _refuse(source: Path, rows: Sequence[Row], problems: Sequence[str]) -> None:
    if not problems:
        return
    more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    message = "\n".join([f"{count} in the {len(rows)} rows of {source}:", *problems[:SHOWN], *more])
    raise UserError(message, "Nothing was written. Mend the rows, or take them out, and import again.")


def _samples(rows: Sequence[Row], checked: Mapping[str, _Checked]) -> Iterator[tuple[Sample, shards.Members]]:
    for row, key in zip(rows, keys_of(row.id for row in rows), strict=True):
        sample = Sample(
            key=key,
            id=row.id,
            instruction=row.instruction,
            category=row.category.strip() or UNCATEGORIZED,
            language=language_of(row),
            group=row.group or checked[row.sources[0].name].sha256[:16],
            reference_text=row.reference_text,
            extra=row.extra,
        )
        yield sample, dict(_members(row, checked))


def _members(row: Row, checked: Mapping[str, _Checked]) -> Iterator[tuple[str, bytes]]:
    numbered = [(SOURCE, number, picture) for number, picture in enumerate(row.sources, 1)]
    if row.reference:
        numbered.append((REFERENCE, 1, row.reference))
    for kind, number, picture in numbered:
        suffix, data = _encoded(picture, checked[picture.name])
        yield shards.source_extension(suffix, number, kind), data


def _encoded(picture: Picture, checked: _Checked) -> tuple[str, bytes]:
    """The picture's bytes as they come, or as PNG where WebDataset readers would not know the kind."""
    data = picture.read()
    if hashlib.sha256(data).hexdigest() != checked.sha256:
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


def _publish(out: Path, name: str, samples: Iterator[tuple[Sample, shards.Members]]) -> BenchmarkManifest:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic.building(out) as staging:
            manifest = write_benchmark(staging, name, samples)
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
