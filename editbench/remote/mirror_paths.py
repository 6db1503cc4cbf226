"""Where the local copy of a remote folder lies, which of its files are in both, and the names of what is kept beside it.

Nothing here touches the disk.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from editbench.errors import UserError
from editbench.paths import EditPaths, ScorePaths, is_shard

_EDITS, _SCORES = EditPaths(Path()), ScorePaths(Path())
MANIFEST, IDENTITY, CHUNKS = _EDITS.manifest.name, _EDITS.identity.name, _SCORES.chunks.name
_ROWS = {path.name for path in (_EDITS.failures, _EDITS.timings, _SCORES.scores, _SCORES.audit, _SCORES.anchors)}
_SYNCED = {MANIFEST, IDENTITY, _EDITS.environment.name, *_ROWS}


def is_chunk(name: str) -> bool:
    """Whether `name`, seen from the folder, is a chunk of scores that are not put together yet."""
    return re.fullmatch(rf"{CHUNKS}/[0-9]{{5,9}}(?:\.kept)?\.jsonl", name) is not None


def is_synced(name: str) -> bool:
    """Whether `name`, seen from a folder of a benchmark, edits or scores, is a file of it that other machines need."""
    return name in _SYNCED or is_shard(name) or is_chunk(name)


@dataclass(frozen=True, slots=True)
class MirrorPaths:
    """The local copy of a folder in a store, and beside it what is known of the copy."""

    root: Path

    @classmethod
    def of(cls, url: str) -> MirrorPaths:
        """Below `$EDITBENCH_CACHE` (default `~/.cache/editbench`). The same for every command that names this URL, and another
        for another URL; `url` has no credentials and no slash at its end."""
        cache = Path(os.environ.get("EDITBENCH_CACHE") or "~/.cache/editbench").expanduser()
        scheme, _, path = url.partition("://")
        host, digest = path.partition("/")[0], hashlib.sha256(url.encode()).hexdigest()[:16]
        return cls(cache / f"{_plain(f'{scheme}-{host}')}-{digest}" / _plain(path.rpartition("/")[2]))

    def local(self, name: str) -> Path:
        """Where the file that the store calls `name` goes. Raises UserError for a name that no file of ours has."""
        if not is_synced(name):
            raise UserError(f"{self.root} can have no file {name!r}", "Make the folder again.")
        return self.root / name

    @property
    def ledger(self) -> Path:
        """What the copy and the store had in common when they were last compared."""
        return self.root.parent / ".synced.json"

    @property
    def lock(self) -> Path:
        return self.root.parent / ".lock"

    @property
    def partial(self) -> Path:
        return self.root.parent / ".partial"

    def arriving(self, name: str, version: str) -> Path:
        """What has arrived of a version of a file; a download that was broken off goes on from there."""
        return self.partial / f"{name.replace('/', '-')}.{hashlib.sha256(version.encode()).hexdigest()[:16]}"


def _plain(text: str) -> str:
    """As part of a file's name: no separator, no leading dot, not too long."""
    return re.sub(r"[^\w.-]+", "-", text).strip(".-")[:60] or "folder"
