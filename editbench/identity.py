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

from editbench import atomic
from editbench.errors import IdentityError, UserError

SCHEMA = 1
"""Version of the files on disk. A change that an older editbench would misread raises it."""


def digest(value: Any) -> str:
    """sha256 of the canonical JSON of `value`."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def make(stage: str, **parts: Any) -> dict[str, Any]:
    """The identity of a stage's results: `parts` are JSON values."""
    # Through JSON, so that it compares equal to what is read back (a tuple is a list there).
    identity = orjson.loads(orjson.dumps({"stage": stage, "schema": SCHEMA, **parts}))
    return {**identity, "digest": digest(identity)}


def settle(path: Path, identity: dict[str, Any]) -> None:
    """Write `identity` to `path` unless it is there. `compare` comes first."""
    if not path.exists():
        atomic.write(path, orjson.dumps(identity, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def compare(path: Path, identity: dict[str, Any], *, remedy: str) -> None:
    """Make sure that `path` holds the same identity.

    Raises:
        IdentityError: other settings made this folder; names each that differs.
        UserError: the file can't be read.
    """
    there = load(path)
    if there.get("digest") != identity["digest"]:
        rows = list(differences(there, identity))
        raise IdentityError(f"{path.parent} holds results of other settings", remedy, rows)


def load(path: Path) -> dict[str, Any]:
    """A JSON object of ours. Raises UserError when it is missing, broken, or of a newer schema."""
    try:
        value = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"no {path.name} in {path.parent}", "Is this the right folder, and is the stage finished?") from None
    except orjson.JSONDecodeError as error:
        raise UserError(f"{path} is not JSON: {error}", "Restore it or make the folder again.") from None
    if not isinstance(value, dict) or value.get("schema", SCHEMA) != SCHEMA:
        raise UserError(f"{path} is of another schema than {SCHEMA}", "Use the editbench version that made it.")
    return value


def differences(there: Mapping[str, Any], asked: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Rows (setting, there, asked) for every leaf that differs."""
    left, right = dict(_leaves(there)), dict(_leaves(asked))
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
