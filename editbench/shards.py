"""Tar shards: write, index, read, check.

A sample is the run of members `KEY.EXTENSION` of a WebDataset shard. Shards are canonical: members sorted within a sample,
mtime 0, owner 0, mode 0644, USTAR, so equal input gives equal bytes. Reading is random access: a shard is indexed once by
its headers (about 14,000 members/s with `tarfile`), and a member is one `pread`.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, BinaryIO, NamedTuple

from msgspec import Meta

from editbench import atomic, files
from editbench.errors import UserError
from editbench.paths import EDITED, IMAGE_SUFFIXES, MASK, RECORD, REFERENCE, SOURCE, Folder, is_key
from editbench.wording import counted

Members = Mapping[str, bytes]
"""A sample's files by extension, such as {"json": ..., "source.png": ...}."""

EDITED_KIND = EDITED.partition(".")[0]
"""KEY.edited.png; an edit that was imported may be KEY.edited.jpg or .webp."""

_EXTENSION = re.compile(r"[a-z_]{1,32}[0-9]{0,3}(?:\.[a-z0-9]{1,8})?")


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
        with files.opened(self.shard) as file:
            data = os.pread(file.fileno(), wanted, span.offset)
        if len(data) != wanted:
            raise UserError(f"{self.shard} ends inside {self.key}.{extension}", "Restore the shard or make it again.")
        return data

    def members(self) -> dict[str, bytes]:
        return {extension: self.read(extension) for extension in self.spans}

    def record(self) -> dict[str, Any]:
        """The member KEY.json. Raises UserError when it is missing, no JSON object, or of another key."""
        where, remedy = f"{self.shard}: {self.key}.{RECORD}", "Make the shard again."
        if RECORD not in self.spans:
            raise UserError(f"{self.shard}: sample {self.key} has no {RECORD}", remedy)
        record = files.parse(self.read(RECORD), where, remedy)
        if record.get("key") != self.key:
            raise UserError(f"{where} is the record of {str(record.get('key'))[:100]!r}", remedy)
        return record

    def images(self, kind: str) -> list[str]:
        """Extensions of the members `kind`, `kind`2, ...: `source` or `reference` pictures, in their order. Raises UserError
        when two have one number."""
        numbered: dict[int, str] = {}
        for extension in self.spans:
            name = extension.partition(".")[0]
            if name.rstrip("0123456789") != kind:
                continue
            number = int(name[len(kind) :] or 1)
            if number in numbered:
                message = f"{self.shard}: {self.key} has two pictures of one number: {numbered[number]} and {extension}"
                raise UserError(message, "Make the shard again.")
            numbered[number] = extension
        return [numbered[number] for number in sorted(numbered)]

    @property
    def edited(self) -> str | None:
        """Extension of the member with the edited picture; None where there is none. Raises UserError when there are two."""
        return next(iter(self.images(EDITED_KIND)), None)


def source_extension(suffix: str, number: int = 1, kind: str = SOURCE) -> str:
    """`source.png`, `source2.png`, `reference.jpg`, `edited.webp`: the name of a sample's picture member."""
    if suffix not in IMAGE_SUFFIXES or kind not in (SOURCE, REFERENCE, MASK, EDITED_KIND):
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


class _BadMember(ValueError):
    """What is wrong with a member of a shard."""


def index(path: Path) -> list[Stored]:
    """The samples of a shard, in order.

    Raises:
        UserError: the file is missing, can't be read, is cut short or no tar; or a member is no plain file, has a name that is
            not KEY.EXTENSION, comes twice, or stands apart from the others of its sample. Names the shard and the member.
    """
    remedy = "Restore it or make it again."
    if not path.exists():
        raise UserError(f"no shard {path}", remedy)
    try:
        with files.opened(path, remedy) as file, tarfile.open(fileobj=file, mode="r:") as tar:
            samples = _samples(tar, os.fstat(file.fileno()).st_size)
    except _BadMember as error:
        raise UserError(f"{path}: {error}", remedy) from None
    except (tarfile.TarError, ValueError, RecursionError) as error:  # RecursionError: long names of long names of ...
        raise UserError(f"{path} is not a whole tar file: {error}", remedy) from None
    if not ends_well(path):
        raise UserError(f"{path} has been cut short", remedy)
    return [Stored(key, path, spans) for key, spans in samples.items()]


def _samples(tar: tarfile.TarFile, size: int) -> dict[str, dict[str, Span]]:
    """By key and extension, where each member of a tar file of `size` bytes lies. Raises _BadMember."""
    samples: dict[str, dict[str, Span]] = {}
    for member in tar:
        key, _, extension = member.name.partition(".")
        if not (is_key(key) and _EXTENSION.fullmatch(extension)):
            raise _BadMember(f"member {member.name[:100]!r} is not named KEY.EXTENSION")
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            raise _BadMember(f"{member.name} is not a plain file")
        if not 0 <= member.size <= size - member.offset_data:
            raise _BadMember(f"it ends inside {member.name}")
        if key in samples and key != next(reversed(samples)):
            raise _BadMember(f"key {key} comes twice")
        spans = samples.setdefault(key, {})
        if extension in spans:
            raise _BadMember(f"{member.name} comes twice")
        spans[extension] = Span(member.offset_data, member.size)
    return samples


def open_listed(folder: Folder, entries: Sequence[ShardEntry], *, verify: bool, remedy: str) -> list[Stored]:
    """The samples of the shards that a manifest lists, in order.

    With `verify` the shards are hashed first. Without it their samples are counted, and keys are compared, all the same.

    Raises:
        UserError: a shard is missing, is not what the manifest says, or can't be indexed; a key that occurs twice. Names the
            shard and the key.
    """
    if verify and (problems := list(check(folder, entries))):
        raise UserError("; ".join(problems), remedy)
    samples: dict[str, Stored] = {}
    for entry in entries:
        stored = index(folder.listed(entry.name))
        if len(stored) != entry.samples:
            there = f"{folder.listed(entry.name)} holds {counted(len(stored), 'sample')}"
            message = f"{there}, {folder.manifest.name} says {entry.samples}"
            raise UserError(message, remedy)
        for sample in stored:
            if (first := samples.setdefault(sample.key, sample)) is not sample:
                raise UserError(f"{sample.shard}: key {sample.key} is taken by a sample of {first.shard.name}", remedy)
    return [*samples.values()]


def ends_well(path: Path) -> bool:
    """Whether the file ends as a whole tar does: full blocks, two of them zero. O(1); sees a cut, not a flipped bit."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < 1024 or size % 512:
            return False
        file.seek(-1024, os.SEEK_END)
        return not any(file.read())


def sha256(path: Path) -> str:
    """Of a regular file, in hexadecimal. Raises UserError when it can't be read."""
    with files.opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardEntry:
    """What a manifest says of one shard."""

    name: str
    samples: Annotated[int, Meta(ge=1)]
    bytes: Annotated[int, Meta(ge=0)]
    sha256: str


def describe(paths: Sequence[Path], counts: Sequence[int]) -> list[ShardEntry]:
    """Manifest entries of shards on disk; hashes with two threads (hashing releases the GIL)."""
    with ThreadPoolExecutor(2) as pool:
        digests = pool.map(sha256, paths)
        return [
            ShardEntry(name=path.name, samples=count, bytes=path.stat().st_size, sha256=digest)
            for path, count, digest in zip(paths, counts, digests, strict=True)
        ]


def check(folder: Folder, entries: Sequence[ShardEntry]) -> Iterator[str]:
    """One sentence for each shard of a manifest that is missing or differs from it. Raises UserError for one that can't be
    read."""
    with ThreadPoolExecutor(2) as pool:
        yield from filter(None, pool.map(lambda entry: difference(folder.listed(entry.name), entry), entries))


def difference(path: Path, entry: ShardEntry) -> str:
    """How the shard differs from what its manifest says, in a sentence; "" when it does not. Raises UserError as `check`."""
    if not path.is_file():
        return f"{path} is missing"
    if (size := path.stat().st_size) != entry.bytes:
        return f"{path} has {size:,} bytes, its manifest says {entry.bytes:,}"
    if sha256(path) != entry.sha256:
        return f"{path} has other contents than its manifest says (sha256 differs)"
    return ""
