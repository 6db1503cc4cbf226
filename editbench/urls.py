"""URLs of folders in a store. What they hold of credentials stays in memory."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from editbench.errors import UserError

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(?:([^/]*)@)?([^/@]*)(/.*)?", re.DOTALL)
_CREDENTIALS = "Leave credentials out of the URL: stores read them from the environment, such as AWS_ACCESS_KEY_ID."


def is_url(text: str) -> bool:
    """Whether `text` is meant as a URL, not as a path."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*(::[^/]*)?://", text) is not None


def redacted(text: str) -> str:
    """`text` without the user, password and query of the URLs in it."""
    return re.sub(r"(\w://[^\s?'\"]*)\?[^\s'\"]*", r"\1", re.sub(r"(\w://)[^/\s]*@", r"\1", text))


@dataclass(frozen=True, slots=True)
class Url:
    """The URL of a folder, with no slash at its end. `text` is without credentials, and may be shown and kept."""

    text: str
    credentials: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str) -> Url:
        """Raises UserError, which does not repeat credentials, for what is no URL of a folder."""
        match = _URL.fullmatch(text)
        if match is None or "::" in text:
            raise UserError(f"{redacted(text)} is no URL of a folder", "Give for example s3://bucket/edits.")
        scheme, credentials, host, path = match.groups(default="")
        if ":" in host and not re.fullmatch(r"[^:]+:[0-9]+", host):  # else what follows may be a secret with a slash in it
            raise UserError(f"a {scheme}:// URL has a colon in its host that starts no port", _CREDENTIALS)
        parts = [part for part in path.split("/") if part]
        plain = f"{scheme}://{'/'.join([host, *parts])}"
        if not (host or parts) or {".", ".."} & {host, *parts} or not plain.isprintable():
            raise UserError(f"{plain!r} is no URL of a folder", "Give for example s3://bucket/edits.")
        if re.search(r"[?#]", plain):
            raise UserError(f"{re.split('[?#]', plain)[0]}: a folder's URL has no ? and no #", _CREDENTIALS)
        if scheme in ("file", "local") and host:
            raise UserError(f"{plain} has a host", f"Give an absolute path: {scheme}:///{host}/...")
        return cls(plain, credentials)

    @property
    def scheme(self) -> str:
        return self.text.partition("://")[0]

    @property
    def full(self) -> str:
        scheme, _, rest = self.text.partition("://")
        return f"{scheme}://{self.credentials}@{rest}" if self.credentials else self.text

    def hide(self, text: str) -> str:
        """`text`, which may be a store's message, without the credentials."""
        password = self.credentials.partition(":")[2]
        for secret in filter(None, (self.credentials, password, unquote(password))):
            text = text.replace(secret, "***")
        return redacted(text)
