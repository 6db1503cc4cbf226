"""A folder in a store, by way of fsspec: list, read ranges, write and remove whole files.

Whatever goes wrong there is one UserError that names the URL and hides credentials.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from editbench.errors import EditbenchError, UserError
from editbench.urls import Url

_VERSIONS = ("ETag", "etag", "md5Hash", "blob_id", "mtime", "created", "LastModified", "last_modified")
"""What the stores call that which changes with a file's contents, the surest first."""


class Remote(NamedTuple):
    """A file in the store. `version` changes when it is written again; "" where the store tells nothing."""

    bytes: int
    version: str


@dataclass(frozen=True, slots=True)
class Store:
    url: Url
    system: Any
    """fsspec's AbstractFileSystem."""
    root: str

    @classmethod
    def open(cls, url: Url) -> Store:
        """Raises UserError where the store's package is missing."""
        import fsspec

        check_backend(url.scheme)
        options = {"auto_mkdir": True} if url.scheme in ("file", "local") else {}
        with _translated(url, "open"):
            system, root = fsspec.core.url_to_fs(url.full, **options)
        return cls(url, system, root.rstrip("/"))

    def listing(self, *folders: str) -> dict[str, Remote]:
        """The files in the folder and in these folders of it, by their name as seen from it. None where there is no folder."""
        listed: dict[str, Remote] = {}
        self.system.invalidate_cache()
        for prefix in ("", *(f"{folder}/" for folder in folders)):
            with _translated(self.url, "list"):
                entries = self._entries(f"{self.root}/{prefix}".rstrip("/"))
            files = ((entry["name"].rpartition("/")[2], entry) for entry in entries if entry["type"] == "file")
            listed |= {f"{prefix}{name}": _remote(entry) for name, entry in files if name}
        return listed

    def _entries(self, path: str) -> list[dict[str, Any]]:
        try:
            return self.system.ls(path, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def read(self, name: str, start: int, end: int) -> bytes:
        """Bytes [start, end) of a file; the whole file from a store that can't give ranges."""
        with _translated(self.url, "read", name):
            return self.system.cat_file(self._path(name), start=start, end=end)

    def put(self, local: Path, name: str) -> None:
        """Write a file, whole."""
        with _translated(self.url, "write", name):
            self.system.put_file(str(local), self._path(name))

    def remove(self, name: str) -> None:
        """Remove a file; one that is gone already is fine."""
        with _translated(self.url, "remove", name):
            try:
                self.system.rm_file(self._path(name))
            except FileNotFoundError:
                return

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"


def check_backend(scheme: str) -> None:
    """Raises UserError where fsspec does not know such URLs, or the package for them is missing."""
    from fsspec.registry import get_filesystem_class, known_implementations

    try:
        get_filesystem_class(scheme)
    except ValueError:
        raise UserError(f"no store is known for {scheme}:// URLs", "Give for example s3://bucket/edits.") from None
    except ImportError as error:
        package = known_implementations[scheme]["class"].partition(".")[0]
        install = {"s3fs": "'editbench[s3]'", "fsspec": "what it names"}.get(package, package)
        raise UserError(f"{scheme}:// URLs need another package: {error}", f"pip install {install}") from None


def _remote(entry: Mapping[str, Any]) -> Remote:
    version = next((str(entry[name]) for name in _VERSIONS if entry.get(name)), "")
    return Remote(entry["size"] or 0, version)


@contextmanager
def _translated(url: Url, doing: str, name: str = "") -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if isinstance(error, EditbenchError) or _is_bug(error):  # the first: an interruption
            raise
        said = url.hide(f"{type(error).__name__}: {' '.join(str(error).split())}")
        where = f"{url.text}/{name}".rstrip("/")
        remedy = "Are the URL and the credentials right? The same command goes on where it stopped."
        raise UserError(f"can't {doing} {where}: {said}", remedy) from None


def _is_bug(error: Exception) -> bool:
    """Whether `error` is a bug, ours or of a store's package, and does not say that the store failed.

    The packages' errors have no base but Exception in common: neither botocore's NoCredentialsError, aiohttp's
    ClientPayloadError, gcsfs's HttpError nor google.auth's GoogleAuthError has another. But their classes are their own. Of
    Python's, packages raise OSError (s3fs translates most of S3's answers to it), ValueError for what can't be asked for, and
    NotImplementedError where a store can't be written; a TypeError or KeyError is a bug.
    """
    return type(error).__module__ == "builtins" and not isinstance(error, OSError | ValueError | NotImplementedError)
