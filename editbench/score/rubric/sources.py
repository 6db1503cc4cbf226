"""The whole text of a rubric: its file, the rubric that it extends, and the texts that it takes from other files.

`resolve` gives one table and one text. The text is the file itself when it stands alone, and else the JSON of the table; either
can be read again anywhere, without the other files, and its digest changes with any of their wording.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import orjson

from editbench import files
from editbench.errors import UserError
from editbench.score import rubrics
from editbench.score.rubric.tables import meant

SUFFIX = ".toml"
EXTENDS = "extends"
LONGEST_CHAIN = 8
"""Rubrics that may extend each other, one after another."""
_HIDDEN = "_"  # files of the package that are no rubric: the template


@dataclass(frozen=True, slots=True)
class Source:
    """A rubric's file: what messages call it, its text, and the folder that its paths start from."""

    where: str
    text: str
    folder: Path
    unique: str = ""
    """The name of a shipped rubric, or a file's path with links and `..` resolved: one name for one source."""


@dataclass(frozen=True, slots=True)
class ResolvedSource:
    """A rubric's file with all that it refers to. `origins`: by the path of a key, its file where that is not `where`."""

    where: str
    values: dict[str, Any]
    text: str
    origins: dict[str, str] = field(default_factory=dict)

    def origin(self, path: str) -> str:
        """The file that the key with this path was read from."""
        return self.origins.get(path, self.where)


def names() -> tuple[str, ...]:
    """The rubrics that come with editbench."""
    shipped_files = (entry.name for entry in resources.files(rubrics).iterdir())
    return tuple(sorted(name.removesuffix(SUFFIX) for name in shipped_files if name.endswith(SUFFIX) and name[0] != _HIDDEN))


def shipped(name: str) -> str:
    """The text of a file in the package."""
    return (resources.files(rubrics) / f"{name}{SUFFIX}").read_text("utf-8")


def find(name_or_path: str, folder: Path) -> Source:
    """A shipped rubric by name, or a file by its path, which starts from `folder`. Raises UserError."""
    if name_or_path.endswith(SUFFIX) or Path(name_or_path).name != name_or_path:
        path = _path(name_or_path, folder)
        text = _read(path, f"Shipped rubrics: {', '.join(names())}.")
        return Source(str(path), text, path.parent, str(path.resolve()))
    if name_or_path not in names():
        raise UserError(
            f"there is no rubric {name_or_path!r}",
            f"{meant(name_or_path, names())}Shipped: {', '.join(names())}. Your own: the path of a {SUFFIX} file.",
        )
    return Source(f"{name_or_path}{SUFFIX}", shipped(name_or_path), Path(), name_or_path)


def resolve(source: Source, extended: tuple[str, ...] = ()) -> ResolvedSource:
    """A source with all that it refers to. Raises UserError for a file that can't be read, and for a circle or a long chain."""
    own = _parse(source)
    base = _base(own, source, extended)
    inlined = _inline(own, source)
    if base is None:
        text = source.text if inlined == own else orjson.dumps(inlined).decode()
        return ResolvedSource(source.where, inlined, text)
    origins = {path: base.origin(path) for path in _leaves(base.values)}
    for path in _leaves(inlined):
        origins.pop(path, None)
    values = _merge(base.values, {key: value for key, value in inlined.items() if key != EXTENDS})
    return ResolvedSource(source.where, values, orjson.dumps(values).decode(), origins)


def _parse(source: Source) -> dict[str, Any]:
    try:
        # What `resolve` wrote is JSON; no TOML starts so.
        values = orjson.loads(source.text) if source.text.startswith("{") else tomllib.loads(source.text)
        orjson.dumps(values)
        return values
    except orjson.JSONEncodeError as error:
        raise UserError(f"{source.where} is nested too deeply, or has a number that is too large: {error}") from None
    except (ValueError, RecursionError) as error:  # of either format
        raise UserError(f"{source.where} is not TOML: {error}", "Mend the file.") from None


def _base(own: Mapping[str, Any], source: Source, extended: tuple[str, ...]) -> ResolvedSource | None:
    if EXTENDS not in own:
        return None
    if not isinstance(own[EXTENDS], str):
        raise UserError(f"{source.where}: {EXTENDS}: must be a rubric's name or file, not {own[EXTENDS]!r:.60}")
    if source.unique in extended or len(extended) == LONGEST_CHAIN:
        problem = "goes round in a circle" if source.unique in extended else f"is a chain of more than {LONGEST_CHAIN} files"
        raise UserError(f"{source.where}: {EXTENDS}: {problem}", "Extend a rubric that stands by itself.")
    return resolve(find(own[EXTENDS], source.folder), (*extended, source.unique))


def _inline(value: Any, source: Source) -> Any:
    """The value with every {file = ...} in it replaced by {text = ...}."""
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("file"), str) and value.keys() <= {"file", "placeholders"}:
        text = _read(_path(value["file"], source.folder), f"{source.where} takes a text from it.")
        return {"text": text, **{key: entry for key, entry in value.items() if key != "file"}}
    return {key: _inline(entry, source) for key, entry in value.items()}


def _merge(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of both tables, the own ones first: inner tables are merged too, but not texts with their placeholders."""
    merged = dict(base)
    for key, value in own.items():
        inherited = base.get(key)
        if isinstance(value, dict) and isinstance(inherited, dict) and not isinstance(value.get("text"), str):
            value = _merge(inherited, value)
        merged[key] = value
    return merged


def _leaves(values: Mapping[str, Any], path: str = "") -> list[str]:
    """The paths of all keys that hold no table."""
    return [
        leaf
        for key, value in values.items()
        for leaf in (_leaves(value, f"{path}{key}.") if isinstance(value, dict) else [f"{path}{key}"])
    ]


def _path(name: str, folder: Path) -> Path:
    try:
        path = folder / Path(name).expanduser()
        path.resolve()
    except (RuntimeError, ValueError, OSError) as error:  # no such user, a zero byte, a circle of links
        raise UserError(f"{name!r} is no path of a file: {error}", "Name a file.") from None
    return path


def _read(path: Path, remedy: str) -> str:
    try:
        return files.read(path, remedy).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8: byte {error.start}", "Save it as UTF-8.") from None
