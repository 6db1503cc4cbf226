"""The whole text of a rubric: its file, the rubric that it extends, and the texts that it takes from other files.

`whole` gives one table and one text. The text is the file itself when it stands alone, and else the JSON of the table; either
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

from editbench.errors import UserError
from editbench.score import rubrics
from editbench.score.tables import meant

SUFFIX = ".toml"
EXTENDS = "extends"
_HIDDEN = "_"  # files of the package that are no rubric: the template


@dataclass(frozen=True, slots=True)
class Source:
    """A rubric's file: what messages call it, its text, and the folder that its paths start from."""

    where: str
    text: str
    folder: Path


@dataclass(frozen=True, slots=True)
class Whole:
    """`origins`: by the path of a key, the file that it comes from where that is not `where`."""

    where: str
    values: dict[str, Any]
    text: str
    origins: dict[str, str] = field(default_factory=dict)

    def origin(self, path: str) -> str:
        return self.origins.get(path, self.where)


def names() -> tuple[str, ...]:
    """The rubrics that come with editbench."""
    files = (entry.name for entry in resources.files(rubrics).iterdir())
    return tuple(sorted(name.removesuffix(SUFFIX) for name in files if name.endswith(SUFFIX) and name[0] != _HIDDEN))


def shipped(name: str) -> str:
    return (resources.files(rubrics) / f"{name}{SUFFIX}").read_text("utf-8")


def find(name_or_path: str, folder: Path) -> Source:
    """A shipped rubric by name, or a file by its path, which starts from `folder`. Raises UserError."""
    if name_or_path.endswith(SUFFIX) or Path(name_or_path).name != name_or_path:
        path = folder / Path(name_or_path).expanduser()
        return Source(str(path), _read("rubric", path, f"Shipped rubrics: {', '.join(names())}."), path.parent)
    if name_or_path not in names():
        raise UserError(
            f"there is no rubric {name_or_path!r}",
            f"{meant(name_or_path, names())}Shipped: {', '.join(names())}. Your own: the path of a {SUFFIX} file.",
        )
    return Source(f"{name_or_path}{SUFFIX}", shipped(name_or_path), Path())


def whole(source: Source, extended: tuple[str, ...] = ()) -> Whole:
    """A source with all that it refers to. Raises UserError for a file that can't be read, and for a circle."""
    own = _parse(source)
    base = _base(own, source, extended)
    inlined = _inline(own, source)
    if base is None:
        text = source.text if inlined == own else orjson.dumps(inlined).decode()
        return Whole(source.where, inlined, text)
    origins = {path: base.origin(path) for path in _leaves(base.values)}
    for path in _leaves(inlined):
        origins.pop(path, None)
    values = _merge(base.values, {key: value for key, value in inlined.items() if key != EXTENDS})
    return Whole(source.where, values, orjson.dumps(values).decode(), origins)


def _parse(source: Source) -> dict[str, Any]:
    try:
        if source.text.startswith("{"):  # what `whole` made; no TOML starts so
            return orjson.loads(source.text)
        return tomllib.loads(source.text)
    except ValueError as error:  # of either format
        raise UserError(f"{source.where} is not TOML: {error}", "Mend the file.") from None


def _base(own: Mapping[str, Any], source: Source, extended: tuple[str, ...]) -> Whole | None:
    if EXTENDS not in own:
        return None
    if not isinstance(own[EXTENDS], str):
        raise UserError(f"{source.where}: {EXTENDS}: must be a rubric's name or file, not {own[EXTENDS]!r:.60}")
    if source.where in extended:
        raise UserError(f"{source.where}: {EXTENDS}: goes round in a circle", "Extend a rubric that stands by itself.")
    return whole(find(own[EXTENDS], source.folder), (*extended, source.where))


def _inline(value: Any, source: Source) -> Any:
    """The same with {file = ...} replaced by {text = ...}."""
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("file"), str) and value.keys() <= {"file", "placeholders"}:
        text = _read("text", source.folder / Path(value["file"]).expanduser(), f"{source.where} takes a text from it.")
        return {"text": text, **{key: entry for key, entry in value.items() if key != "file"}}
    return {key: _inline(entry, source) for key, entry in value.items()}


def _merge(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Tables are merged, all else replaced."""
    merged = dict(base)
    for key, value in own.items():
        there = base.get(key)
        both = isinstance(value, dict) and isinstance(there, dict) and not isinstance(value.get("text"), str)
        merged[key] = _merge(there, value) if both else value
    return merged


def _leaves(values: Mapping[str, Any], path: str = "") -> list[str]:
    return [
        leaf
        for key, value in values.items()
        for leaf in (_leaves(value, f"{path}{key}.") if isinstance(value, dict) else [f"{path}{key}"])
    ]


def _read(what: str, path: Path, remedy: str) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"can't read {what} {path}: {error.strerror}", remedy) from None
    except UnicodeDecodeError as error:
        raise UserError(f"{what} {path} is not UTF-8: byte {error.start}", "Save it as UTF-8.") from None
