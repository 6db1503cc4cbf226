"""A pipeline class of diffusers, read from its source file: what its call takes, and which components it is made of.

Nothing is imported: torch and diffusers take seconds, and a launcher is to say what is wrong at once.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from inspect import Parameter
from pathlib import Path
from typing import Any

from editbench.edit import library
from editbench.errors import UserError

REQUIRED = Parameter.empty
"""In the place of a default: there is none."""


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
    call = _method(name, "__call__") if name in sources() else None
    if call is None:
        message = f"the diffusers that is installed here has no pipeline {name}"
        raise UserError(message, "Install a version that has it (`editbench doctor` shows yours), or choose another model.")
    init = _method(name, "__init__")
    return PipelineClass(name, _defaults(call), _defaults(init) if init else {}, _optional_components(name))


@cache
def sources() -> dict[str, Path]:
    """The file that declares each pipeline class. Raises UserError where diffusers is not installed."""
    return {name: path for name, path in library.sources(library.PIPELINES).items() if "Pipeline" in name}


def _method(class_name: str, name: str) -> ast.FunctionDef | None:
    nodes = (node for each in library.lineage(class_name) for node in each.body)
    return next((node for node in nodes if isinstance(node, ast.FunctionDef) and node.name == name), None)


def _optional_components(class_name: str) -> frozenset[str]:
    for each in library.lineage(class_name):
        for node in each.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_optional_components":
                return frozenset(ast.literal_eval(node.value))
    return frozenset()


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
