"""What a result depends on, and the refusal to mix results of different settings.

`identity.json` holds everything that decides the bytes of a stage's results, and their digest. Nothing that may differ between
two equal runs (paths, hosts, times, library versions) belongs into it; those go to `environment.json` beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from editbench import files
from editbench.errors import IdentityError, UserError


def digest(value: Any) -> str:
    """sha256 of the canonical JSON of `value`."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def make(stage: str, **parts: Any) -> dict[str, Any]:
    """The identity of a stage's results: `parts` are JSON values."""
    # Through JSON, so that it compares equal to what is read back (a tuple is a list there).
    identity = orjson.loads(orjson.dumps({"stage": stage, "schema": files.SCHEMA, **parts}))
    return {**identity, "digest": digest(identity)}


def settle(path: Path, identity: dict[str, Any]) -> None:
    """Write `identity` to `path` unless it is there. `compare` comes first."""
    if not path.exists():
        files.dump(path, identity)


def compare(path: Path, identity: dict[str, Any], *, remedy: str) -> None:
    """Make sure that `path` holds the same identity.

    Raises:
        IdentityError: other settings made this folder; names each that differs.
        UserError: the file can't be read.
    """
    stored = load(path)
    if stored.get("digest") != identity["digest"]:
        rows = list(differences(stored, identity))
        raise IdentityError(f"{path.parent} holds results of other settings", remedy, rows)


def load(path: Path) -> dict[str, Any]:
    """The identity in `path`. Raises UserError when it is missing, broken, of another schema, or not what its digest says."""
    remedy = "Restore it, or start over with another --out."
    if not path.exists():
        raise UserError(f"no {path.name} in {path.parent}", "Is this the right folder?")
    stored = files.versioned(path, remedy)
    if stored.get("digest") != digest({name: value for name, value in stored.items() if name != "digest"}):
        raise UserError(f"{path} was changed: its digest is not that of its contents", remedy)
    return stored


def differences(stored: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Rows (setting, stored, asked) for every setting that differs."""
    left, right = dict(_leaves(stored)), dict(_leaves(asked))
    for name in sorted(left.keys() | right.keys()):
        if left.get(name) != right.get(name) and name != "digest":
            yield name, shown(left.get(name)), shown(right.get(name))


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else key)
    else:
        yield name, value


def shown(value: Any) -> str:
    """A setting as a table shows it: blanks around a text stand in quotes, a long text is cut and told apart by its digest."""
    text = (
        "-" if value is None else value if isinstance(value, str) and value.strip() == value else orjson.dumps(value).decode()
    )
    return text if len(text) <= 60 else f"{text[:40]}... ({digest(value)[:8]})"
