"""A pipeline class of diffusers, read from its source file: what its call takes, and which components it is made of.

Nothing is imported: torch and diffusers take seconds, and a launcher is to say what is wrong at once.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from inspect import Parameter
from pathlib import Path
from typing import Any

from editbench.errors import UserError

REQUIRED = Parameter.empty
"""In the place of a default: there is none."""
_DECLARATION = re.compile(rb"^class (\w*Pipeline\w*)\(", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PipelineClass:
    """`call`: the default of each argument of a call, by name. `init`: likewise of the constructor. A default that is no
    literal is its source text. `optional`: components that may be missing though the constructor has no default for them."""

    name: str
    call: Mapping[str, Any]
    init: Mapping[str, Any]
    optional: frozenset[str]

    def lacks(self, components: set[str]) -> list[str]:
        """The components that a checkpoint with only these `components` lacks, sorted."""
        needed = {name for name, default in self.init.items() if default is REQUIRED}
        return sorted(needed - self.optional - components)


@cache
def read(name: str) -> PipelineClass:
    """Raises UserError where the installed diffusers has no such class."""
    found = _declared(name)
    if found is None or not any(_methods(found, "__call__")):
        message = f"the diffusers that is installed here has no pipeline {name}"
        raise UserError(message, "Install a version that has it (`editbench doctor` shows yours), or choose another model.")
    call, init = next(_methods(found, "__call__")), next(_methods(found, "__init__"), None)
    optional = next(_optional_components(found), frozenset())
    return PipelineClass(name, _defaults(call), _defaults(init) if init else {}, optional)


@cache
def sources() -> dict[str, Path]:
    """The file that declares each pipeline class. Raises UserError where diffusers is not installed."""
    spec = importlib.util.find_spec("diffusers")
    if spec is None or spec.origin is None:
        raise UserError("diffusers is not installed here", "pip install 'editbench[edit]'")
    paths = sorted(Path(spec.origin).with_name("pipelines").rglob("*.py"))
    return {name.decode(): path for path in paths for name in _DECLARATION.findall(path.read_bytes())}


def _declared(name: str) -> ast.ClassDef | None:
    path = sources().get(name)
    body = ast.parse(path.read_bytes()).body if path else []
    return next((node for node in body if isinstance(node, ast.ClassDef) and node.name == name), None)


def _lineage(declared: ast.ClassDef) -> Iterator[ast.ClassDef]:
    """The class and those it is derived from, as far as pipelines go."""
    yield declared
    for base in declared.bases:
        if isinstance(base, ast.Name) and base.id.endswith("Pipeline") and base.id != "DiffusionPipeline":
            above = _declared(base.id)
            yield from _lineage(above) if above else ()


def _methods(declared: ast.ClassDef, name: str) -> Iterator[ast.FunctionDef]:
    for each in _lineage(declared):
        yield from (node for node in each.body if isinstance(node, ast.FunctionDef) and node.name == name)


def _optional_components(declared: ast.ClassDef) -> Iterator[frozenset[str]]:
    for each in _lineage(declared):
        for node in each.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_optional_components":
                yield frozenset(ast.literal_eval(node.value))


def _defaults(function: ast.FunctionDef) -> dict[str, Any]:
    """By argument, `self` left out."""
    named = [*function.args.posonlyargs, *function.args.args]
    values = [None] * (len(named) - len(function.args.defaults)) + [*function.args.defaults]
    pairs = [*zip(named, values, strict=True), *zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)]
    return {argument.arg: REQUIRED if value is None else _value(value) for argument, value in pairs[1:]}


def _value(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)
