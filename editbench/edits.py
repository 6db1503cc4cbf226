"""A finished folder of edits, as the stages after `edit` read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from editbench import identity, shards
from editbench.errors import UserError
from editbench.paths import EDITED, EditPaths
from editbench.records import Failure, Sample


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
    manifest: dict[str, Any]
    entries: Sequence[Entry]

    @classmethod
    def open(cls, root: Path, *, verify: bool = True) -> Edits:
        """Read a folder of edits; with `verify`, hash its shards against the manifest.

        Raises:
            UserError: no such folder, editing is not finished, a shard or the list of failures is missing or changed.
        """
        paths = EditPaths(root)
        if not root.is_dir():
            raise UserError(f"no folder of edits {root}", "Make one with: editbench edit BENCH --model MODEL --out FOLDER")
        if not paths.manifest.exists():
            remedy = "Run the same `editbench edit` command again; it goes on where it stopped."
            raise UserError(f"{root} has no {paths.manifest.name}: editing is not finished", remedy)
        manifest = identity.load(paths.manifest)
        if "edited" not in manifest:
            raise UserError(f"{paths.manifest} is not the manifest of an edit run", "Is this the right folder?")
        listed = [shards.ShardEntry(**entry) for entry in manifest["shards"]]
        if verify and (problems := list(shards.check(root, listed))):
            raise UserError("; ".join(problems), "Restore the shards, or remove them and run `editbench edit` again.")
        stored = [sample for entry in listed for sample in shards.index(root / entry.name)]
        return cls(root, manifest, _merge(stored, _failures(paths, manifest)))


def flagged(manifest: dict[str, Any]) -> str:
    """How many edits of a finished run are flagged, to go on a sentence: `, 2 flagged (1 identical, 1 uniform)`, or nothing."""
    counts = ", ".join(f"{count} {flag}" for flag, count in manifest.get("flags", {}).items())
    return f", {manifest['flagged']} flagged ({counts})" if counts else ""


def _failures(paths: EditPaths, manifest: dict[str, Any]) -> list[Failure]:
    lines = paths.failures.read_bytes().splitlines() if paths.failures.exists() else []
    try:
        failures = [Failure.from_dict(orjson.loads(line)) for line in lines]
    except (orjson.JSONDecodeError, TypeError, AttributeError):
        failures = []
    if len(failures) != manifest["failed"]:
        message = f"{paths.failures} is missing or broken: it should name {manifest['failed']} samples"
        raise UserError(message, "Restore it, or edit again into another folder.")
    return failures


def _merge(stored: list[shards.Stored], failures: list[Failure]) -> list[Entry]:
    """Edits and failures in the benchmark's order: a failure knows its place, the edits fill the others."""
    entries = [_entry(edit) for edit in stored]
    for failure in sorted(failures, key=lambda failure: failure.index):
        sample = Sample.from_dict({**failure.to_dict(), "instruction": ""})
        entries.insert(failure.index, Entry(sample, None))
    return entries


def _entry(stored: shards.Stored) -> Entry:
    if EDITED not in stored.spans:
        raise UserError(f"{stored.shard}: sample {stored.key} has no {EDITED}", "Is this a folder of edits?")
    record = stored.record()
    return Entry(Sample.from_dict(record), stored, record.get("edit", {}).get("flags", ()))
