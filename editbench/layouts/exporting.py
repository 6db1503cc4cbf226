"""`editbench export`: edits, or the scores of edits, as another tool's scripts expect them.

The folder is made beside its final place and renamed: an export that is interrupted leaves nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from editbench import atomic, console, files, identity, images, manifests, remote, shards
from editbench.edits import Edits
from editbench.errors import UserError
from editbench.layouts import LAYOUTS
from editbench.layouts.layout import File, Layout, checked, stems_of
from editbench.manifests import BenchmarkManifest, EditManifest, Named, ScoreManifest
from editbench.paths import SOURCE, Folder, ScorePaths
from editbench.records import OK, Judgement, Sample
from editbench.threads import in_threads
from editbench.wording import counted

_ENCODERS = {"png": images.encode_png, "jpg": images.encode_jpeg}


def export(folder: Path, *, layout: str, out: Path) -> str:
    """Write the edits or scores in `folder` into the new folder `out`; returns a sentence on what was written.

    Raises:
        UserError: an unknown layout, a folder that is not finished, names that make no path, scores of another protocol, or an
            `out` that is not empty or can't be written.
    """
    if layout not in LAYOUTS:
        raise UserError(f"no layout {layout} to write", f"Known: {', '.join(LAYOUTS)}.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is there already", "Choose another --out, or remove it.")
    remote.pull(folder)
    if not Folder(folder).manifest.exists():
        raise UserError(f"{folder} holds no finished edits or scores", "Run the command that makes it again.")
    manifest = manifests.load_any(Folder(folder).manifest)
    if isinstance(manifest, BenchmarkManifest):
        raise UserError(f"{folder} is a benchmark", "Give a folder of edits or of scores.")
    export_one = _export_edits if isinstance(manifest, EditManifest) else _export_scores
    return export_one(folder, LAYOUTS[layout], out.resolve())


def _export_edits(folder: Path, layout: Layout, out: Path) -> str:
    edits = Edits.open(folder)
    done = [(entry.sample, entry.stored) for entry in edits.entries if entry.stored]
    stems = stems_of(layout, [sample for sample, _ in done])
    named = {sample.key: f"{stem}.{_kind(layout, stored)}" for (sample, stored), stem in zip(done, stems, strict=True)}
    with _building(out) as staging:

        def write(pair: tuple[Sample, shards.Stored]) -> bool:
            sample, stored = pair
            source = layout.source(sample)
            if source is not None:
                _write(staging, source, _encoded(stored, stored.images(SOURCE)[0], "png"))
            _write(staging, named[sample.key], _encoded(stored, _edited(stored), _kind(layout, stored)))
            return not _edited(stored).endswith(_kind(layout, stored))

        changed = 0
        with console.progress("writing", len(done)) as advance:
            for other in in_threads(write, done):
                changed += other
                advance()
        _write_all(staging, layout.listing([(entry.sample, named.get(entry.sample.key)) for entry in edits.entries]))
    notes = [f"{changed:,} of them became {layout.kinds[0]}"] if changed else []
    notes += [f"{counted(edits.manifest.failed, 'sample')} without an edit"] if edits.manifest.failed else []
    return "; ".join([f"{counted(len(done), 'picture')} of {edits.manifest.model.name}", *notes])


def _edited(stored: shards.Stored) -> str:
    """Of a sample that `Edits.open` has checked."""
    return stored.edited or ""


def _kind(layout: Layout, stored: shards.Stored) -> str:
    """The suffix that the edited picture is written with."""
    suffix = _edited(stored).rpartition(".")[2]
    return suffix if suffix in layout.kinds else layout.kinds[0]


def _encoded(stored: shards.Stored, member: str, kind: str) -> bytes:
    """The picture as a file of that kind: its own bytes if it is one."""
    data = stored.read(member)
    if member.endswith(f".{kind}"):
        return data
    return _ENCODERS[kind](images.decode(data, f"{stored.shard.name}: {stored.key}.{member}"))


def _export_scores(folder: Path, layout: Layout, out: Path) -> str:
    scores, remedy = ScorePaths(folder), "Run the same `editbench score` again."
    manifest = manifests.load(scores.manifest, ScoreManifest)
    if shards.sha256(scores.scores) != manifest.sha256:
        raise UserError(f"{scores.scores} is not as its manifest says", remedy)
    judge = files.checked(identity.load(scores.identity), _Judged, str(scores.identity), remedy)
    rows = [*files.rows(scores.scores, Judgement, remedy)]
    record = [*layout.record(out.name, rows)]
    with _building(out) as staging:
        _write_all(staging, record)
    unscored = sum(row.status != OK for row in rows)
    notes = f"; {counted(unscored, 'sample')} without a score" if unscored else ""
    return f"{counted(len(rows), 'sample')} judged by {judge.model.name} with rubric {judge.rubric.name}{notes}"


@dataclass(frozen=True, slots=True)
class _Judged:
    """Of the identity of scores, who judged and how."""

    model: Named
    rubric: Named


@contextmanager
def _building(out: Path) -> Iterator[Path]:
    """A folder to be filled by the block, which then becomes `out`."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic.building(out) as staging:
        yield staging
        os.replace(staging, out)


def _write_all(staging: Path, written: Iterable[File]) -> None:
    for name, data in written:
        _write(staging, name, data)


def _write(staging: Path, name: str, data: bytes) -> None:
    """Raises UserError for a name that is no path below the folder."""
    path = staging / checked(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, data)
