"""Formulas of a rubric: how criteria become a score, and when a question is asked.

>>> compile_formula("sqrt(min(a, b) * c)", {"a": NUMBER, "b": NUMBER, "c": NUMBER})({"a": 4, "b": 9, "c": 9})
6.0

A formula is read by `ast` and never executed: each node that is allowed has a function here, and any other is refused when the
rubric is loaded. Allowed are numbers, texts in quotes, known names, + - * /, comparisons, `in (..., ...)`, and / or / not,
A if TEST else B, and the functions min, max, mean, sqrt, abs. What is of the wrong kind is refused too, such as a number in
place of a test.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from typing import Any, NamedTuple

LONGEST = 1000
"""Characters of a formula."""
DEEPEST = 60
"""Levels of operators and functions within each other; a sum of n numbers has n."""


class Kind(Enum):
    NUMBER = "a number"
    NUMBERS = "several numbers"
    TRUTH = "true or false"
    TEXT = "a text"


NUMBER, NUMBERS, TRUTH, TEXT = Kind
Context = Mapping[str, Any]
"""Values by name. A name that is missing matters only if it is needed."""


class FormulaError(ValueError):
    """What is wrong with a formula, or with the values it is given."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A checked formula; call it with its context. `kinds`: the names it may use."""

    text: str
    kinds: Mapping[str, Kind]
    kind: Kind
    _value: Callable[[Context], Any]

    def __call__(self, context: Context) -> Any:
        """Raises FormulaError for a missing name, a division by zero, the root of a negative number, or no finite number."""
        value = self._value(context)
        if self.kind is NUMBER and not math.isfinite(value):
            raise FormulaError(f"{self.text!r} is not a finite number")
        return value

    def __reduce__(self) -> tuple[Any, ...]:
        return compile_formula, (self.text, self.kinds)


def compile_formula(text: str, kinds: Mapping[str, Kind]) -> Formula:
    """Check a formula. Raises FormulaError for anything that is not allowed, and for names that are not in `kinds`."""
    if len(text) > LONGEST:
        raise FormulaError(f"is longer than {LONGEST} characters")
    try:
        tree = ast.parse(" ".join(text.split("\n")).strip(), mode="eval")
    except SyntaxError as error:
        raise FormulaError(f"can't be read: {error.msg} at character {error.offset}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise FormulaError(f"can't be read: {error}") from None
    if _depth(tree) > DEEPEST:
        raise FormulaError(f"goes deeper than {DEEPEST} levels")
    part = _part(tree.body, kinds)
    return Formula(text, dict(kinds), part.kind, part.value)


class _Part(NamedTuple):
    kind: Kind
    value: Callable[[Context], Any]


_Kinds = Mapping[str, Kind]


def _depth(tree: ast.AST) -> int:
    # Level by level: a tree too deep for recursion is what this is to find.
    level, depth = [tree], 0
    while level := [child for node in level for child in ast.iter_child_nodes(node)]:
        depth += 1
    return depth


def _part(node: ast.AST, kinds: _Kinds, wanted: Kind | None = None) -> _Part:
    if (build := _ALLOWED.get(type(node))) is None:
        raise FormulaError(f"{_source(node)} is not allowed")
    part = build(node, kinds)
    if wanted is not None and part.kind is not wanted:
        raise FormulaError(f"{_source(node)} must be {wanted.value}, and is {part.kind.value}")
    return part


def _source(node: ast.AST) -> str:
    return f"`{ast.unparse(node):.60}`" if isinstance(node, ast.expr) else type(node).__name__


def _constant(node: ast.Constant, kinds: _Kinds) -> _Part:  # noqa: ARG001
    if isinstance(node.value, str):
        return _Part(TEXT, lambda _, text=node.value: text)
    if type(node.value) not in (int, float):
        raise FormulaError(f"{_source(node)} is not allowed")
    if not abs(node.value) < 1e12:
        raise FormulaError("has a number that is too large")
    return _Part(NUMBER, lambda _, number=float(node.value): number)


def _name(node: ast.Name, kinds: _Kinds) -> _Part:
    name = node.id
    if name not in kinds:
        close = get_close_matches(name, kinds, n=1)
        meant = f" (did you mean {close[0]}?)" if close else ""
        raise FormulaError(f"unknown name {name}{meant}; known: {', '.join(kinds)}")

    def value(context: Context) -> Any:
        if name not in context:
            raise FormulaError(f"there is no {name}")
        return context[name]

    return _Part(kinds[name], value)


def _divide(left: float, right: float) -> float:
    if right == 0:
        raise FormulaError("division by zero")
    return left / right


_ARITHMETIC: dict[type[ast.AST], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _divide,
}


def _arithmetic(node: ast.BinOp, kinds: _Kinds) -> _Part:
    if (apply := _ARITHMETIC.get(type(node.op))) is None:
        raise FormulaError(f"{_source(node)} is not allowed: only + - * /")
    left, right = _part(node.left, kinds, NUMBER).value, _part(node.right, kinds, NUMBER).value
    return _Part(NUMBER, lambda context: apply(left(context), right(context)))


def _unary(node: ast.UnaryOp, kinds: _Kinds) -> _Part:
    if isinstance(node.op, ast.Not):
        value = _part(node.operand, kinds, TRUTH).value
        return _Part(TRUTH, lambda context: not value(context))
    if not isinstance(node.op, ast.USub):
        raise FormulaError(f"{_source(node)} is not allowed")
    value = _part(node.operand, kinds, NUMBER).value
    return _Part(NUMBER, lambda context: -value(context))


def _logic(node: ast.BoolOp, kinds: _Kinds) -> _Part:
    values = [_part(operand, kinds, TRUTH).value for operand in node.values]
    decide = all if isinstance(node.op, ast.And) else any
    return _Part(TRUTH, lambda context: decide(value(context) for value in values))


_ORDER: dict[type[ast.AST], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_EQUALITY: dict[type[ast.AST], Callable[[Any, Any], bool]] = {ast.Eq: operator.eq, ast.NotEq: operator.ne}
_MEMBERSHIP: dict[type[ast.AST], Callable[[Any, Any], bool]] = {
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}


def _comparison(node: ast.Compare, kinds: _Kinds) -> _Part:
    operands = (node.left, *node.comparators)
    tests = [
        _compare(node, left, test, right, kinds) for left, test, right in zip(operands, node.ops, operands[1:], strict=False)
    ]
    return _Part(TRUTH, lambda context: all(test(context) for test in tests))


def _compare(node: ast.Compare, left: ast.expr, test: ast.cmpop, right: ast.expr, kinds: _Kinds) -> Callable[[Context], bool]:
    if apply := _MEMBERSHIP.get(type(test)):
        value, texts = _part(left, kinds, TEXT).value, _texts(right)
        return lambda context: apply(value(context), texts)
    if apply := _ORDER.get(type(test)):
        first, second = _part(left, kinds, NUMBER), _part(right, kinds, NUMBER)
    elif apply := _EQUALITY.get(type(test)):
        first = _part(left, kinds)
        second = _part(right, kinds, first.kind)
        if first.kind not in (NUMBER, TEXT):
            raise FormulaError(f"{_source(left)} can't be compared: it is {first.kind.value}")
    else:
        raise FormulaError(f"{_source(node)} is not allowed")
    return lambda context: apply(first.value(context), second.value(context))


def _texts(node: ast.expr) -> frozenset[str]:
    if isinstance(node, ast.Tuple | ast.List):
        texts = [entry.value for entry in node.elts if isinstance(entry, ast.Constant)]
        if len(texts) == len(node.elts) and all(isinstance(text, str) for text in texts):
            return frozenset(texts)
    raise FormulaError(f"{_source(node)} must be a list of texts in quotes")


def _choice(node: ast.IfExp, kinds: _Kinds) -> _Part:
    test, left = _part(node.test, kinds, TRUTH).value, _part(node.body, kinds)
    right = _part(node.orelse, kinds, left.kind).value
    return _Part(left.kind, lambda context: left.value(context) if test(context) else right(context))


def _mean(values: list[float]) -> float:
    try:
        return math.fsum(values) / len(values)
    except (OverflowError, ValueError):  # too large a sum, or infinities of both signs
        raise FormulaError("mean of numbers that are too large") from None


def _sqrt(value: float) -> float:
    if value < 0:
        raise FormulaError(f"sqrt of {value:g}")
    return math.sqrt(value)


_MANY: dict[str, Callable[[list[float]], float]] = {"min": min, "max": max, "mean": _mean}
_ONE: dict[str, Callable[[float], float]] = {"sqrt": _sqrt, "abs": abs}
FUNCTIONS = (*_MANY, *_ONE)


def _call(node: ast.Call, kinds: _Kinds) -> _Part:
    if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS or node.keywords:
        raise FormulaError(f"{_source(node)} is not allowed; functions: {', '.join(FUNCTIONS)}")
    name = node.func.id
    if name in _ONE:
        if len(node.args) != 1:
            raise FormulaError(f"{name} takes one number")
        only = _part(node.args[0], kinds, NUMBER).value
        return _Part(NUMBER, lambda context: _ONE[name](only(context)))
    if not node.args:
        raise FormulaError(f"{name} needs at least one number")
    parts = [_many(argument, kinds) for argument in node.args]
    return _Part(NUMBER, lambda context: _MANY[name]([value for part in parts for value in part(context)]))


def _many(node: ast.expr, kinds: _Kinds) -> Callable[[Context], list[float]]:
    if isinstance(node, ast.Name) and kinds.get(node.id) is NUMBERS:
        part = _part(node, kinds)
        return lambda context: list(part.value(context))
    part = _part(node, kinds, NUMBER)
    return lambda context: [part.value(context)]


_ALLOWED: dict[type[ast.AST], Callable[[Any, _Kinds], _Part]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.BinOp: _arithmetic,
    ast.UnaryOp: _unary,
    ast.BoolOp: _logic,
    ast.Compare: _comparison,
    ast.IfExp: _choice,
    ast.Call: _call,
}
