"""A finished folder of edits, as the stages after `edit` read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from editbench import files, manifests, remote, shards
from editbench.errors import UserError
from editbench.manifests import EditManifest
from editbench.paths import RECORD, SOURCE, EditPaths
from editbench.records import Edit, Failure, Sample


@dataclass(frozen=True, slots=True)
class Entry:
    """One sample of the run. `stored` is where its pictures lie, None when its edit failed; `flags`: what is odd about it."""

    sample: Sample
    stored: shards.Stored | None
    flags: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Edits:
    """`entries`: all samples of the run, in the benchmark's order, those without an edit included."""

    root: Path
    manifest: EditManifest
    entries: Sequence[Entry]

    @classmethod
    def open(cls, root: Path, *, verify: bool = True) -> Edits:
        """Read a folder of edits; with `verify`, bring it up to date where it is in a store, and hash its shards against the
        manifest.

        Raises:
            UserError: no such folder, editing is not finished, a manifest that contradicts itself, the shards or the failures;
                a shard missing, changed or cut short; a key that comes twice or is not its record's, a record with wrong
                fields, a sample without its pictures. Names the file and the key.
        """
        paths = EditPaths(root)
        if verify:
            remote.pull(root)
        if not root.is_dir():
            raise UserError(f"no folder of edits {root}", "Make one with: editbench edit BENCH --model MODEL --out FOLDER")
        if not paths.manifest.exists():
            remedy = "Run the same `editbench edit` command again; it goes on where it stopped."
            raise UserError(f"{root} has no {paths.manifest.name}: editing is not finished", remedy)
        remedy = f"Restore the folder, or run `editbench verify --repair {root}` and then the command that made it."
        manifest = manifests.load(paths.manifest, EditManifest, remedy)
        failures = read_failures(paths, manifest, remedy)
        stored = shards.open_listed(paths, manifest.shards, verify=verify, remedy=remedy)
        entries = merged(paths, [entry_of(edit) for edit in stored], failures, remedy)
        return cls(root, manifest, entries)


def flagged(manifest: EditManifest) -> str:
    """How many edits of a finished run are flagged, to go on a sentence: `, 2 flagged (1 identical, 1 uniform)`, or nothing."""
    counts = ", ".join(f"{count} {flag}" for flag, count in manifest.flags.items())
    return f", {manifest.flagged} flagged ({counts})" if counts else ""


def read_failures(paths: EditPaths, manifest: EditManifest, remedy: str) -> list[Failure]:
    """Those of failures.jsonl. Raises UserError where they are not those that the manifest's digest was made with."""
    failures = [*files.rows(paths.failures, Failure, remedy)]
    listed = [(failure.index, failure.key, failure.reason) for failure in failures]
    if len(failures) != manifest.failed or manifests.edits_digest(manifest.shards, listed) != manifest.digest:
        raise UserError(f"{paths.failures} and {paths.manifest.name} do not belong together", remedy)
    return failures


def merged(paths: EditPaths, edits: Sequence[Entry], failures: Sequence[Failure], remedy: str) -> list[Entry]:
    """Edits and failures in the benchmark's order: a failure knows its index, the edits fill the others.

    Raises UserError for a failure of a sample that has an edit, or whose index can't be.
    """
    entries, keys = [*edits], {edit.sample.key for edit in edits}
    for failure in sorted(failures, key=lambda failure: failure.index):
        if failure.key in keys or failure.index > len(entries):
            raise UserError(f"{paths.failures}: sample {failure.key} has an edit, or another sample's index", remedy)
        keys.add(failure.key)
        entries.insert(failure.index, Entry(failure.sample(), None))
    return entries


def entry_of(stored: shards.Stored) -> Entry:
    """A sample of an edit shard. Raises UserError for a wrong record, and where a picture is missing."""
    if stored.edited is None:
        message = f"{stored.shard}: sample {stored.key} has no {shards.EDITED_KIND} picture"
        raise UserError(message, "Is this a folder of edits?")
    if not stored.images(SOURCE):
        raise UserError(f"{stored.shard}: sample {stored.key} has no source picture", "Is this a folder of edits?")
    record = Edit.from_dict(stored.record(), f"{stored.shard}: {stored.key}.{RECORD}")
    return Entry(record.sample(), stored, record.edit.flags)
