"""Classes of diffusers, read from their source: to import one takes torch and five seconds, and a launcher is to say what is
wrong at once."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from editbench.errors import UserError

SCHEDULERS, AUTOENCODERS, PIPELINES = "schedulers", "models/autoencoders", "pipelines"
_FOLDERS = ("models/transformers", "models/unets", SCHEDULERS, AUTOENCODERS, "loaders", PIPELINES)


@dataclass(frozen=True, slots=True)
class Declared:
    """`methods`: names of the arguments of each method, by its name, those of all classes that it is derived from included."""

    name: str
    methods: dict[str, frozenset[str]]


@cache
def declared(name: str, folder: str) -> Declared | None:
    """The class `name` in the `folder` of diffusers; None where there is none. Raises UserError without diffusers."""
    if name not in sources(folder):
        return None
    methods: dict[str, frozenset[str]] = {}
    for node in lineage(name):
        for each in node.body:
            if isinstance(each, ast.FunctionDef):
                named = (*each.args.posonlyargs, *each.args.args, *each.args.kwonlyargs)
                methods.setdefault(each.name, frozenset(argument.arg for argument in named))
    return Declared(name, methods)


def mentioned(name: str) -> frozenset[str]:
    """Names of attributes, functions and classes in the source of a class and of those that it is derived from; empty for a
    class that is not in these folders."""
    nodes = [node for each in lineage(name) for node in ast.walk(each)]
    return frozenset(
        {node.id for node in nodes if isinstance(node, ast.Name)}
        | {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    )


def lineage(name: str) -> Iterator[ast.ClassDef]:
    """The class and those that it is derived from, as far as they are in these folders."""
    if name in _files():
        node = _declaration(name)
        yield node
        for base in node.bases:
            yield from lineage(ast.unparse(base))


@lru_cache(64)  # most are derived from the same few
def _declaration(name: str) -> ast.ClassDef:
    nodes = ast.parse(_files()[name].read_bytes()).body
    return next(node for node in nodes if isinstance(node, ast.ClassDef) and node.name == name)


def sources(folder: str) -> dict[str, Path]:
    """The file that declares each class in a `folder` of diffusers. Raises UserError without diffusers."""
    return {name: path for name, path in _files().items() if path.is_relative_to(_root() / folder)}


@cache
def _files() -> dict[str, Path]:
    """The file that declares each class, by the class's name."""
    paths = [path for folder in _FOLDERS for path in sorted((_root() / folder).rglob("*.py"))]
    # With `^` in place of the line's end it takes five times as long, 0.12 s of each start; no file begins with a class.
    return {name.decode(): path for path in paths for name in re.findall(rb"\nclass (\w+)", path.read_bytes())}


@cache
def _root() -> Path:
    spec = importlib.util.find_spec("diffusers")
    if spec is None or spec.origin is None:
        raise UserError("diffusers is not installed here", "pip install 'editbench[edit]'")
    return Path(spec.origin).parent
