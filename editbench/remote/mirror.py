"""A remote folder and its local copy, brought to the same state in one direction at a time.

A ledger beside the copy says what both sides had in common when they were last compared: a file that has changed since on one
side only is taken from there. The manifest, which makes a folder a finished one, goes last in both directions.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from multiprocessing.pool import ThreadPool
from pathlib import Path

import orjson
from rich.filesize import decimal

from editbench import atomic, console, files, manifests, shards
from editbench.errors import UserError
from editbench.manifests import BenchmarkManifest, EditManifest, ScoreManifest
from editbench.paths import ScorePaths, is_shard
from editbench.remote.mirror_paths import CHUNKS, IDENTITY, MANIFEST, MirrorPaths, is_chunk, is_synced
from editbench.remote.store import Remote, Store
from editbench.urls import Url
from editbench.wording import counted

BLOCK = 16 << 20
"""Bytes of one range: what is asked for again when a download breaks off."""
AT_ONCE = 4
"""Files under way at once."""
INTERVAL = 2.0
"""Seconds between looks at what a run has finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """A file when both sides had the same: the copy's size and time, and the store's version."""

    bytes: int
    mtime_ns: int
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ledger:
    files: dict[str, Synced] = field(default_factory=dict)


class Mirror:
    """Every method raises UserError for a store that fails, and for names or contents that are not a folder's of ours."""

    def __init__(self, paths: MirrorPaths, url: Url) -> None:
        self._paths, self._url, self._store = paths, url, Store.open(url)
        self._there: dict[str, Remote] = {}
        self._ledger: dict[str, Synced] = {}

    @contextmanager
    def locked(self, *, wait: bool) -> Iterator[None]:
        """Hold the copy for the time of the block. Without `wait`, UserError when another process holds it."""
        self._paths.partial.mkdir(parents=True, exist_ok=True)
        with open(self._paths.lock, "a+b") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not wait:
                    remedy = "Wait for it, stop it, or choose another --out."
                    raise UserError(f"another command is at work on {self._url.text}", remedy) from None
                console.say(f"waiting for another command that is at work on {self._url.text}")
                fcntl.flock(lock, fcntl.LOCK_EX)
            if self._paths.ledger.exists():
                self._ledger = files.load(self._paths.ledger, _Ledger, "Remove it.").files
            yield

    def look(self) -> bool:
        """List the store; returns whether it holds anything of ours. Raises UserError where it holds files of others only."""
        if not self._list():
            raise UserError(f"{self._url.text} holds files, but none of editbench", "Give another folder.")
        return bool(self._there)

    def bring(self, *, finished: bool) -> None:
        """Download what the store has and the copy lacks. With `finished`, UserError where it is not all there."""
        manifest = self._manifest()
        if finished and manifest is None:
            remedy = "Make it first, or run the command that makes it again: it goes on, and uploads what is missing."
            raise UserError(f"{self._url.text} has no {MANIFEST}: nothing finished lies there", remedy)
        if manifest is None and IDENTITY not in self._there:
            return  # of no use without: nobody knows what made it
        digests = _digests(manifest) if manifest else {}
        if finished and (missing := digests.keys() - self._there.keys()):
            raise UserError(f"{self._url.text} lacks {', '.join(sorted(missing))}", "Restore it, or make the folder again.")
        small = {name for name in self._there if not (is_shard(name) or is_chunk(name))} - {MANIFEST}
        wanted = digests.keys() | small if manifest else self._there.keys()
        due = [
            name
            for name in sorted(wanted & self._there.keys())
            if self._outdated(name, digests.get(name), finished=bool(manifest))
        ]
        self._download_all({name: digests.get(name) for name in due})
        if manifest:
            os.replace(self._arriving(MANIFEST), self._paths.local(MANIFEST))
            self._note(MANIFEST, self._paths.local(MANIFEST).stat())
            self._save()
        for left in self._paths.partial.iterdir():  # of versions that the store no longer has
            left.unlink()

    def reopen(self) -> None:
        """Take what is finished in the store back, before anything changes that its manifest lists."""
        self._unpublish()
        self._remove_chunks(kept=())

    def follow(self, stop: threading.Event) -> None:
        """Upload what a run has finished, until `stop`. What fails is tried again, at the latest by `publish`."""
        while not stop.wait(INTERVAL):
            # All that is there: of a run that comes to its end, failures and the shards that lack them belong together.
            names = self._local_names()
            try:
                self._upload_all([name for name in names if self._due(name)])
            except (UserError, OSError):  # OSError: a chunk that has just been put into its file of rows
                continue

    def publish(self) -> None:
        """Upload what the store lacks, the manifest last, and remove the chunks that are rows of a finished file by now."""
        names = self._local_names()
        due = [name for name in names if self._due(name)]
        if due:
            self._unpublish()
        if due or self._due(MANIFEST):
            due += [MANIFEST] if self._paths.local(MANIFEST).exists() else []
            size = sum(self._paths.local(name).stat().st_size for name in due)
            console.say(f"uploading {_told(due, size)} to {self._url.text}")
            self._upload_all(due, "uploading")
        self._remove_chunks(kept=names)

    def _unpublish(self) -> None:
        self._ledger.pop(MANIFEST, None)  # first: a manifest that both sides had and the store has lost is not believed
        self._save()
        self._store.remove(MANIFEST)
        self._there.pop(MANIFEST, None)

    def _remove_chunks(self, kept: Sequence[str]) -> None:
        for name in [name for name in self._there if is_chunk(name) and name not in kept]:
            self._store.remove(name)
            self._there.pop(name, None)  # `follow` may have listed the store anew

    def _list(self) -> bool:
        """Whether the store holds nothing, or something of ours."""
        listed = self._store.listing(CHUNKS)
        self._there = {name: remote for name, remote in listed.items() if is_synced(name)}
        return bool(self._there) or all(name.startswith(".") for name in listed)  # such as .gitattributes of a hub's repository

    def _manifest(self) -> Manifest | None:
        """The store's. The copy's own is removed where it is another, or where the store has lost the one that both had: the
        folder is being made again, elsewhere."""
        local, there = self._paths.local(MANIFEST), self._there.get(MANIFEST)
        if there is None:
            if IDENTITY in self._there and self._unchanged(MANIFEST):
                local.unlink()
            return None
        data, arriving = self._store.read(MANIFEST, 0, there.bytes), self._arriving(MANIFEST)
        atomic.write(arriving, data)
        manifest = manifests.load_any(arriving)
        if local.exists() and local.read_bytes() != data:
            local.unlink()
        return manifest

    def _outdated(self, name: str, sha256: str | None, *, finished: bool) -> bool:
        """Whether the store's file is to replace the copy's."""
        local, there = self._paths.local(name), self._there[name]
        if not local.exists():
            return True
        if there.version and self._unchanged(name):
            synced = self._ledger[name]
            return (synced.bytes, synced.version) != there
        if not finished:
            return False  # made here, and not uploaded yet
        return sha256 is None or shards.sha256(local) != sha256

    def _due(self, name: str) -> bool:
        """Whether the copy's file is to replace the store's."""
        there = self._there.get(name)
        if there is None or not self._unchanged(name):
            return self._paths.local(name).exists()
        synced = self._ledger[name]
        return (synced.bytes, synced.version) != there

    def _unchanged(self, name: str) -> bool:
        """Whether the copy's file is there and as it was when both sides had the same."""
        local, synced = self._paths.local(name), self._ledger.get(name)
        if synced is None or not local.exists():
            return False
        stat = local.stat()
        return (stat.st_size, stat.st_mtime_ns) == (synced.bytes, synced.mtime_ns)

    def _local_names(self) -> list[str]:
        """Of the files to upload, without the manifest."""
        root = self._paths.root
        names = [path.relative_to(root).as_posix() for path in (*root.glob("*"), *root.glob(f"{CHUNKS}/*"))]
        return sorted(name for name in names if is_synced(name) and name != MANIFEST)

    def _download_all(self, digests: Mapping[str, str | None]) -> None:
        """`digests`: the sha256 of each file, where it is known."""
        needed, free = sum(self._there[name].bytes for name in digests), shutil.disk_usage(self._paths.partial).free
        if needed > free:
            message = f"{self._url.text} holds {decimal(needed)} that {self._paths.root} lacks; {decimal(free)} are free"
            raise UserError(message, "Make room, or name a folder with more in EDITBENCH_CACHE.")
        if digests:
            console.say(f"downloading {_told(digests, needed)} from {self._url.text}")
        self._each(lambda name: self._download(name, digests[name]), [*digests], "downloading")

    def _download(self, name: str, sha256: str | None) -> None:
        """Bring one file, by rename; goes on where an earlier download of it stopped."""
        there, local, arriving = self._there[name], self._paths.local(name), self._arriving(name, sha256)
        digest = hashlib.sha256()
        with open(arriving, "a+b" if sha256 else "w+b") as file:
            file.seek(0)
            while block := file.read(BLOCK):
                digest.update(block)
            while (start := file.tell()) < there.bytes:
                block = self._range(name, start, min(start + BLOCK, there.bytes))
                digest.update(block)
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        if sha256 and digest.hexdigest() != sha256:
            arriving.unlink()
            message = f"{self._url.text}/{name} is not what {MANIFEST} says (sha256 differs)"
            raise UserError(message, "Restore it, or make the folder again.")
        local.parent.mkdir(parents=True, exist_ok=True)
        os.replace(arriving, local)
        self._note(name, local.stat())

    def _range(self, name: str, start: int, end: int) -> bytes:
        block = self._store.read(name, start, end)
        if len(block) == self._there[name].bytes:  # from a store that gives whole files only
            block = block[start:end]
        if len(block) != end - start:
            message = f"{self._url.text}/{name} ended {end - start - len(block):,} bytes early"
            raise UserError(message, "Run the same command again; it goes on where it stopped.")
        return block

    def _each(self, work: Callable[[str], None], names: Sequence[str], what: str = "") -> None:
        """Do `work` for every file, several at once, and show how far it is where `what` says what it is. When one fails, no
        other is begun, and those under way are waited for."""
        if not names:
            return
        failed = threading.Event()
        progress = console.progress(what, len(names)) if what else nullcontext(lambda: None)

        def one(name: str) -> None:
            if not failed.is_set():
                with ExitStack() as failing:
                    failing.callback(failed.set)
                    work(name)
                    failing.pop_all()
                advance()

        with progress as advance, ThreadPool(AT_ONCE) as pool:  # of daemons: a command that is interrupted waits for none
            try:
                pool.map(one, names, chunksize=1)
            finally:
                self._save()

    def _upload_all(self, names: Sequence[str], what: str = "") -> None:
        """The identity first, which says what the others are of; the manifest, which says that they are there, last. A shard is
        taken to hold whatever the failures do not name, so they come after shards that gain samples and before new ones."""
        uploaded: dict[str, os.stat_result] = {}

        def upload(name: str) -> None:
            stat = self._paths.local(name).stat()  # before it is read: what takes its place meanwhile is uploaded again
            self._store.put(self._paths.local(name), name)
            uploaded[name] = stat

        known = {name for name in names if is_shard(name) and name in self._there}
        new = {name for name in names if is_shard(name)} - known
        try:
            for batch in ({IDENTITY}, known, {*names} - known - new - {IDENTITY, MANIFEST}, new, {MANIFEST}):
                self._each(upload, sorted(batch.intersection(names)), what)
        finally:
            strange = self._record(dict(uploaded)) if uploaded else []
        if strange:
            remedy = "Run the same command again; it uploads what is missing."
            raise UserError(f"{self._url.text} has not taken {', '.join(strange)} as uploaded: the size differs", remedy)

    def _record(self, uploaded: Mapping[str, os.stat_result]) -> list[str]:
        """Note that both sides have the same of these files; returns those of which the store has not."""
        self._list()
        strange: list[str] = []
        for name, stat in uploaded.items():
            there = self._there.get(name)
            if there is None or there.bytes != stat.st_size:
                strange.append(name)
            else:
                self._note(name, stat)
        self._save()
        return strange

    def _note(self, name: str, stat: os.stat_result) -> None:
        """Both sides have the same of this file, which has this size and time here."""
        self._ledger[name] = Synced(bytes=stat.st_size, mtime_ns=stat.st_mtime_ns, version=self._there[name].version)

    def _save(self) -> None:
        ledger = _Ledger(files=dict(self._ledger))
        atomic.write(self._paths.ledger, orjson.dumps(asdict(ledger)), durable=False)

    def _arriving(self, name: str, sha256: str | None = None) -> Path:
        there = self._there[name]
        return self._paths.arriving(name, f"{there.bytes} {there.version} {sha256}")


Manifest = BenchmarkManifest | EditManifest | ScoreManifest


def _told(names: Sized, size: int) -> str:
    return f"{counted(len(names), 'file')}, {decimal(size)},"


def _digests(manifest: Manifest) -> dict[str, str]:
    """The sha256 of each file that a manifest lists."""
    if not isinstance(manifest, ScoreManifest):
        return {entry.name: entry.sha256 for entry in manifest.shards}
    paths = ScorePaths(Path())
    others = {paths.audit: manifest.audit, paths.anchors: manifest.anchors}
    rows = {path.name: entry.sha256 for path, entry in others.items() if entry}
    return {paths.scores.name: manifest.sha256, **rows}
