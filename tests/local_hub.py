"""A model hub on this machine, as much of its API as downloads use: `with Hub(folder) as hub`, then HF_ENDPOINT=hub.url.

`folder` holds OWNER/NAME/... as published. Faults are switched on and off while it runs.
"""

from __future__ import annotations

import hashlib
import json
import threading
import urllib.parse
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Hub:
    """`faults`: `gated` (files only with a token), `down` (503), `broken` (weights end in the middle).

    `tags`: of every repository. `sent`: how many times each file of a repository was sent whole or in part, by its path in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.faults, self.sent = folder, set[str](), Counter[str]()
        self.tags: list[str] = []
        hub = self

        class Handler(_Handler):
            def do_GET(self) -> None:
                hub._answer(self)

            do_HEAD = do_GET  # noqa: N815

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Hub:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def commit(self, repository: str) -> str:
        """Of what the repository holds now."""
        return hashlib.sha1(repr([(path, _digest(file)) for path, file in self._files(repository)]).encode()).hexdigest()

    def _files(self, repository: str) -> list[tuple[str, Path]]:
        root = self.folder / repository
        return [(path.relative_to(root).as_posix(), path) for path in sorted(root.rglob("*")) if path.is_file()]

    def _answer(self, request: _Handler) -> None:
        parts = urllib.parse.unquote(urllib.parse.urlparse(request.path).path).strip("/").split("/")
        if "down" in self.faults:
            return request.reply(503)
        if parts[:2] == ["api", "models"]:
            return self._describe(request, "/".join(parts[2:4]), parts[4:])
        return self._send(request, "/".join(parts[:2]), "/".join(parts[4:]))

    def _describe(self, request: _Handler, repository: str, rest: list[str]) -> None:
        if not (self.folder / repository).is_dir():
            return request.refuse(404, "RepoNotFound")
        if rest[:1] == ["revision"] and rest[1] not in ("main", self.commit(repository)):
            return request.refuse(404, "RevisionNotFound")
        gated = "gated" in self.faults
        if rest == ["auth-check"] and gated and not request.headers.get("authorization"):
            return request.refuse(403, "GatedRepo")
        if rest[:1] == ["tree"]:
            return request.reply_json([_listed(path, file) for path, file in self._files(repository)])
        names = [{"rfilename": path, "size": file.stat().st_size} for path, file in self._files(repository)]
        common = {"_id": "1", "id": repository, "private": False, "gated": gated and "auto", "downloads": 1, "likes": 1}
        return request.reply_json({**common, "tags": self.tags, "sha": self.commit(repository), "siblings": names})

    def _send(self, request: _Handler, repository: str, path: str) -> None:
        file = self.folder / repository / path
        if "gated" in self.faults and not request.headers.get("authorization"):
            return request.refuse(403, "GatedRepo")
        if not file.is_file():
            return request.refuse(404, "EntryNotFound")
        data = file.read_bytes()
        headers = {"ETag": f'"{_digest(file)}"', "X-Repo-Commit": self.commit(repository), "Accept-Ranges": "bytes"}
        if request.command == "GET":
            self.sent[path] += 1
            if "broken" in self.faults and _large(file):
                return request.reply(200, data, sent=len(data) // 2, **headers)
        return request.reply(200, data, **headers)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Tests look at what was sent, not at a log."""

    def reply(self, status: int, body: bytes = b"", *, sent: int | None = None, **headers: str) -> None:
        """`sent`: only so many bytes of `body`, and then the connection ends."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:sent])
        self.close_connection = sent is not None

    def reply_json(self, value: Any) -> None:
        self.reply(200, json.dumps(value).encode(), **{"Content-Type": "application/json"})

    def refuse(self, status: int, code: str) -> None:
        self.reply(status, b"{}", **{"X-Error-Code": code, "X-Error-Message": code})


def _large(file: Path) -> bool:
    return file.suffix in (".safetensors", ".bin")


def _digest(file: Path) -> str:
    return (hashlib.sha256 if _large(file) else hashlib.sha1)(file.read_bytes()).hexdigest()


def _listed(path: str, file: Path) -> dict[str, Any]:
    size = file.stat().st_size
    large = {"lfs": {"oid": _digest(file), "size": size, "pointerSize": 130}} if _large(file) else {}
    return {"type": "file", "oid": hashlib.sha1(path.encode()).hexdigest(), "size": size, "path": path, **large}
