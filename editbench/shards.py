"""Tar shards: write, index, read, check.

A sample is the run of members `KEY.EXTENSION` of a WebDataset shard. Shards are canonical: members sorted within a sample,
mtime 0, owner 0, mode 0644, USTAR, so equal input gives equal bytes. Reading is random access: a shard is indexed once by
its headers (about 14,000 members/s with `tarfile`), and a member is one `pread`.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from editbench import atomic
from editbench.errors import UserError
from editbench.paths import IMAGE_SUFFIXES, RECORD, REFERENCE, SOURCE

Members = Mapping[str, bytes]
"""A sample's files by extension, such as {"json": ..., "source.png": ...}."""


class Span(NamedTuple):
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A sample in a shard: where each of its members lies."""

    key: str
    shard: Path
    spans: Mapping[str, Span]

    def read(self, extension: str) -> bytes:
        """The member's bytes. Raises UserError when the shard has been cut short since it was indexed."""
        return self.head(extension, self.spans[extension].size)

    def head(self, extension: str, most: int) -> bytes:
        """The first `most` bytes of a member, or all of a shorter one. Raises UserError as `read` does."""
        span = self.spans[extension]
        wanted = min(span.size, most)
        with open(self.shard, "rb", buffering=0) as file:
            data = os.pread(file.fileno(), wanted, span.offset)
        if len(data) != wanted:
            raise UserError(f"{self.shard} ends inside {self.key}.{extension}", "Restore the shard or make it again.")
        return data

    def members(self) -> dict[str, bytes]:
        return {extension: self.read(extension) for extension in self.spans}

    def record(self) -> dict[str, Any]:
        """The member KEY.json. Raises UserError when it is missing or no JSON object."""
        try:
            record = orjson.loads(self.read(RECORD))
        except (KeyError, orjson.JSONDecodeError) as error:
            problem = "has no record" if isinstance(error, KeyError) else f"has a broken record ({error})"
            raise UserError(f"{self.shard}: sample {self.key} {problem}", "Make the shard again.") from None
        if not isinstance(record, dict):
            raise UserError(f"{self.shard}: {self.key}.{RECORD} is not a JSON object", "Make the shard again.")
        return record

    def images(self, kind: str) -> list[str]:
        """Extensions of the members `kind`, `kind`2, ...: `source` or `reference` pictures, in their order."""
        numbered = [
            (int(name[len(kind) :] or 1), extension)
            for extension in self.spans
            if (name := extension.partition(".")[0]).rstrip("0123456789") == kind
        ]
        return [extension for _, extension in sorted(numbered)]


def source_extension(suffix: str, number: int = 1, kind: str = SOURCE) -> str:
    """`source.png`, `source2.png`, `reference.jpg`: the name of a sample's picture member."""
    if suffix not in IMAGE_SUFFIXES or kind not in (SOURCE, REFERENCE):
        raise ValueError(f"no picture member for {kind} with suffix {suffix}")
    return f"{kind}{number if number > 1 else ''}.{suffix}"


def write_samples(file: BinaryIO, samples: Iterable[tuple[str, Members]]) -> None:
    """Append samples to `file` as one canonical tar, in the order given."""
    # Imported late: with torch installed, webdataset imports it (1.4 s), and a reader of shards needs neither.
    import webdataset

    with webdataset.TarWriter(file, encoder=False, mtime=0, user="", group="", mode=0o644) as tar:
        for key, members in samples:
            tar.write({"__key__": key, **members})


def write_shard(path: Path, samples: Iterable[tuple[str, Members]]) -> None:
    """Write a shard, whole or not at all. Raises OSError when the disk is full."""
    with atomic.writing(path) as file:
        write_samples(file, samples)


def pack(key: str, members: Members) -> bytes:
    """One sample as a tar."""
    buffer = io.BytesIO()
    write_samples(buffer, [(key, members)])
    return buffer.getvalue()


def index(path: Path) -> list[Stored]:
    """The samples of a shard, in order. Raises UserError when the file is missing, cut short or no tar."""
    spans: dict[str, dict[str, Span]] = {}
    try:
        size = path.stat().st_size
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                if not member.isfile():
                    continue
                key, _, extension = member.name.partition(".")
                spans.setdefault(key, {})[extension] = Span(member.offset_data, member.size)
                if member.offset_data + member.size > size:
                    raise tarfile.ReadError("it ends inside a member")
    except FileNotFoundError:
        raise UserError(f"no shard {path}", "Restore it or make it again.") from None
    except (tarfile.TarError, ValueError) as error:
        raise UserError(f"{path} is not a whole tar file: {error}", "Restore it or make it again.") from None
    if not ends_well(path):
        raise UserError(f"{path} has been cut short", "Restore it or make it again.")
    return [Stored(key, path, entry) for key, entry in spans.items()]


def ends_well(path: Path) -> bool:
    """Whether the file ends as a whole tar does: full blocks, two of them zero. O(1); sees a cut, not a flipped bit."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < 1024 or size % 512:
            return False
        file.seek(-1024, os.SEEK_END)
        return not any(file.read())


def sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class ShardEntry(NamedTuple):
    """What a manifest says of one shard."""

    name: str
    samples: int
    bytes: int
    sha256: str


def describe(paths: list[Path], counts: list[int]) -> list[ShardEntry]:
    """Manifest entries of shards on disk; hashes with two threads (hashing releases the GIL)."""
    with ThreadPoolExecutor(2) as pool:
        digests = pool.map(sha256, paths)
        return [
            ShardEntry(path.name, count, path.stat().st_size, digest)
            for path, count, digest in zip(paths, counts, digests, strict=True)
        ]


def check(folder: Path, entries: list[ShardEntry]) -> Iterator[str]:
    """One sentence for each shard of a manifest that is missing or differs from it."""
    with ThreadPoolExecutor(2) as pool:
        yield from filter(None, pool.map(lambda entry: _check_one(folder / entry.name, entry), entries))


def _check_one(path: Path, entry: ShardEntry) -> str:
    if not path.is_file():
        return f"{path} is missing"
    if (size := path.stat().st_size) != entry.bytes:
        return f"{path} has {size:,} bytes, its manifest says {entry.bytes:,}"
    if sha256(path) != entry.sha256:
        return f"{path} has other contents than its manifest says (sha256 differs)"
    return ""
