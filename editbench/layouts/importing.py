"""`editbench import-edits`: pictures that another tool made become a folder of edits, as if `editbench edit` had made them.

Everything is read and checked before anything is written. The folder is made beside its final place and renamed, so an import
that is interrupted leaves nothing. Its identity names the model as it was called, the kind `imported`, and the digest of the
pictures: the same pictures give the same bytes, others are refused.

>>> import_edits(Path("bench"), Path("results/my-model"), layout="gedit", name="my-model", out=Path("edits")).edited
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from editbench import atomic, console, environment, files, identity, images, run_folder, shards
from editbench.benchmarks.benchmark import Benchmark
from editbench.benchmarks.rows import Picture
from editbench.edit import sanity
from editbench.edit.settings import EditSettings
from editbench.edit.spool import Spool
from editbench.edits import Edits, flagged
from editbench.errors import Incomplete, UserError
from editbench.fleet.failure import BAD_INPUT
from editbench.fleet.run_options import RunOptions
from editbench.layouts import LAYOUTS, folder, table
from editbench.layouts.matches import Matches
from editbench.manifests import EditManifest, Named
from editbench.paths import MASK, RECORD, REFERENCE, SOURCE, EditPaths
from editbench.records import Failure
from editbench.threads import in_threads
from editbench.wording import counted

IMPORTED = "imported"
"""The kind of model, where others are a hub id or a folder."""
MISSING = "missing"
"""Reason of a sample without a picture."""


def import_edits(
    benchmark: Path,
    pictures: Path,
    *,
    layout: str,
    name: str,
    out: Path,
    mapping: Mapping[str, str] | None = None,
    max_failures: str = "0",
    fresh: bool = False,
) -> EditManifest:
    """Write the edits in `pictures` of the samples of `benchmark` into the new folder `out`; returns its manifest.

    `layout`: one of LAYOUTS, or `table`, whose columns `mapping` names. Bytes of PNG, JPEG and WebP are kept, other pictures
    become PNG. A sample without a picture is a failure, `missing`, and one whose picture is broken, `bad_input`. When `out`
    already holds exactly these edits, nothing is touched. Others are moved aside with `fresh`, and these if they are not whole.

    Raises:
        UserError: an unknown layout, a benchmark or pictures that can't be read, no usable picture of any sample, or an `out`
            that holds something else or can't be written.
        Incomplete: more samples have no edit than `max_failures` allows; those that have one are imported.
    """
    allowed = RunOptions(max_failures=max_failures).allowed_failures
    allowed(0)
    if not name.strip():
        raise UserError("--name is empty", "Say what made the pictures, such as --name my-model.")
    _check_out(out)
    samples = Benchmark.open(benchmark)
    matches = _match(samples, pictures, layout, mapping or {})
    checked = _check_all(samples, matches)
    model = {"kind": IMPORTED, "name": name, "digest": identity.digest({key: each.sha256 for key, each in checked.items()})}
    source = {"name": samples.name, "digest": samples.digest}
    settings = {"shard_size": EditSettings().shard_size}
    wanted = identity.make("edit", benchmark=source, model=model, settings=settings)
    for sentence in matches.messages():
        console.warn(f"{pictures}: {sentence}")
    manifest = _Import(samples, matches, checked, wanted).publish(out.resolve(), fresh=fresh)
    counts = "".join(f", {count} {reason}" for reason, count in manifest.failures.items())
    console.say(f"{manifest.edited:,} of {counted(manifest.samples, 'sample')} with an edit{counts}{flagged(manifest)}: {out}")
    if manifest.failed > allowed(manifest.samples):
        remedy = (
            f"They are in {EditPaths(out).failures}. Import again with --fresh when they are there; --max-failures allows some."
        )
        raise Incomplete(f"{manifest.failed:,} of {counted(manifest.samples, 'sample')} without an edit", remedy)
    return manifest


def _match(benchmark: Benchmark, pictures: Path, layout: str, mapping: Mapping[str, str]) -> Matches:
    if layout == table.NAME:
        matches = table.match(pictures, benchmark.samples, mapping)
    elif layout in LAYOUTS:
        matches = folder.match(LAYOUTS[layout], pictures, benchmark.samples)
    else:
        raise UserError(f"no layout {layout}", f"Known: {', '.join([*LAYOUTS, table.NAME])}.")
    if matches.pictures:
        return matches
    wanted = next(iter(matches.missing.values()))
    instead = f"; there is {matches.unmatched[0]}" if matches.unmatched else ""
    message = f"{pictures} has no picture of any sample: {wanted} was looked for{instead}"
    raise UserError(message, "Is this the right --layout, and the folder of one model's pictures?")


@dataclass(frozen=True, slots=True)
class _Checked:
    """What is known of a picture; the bytes are not kept."""

    sha256: str = ""
    suffix: str | None = None
    """The file's own kind, None when it must be rewritten as PNG."""
    size: tuple[int, int] = (0, 0)
    flags: Sequence[str] = ()
    problem: str = ""
    """Why it can't be used, and by which reason a sample's failure has it."""
    reason: str = ""


def _check_all(benchmark: Benchmark, matches: Matches) -> dict[str, _Checked]:
    stored = [stored for stored in benchmark.stored if stored.key in matches.pictures]
    checked = {}
    with console.progress("checking", len(stored)) as advance:
        results = in_threads(lambda each: _check(each, matches.pictures[each.key]), stored)
        for each, result in zip(stored, results, strict=True):
            checked[each.key] = result
            advance()
    if all(result.problem for result in checked.values()):
        raise UserError(f"no picture can be used; the first: {next(iter(checked.values())).problem}", "Nothing was written.")
    return checked


def _check(stored: shards.Stored, picture: Picture) -> _Checked:
    try:
        data = picture.read()
        edited = images.decode(data, picture.name)
        suffix = images.suffix(data, picture.name)
    except UserError as error:
        absent = isinstance(error.__context__, FileNotFoundError)  # a table may name what is not there
        return _Checked(problem=str(error), reason=MISSING if absent else BAD_INPUT)
    name = stored.images(SOURCE)[0]
    source = images.decode(stored.read(name), f"{stored.shard.name}: {stored.key}.{name}")
    flags = sanity.flags(edited, source, None, nan=False)
    return _Checked(hashlib.sha256(data).hexdigest(), suffix, edited.size, flags)


@dataclass(frozen=True, slots=True)
class _Import:
    benchmark: Benchmark
    matches: Matches
    checked: Mapping[str, _Checked]
    identity: dict[str, Any]

    def publish(self, out: Path, *, fresh: bool) -> EditManifest:
        """The finished folder's manifest, whether it was there or was made now."""
        paths = EditPaths(out)
        if paths.identity.exists() and not fresh:
            remedy = "Choose another --out, or start over here with --fresh (the old is kept)."
            identity.compare(paths.identity, self.identity, remedy=remedy)
            if paths.manifest.exists():
                return Edits.open(out).manifest
        out.parent.mkdir(parents=True, exist_ok=True)
        with atomic.building(out) as staging:
            manifest = self._write(EditPaths(staging))
            if paths.identity.exists():
                run_folder.refuse_running(paths)
                kept = out.rename(run_folder.old(out))
                console.warn(f"what was in {out} is kept as {kept.name}")
            os.replace(staging, out)
        return manifest

    def _write(self, paths: EditPaths) -> EditManifest:
        identity.settle(paths.identity, self.identity)
        files.dump(paths.environment, {"attempts": [environment.of_process(sys.argv)]})
        paths.spool.mkdir()
        spool = Spool(paths, [sample.key for sample in self.benchmark.samples], self.identity["settings"]["shard_size"])
        with console.progress("writing", spool.shard_count) as advance:
            for shard in range(spool.shard_count):
                self._write_shard(spool, shard)
                advance()
        benchmark = Named(name=self.benchmark.name, digest=self.benchmark.digest)
        rubric = self.benchmark.manifest.rubric
        return spool.finish(benchmark, Named(**self.identity["model"]), self.identity["digest"], rubric)

    def _write_shard(self, spool: Spool, shard: int) -> None:
        edited = []
        for index in spool.indices(shard):
            sample = self.benchmark.samples[index]
            if problem := self._problem(sample.key):
                reason, error = problem
                spool.put_failure(Failure.of(sample, index=index, reason=reason, error=error, attempts=1))
            else:
                edited.append(index)
        if edited:
            shards.write_shard(spool.paths.shard(shard), ((spool.keys[index], self._members(index)) for index in edited))

    def _problem(self, key: str) -> tuple[str, str] | None:
        """Why the sample has no edit: reason and sentence."""
        if key in self.matches.missing:
            return MISSING, f"no picture {self.matches.missing[key]}"
        checked = self.checked[key]
        return (checked.reason, checked.problem) if checked.problem else None

    def _members(self, index: int) -> shards.Members:
        stored = self.benchmark.stored[index]
        picture, checked = self.matches.pictures[stored.key], self.checked[stored.key]
        data = picture.read()
        if hashlib.sha256(data).hexdigest() != checked.sha256:
            raise UserError(f"{picture.name} changed while it was imported", "Import again.")
        edited = data if checked.suffix else images.encode_png(images.decode(data, picture.name))
        edit = {
            "model": self.identity["model"]["name"],
            "provenance": IMPORTED,
            "size": list(checked.size),
            "flags": checked.flags,
        }
        return {
            **{name: stored.read(name) for kind in (SOURCE, REFERENCE, MASK) for name in stored.images(kind)},
            shards.source_extension(checked.suffix or "png", kind=shards.EDITED_KIND): edited,
            RECORD: orjson.dumps({**stored.record(), "edit": edit}),
        }


def _check_out(out: Path) -> None:
    """Refuse a path that can't become the folder of edits, before the work begins."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file", "Choose another folder with --out.")
    if out.is_dir() and not EditPaths(out).identity.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty and holds no edits", "Choose another folder with --out.")
