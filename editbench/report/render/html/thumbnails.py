"""Small WebP copies of the pictures, made once for equal bytes, in threads (Pillow decodes and encodes without the GIL).

A page holds its pictures itself as long as they stay under a limit, at the larger size if that fits; beyond it they go into a
folder beside the page. On one core of a 2-core CPU a 1024 x 1024 PNG takes 33 ms at
512 pixels (28 kB) and 29 ms at 320 (13 kB), 22 of them to inflate it; a JPEG, which is decoded at half its size or less, takes
10 and 8 ms.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TypeVar

from PIL import Image, ImageOps

from editbench import atomic, console, images
from editbench.errors import UserError
from editbench.paths import ReportPaths
from editbench.report.render.html.pictures import StoredPicture
from editbench.threads import in_threads

EDGES = (512, 320)
"""Pixels of the longer side of a picture in the page, the preferred one first."""
FULL = 1024
LIMIT = 24_000_000
"""Bytes of pictures that a page holds itself."""

_QUALITY = 75
_METHOD = 2  # of 512 pixels: 8 ms; 0 takes 5 ms for 15 % more bytes, 4 (the default) 20 ms for 4 % fewer
_NAME = 24  # hexadecimal digits of the sha256: no two of 10^9 pictures share them
_LEAST = 2_000  # bytes; no photograph at 320 pixels is smaller, so that more pictures than limit / this need not be weighed
_WEIGHED = 48  # pictures that the size of all is estimated from

Item = TypeVar("Item")
Result = TypeVar("Result")
_NamedPicture = tuple[str, StoredPicture]


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """The small copies of some pictures, and where they are."""

    edge: int
    """Pixels of the longer side."""
    names: Sequence[str | None]
    """For each picture the start of the sha256 of its bytes; None where it can't be read."""
    embedded: Mapping[str, bytes] | None
    """WebP by name; None when they lie in the folder."""
    unreadable: Sequence[str] = field(default=())
    """A sentence on each picture that can't be read."""


def make(pictures: Sequence[StoredPicture], paths: ReportPaths, *, limit: int = LIMIT, full: bool = False) -> Thumbnails:
    """Thumbnails of `pictures`; with `full`, also a file of FULL pixels each in the folder beside the page.

    A terminal shows how far it is, and elsewhere a line tells it now and then.

    Raises:
        OSError: the disk is full.
    """
    maker = _Maker(paths)
    if len(pictures) > limit // _LEAST:
        return maker.stored(pictures, (EDGES[0], FULL) if full else EDGES[:1])
    thumbnails = maker.embedded(pictures, limit) or maker.stored(pictures, EDGES[:1])
    if full:
        maker.stored(pictures, (FULL,))
    return thumbnails


def remove_others(paths: ReportPaths, wanted: set[Path]) -> None:
    """Remove the pictures of an earlier report into the same folder."""
    for path in set(paths.all_pictures()) - wanted:
        path.unlink(missing_ok=True)


def encode(data: bytes, name: str, edge: int) -> bytes:
    """A WebP whose longer side has at most `edge` pixels. Raises UserError when `data` is no whole picture."""
    image = _decode(data, name, edge)
    # Whole steps by averaging, the rest by a filter: 1 ms where filtering from twice the size takes 8.
    image.thumbnail((edge, edge), Image.Resampling.BICUBIC, reducing_gap=1.0)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=_QUALITY, method=_METHOD)
    return buffer.getvalue()


def _decode(data: bytes, name: str, edge: int) -> Image.Image:
    if images.suffix(data, name) == "jpg":
        try:
            with Image.open(io.BytesIO(data), formats=images.FORMATS) as image:
                image.draft("RGB", (edge, edge))
                return ImageOps.exif_transpose(image).convert("RGB")
        except images.UNREADABLE:
            pass  # decode() says what is wrong with it
    return images.decode(data, name)


@dataclass(slots=True)
class _Maker:
    """Encodes pictures in threads, and remembers those that can't be read."""

    paths: ReportPaths
    broken: dict[str, str] = field(default_factory=dict)
    """A sentence on each picture that can't be read, by name."""
    claimed: set[str] = field(default_factory=set)
    """Names that a thread has taken on: two would write one file at once."""
    lock: Lock = field(default_factory=Lock)

    def embedded(self, pictures: Sequence[StoredPicture], limit: int) -> Thumbnails | None:
        """Thumbnails in memory, at the largest size that stays under the limit; None when none does."""
        names = list(_map(lambda picture: _digest(picture.read()), pictures, "reading pictures"))
        first = dict(zip(reversed(names), reversed(pictures), strict=True))
        unique = {name: first[name] for name in dict.fromkeys(names)}
        for edge in EDGES:
            encode_named = partial(self._encode, edge)
            if self._estimate(list(unique.items()), encode_named) > limit:
                continue
            encoded = _map(encode_named, list(unique.items()), "thumbnails")
            embedded = {name: data for name, data in zip(unique, encoded, strict=True) if data is not None}
            if sum(map(len, embedded.values())) <= limit:
                return self._thumbnails(names, edge, embedded)
        return None

    def stored(self, pictures: Sequence[StoredPicture], edges: Sequence[int]) -> Thumbnails:
        """Thumbnails as files; an existing one is not made again, for its name tells its contents."""
        self.claimed.clear()
        names = list(_map(lambda picture: self._store(picture, edges), pictures, "thumbnails"))
        return self._thumbnails(names, edges[0], None)

    def _thumbnails(self, names: Sequence[str], edge: int, embedded: Mapping[str, bytes] | None) -> Thumbnails:
        known = [None if name in self.broken else name for name in names]
        return Thumbnails(edge, known, embedded, sorted(self.broken.values()))

    def _estimate(self, unique: Sequence[_NamedPicture], encode_named: Callable[[_NamedPicture], bytes | None]) -> float:
        """Bytes of all thumbnails, from those of a few."""
        chosen = unique[:: -(-len(unique) // _WEIGHED) or 1]
        sizes = [len(data) for data in in_threads(encode_named, chosen, _processors()) if data]
        return len(unique) * sum(sizes) / len(sizes) if sizes else 0.0

    def _encode(self, edge: int, named: _NamedPicture) -> bytes | None:
        name, picture = named
        return self._try(name, picture.read(), picture, edge)

    def _store(self, picture: StoredPicture, edges: Sequence[int]) -> str:
        data = picture.read()
        name = _digest(data)
        with self.lock:
            if name in self.claimed:
                return name
            self.claimed.add(name)
        for edge in edges:
            path = self.paths.picture(name, edge)
            if not path.exists() and (encoded := self._try(name, data, picture, edge)):
                path.parent.mkdir(parents=True, exist_ok=True)
                atomic.write(path, encoded, durable=False)
        return name

    def _try(self, name: str, data: bytes, picture: StoredPicture, edge: int) -> bytes | None:
        try:
            return encode(data, picture.name, edge)
        except UserError as error:
            self.broken[name] = str(error)
            return None


def _map(function: Callable[[Item], Result], items: Sequence[Item], what: str) -> Iterator[Result]:
    """Results in the items' order."""
    with console.progress(what, len(items)) as advance:
        for result in in_threads(function, items, _processors()):
            yield result
            advance()


def _processors() -> int:
    return len(os.sched_getaffinity(0))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_NAME]
