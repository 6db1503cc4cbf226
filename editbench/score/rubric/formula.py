"""Formulas of a rubric: how criteria become a score, and when a question is asked.

>>> compile_formula("sqrt(min(a, b) * c)", {"a": NUMBER, "b": NUMBER, "c": NUMBER})({"a": 4, "b": 9, "c": 9})
6.0

A formula is read by `ast` and never executed: each node that is allowed has a function here, and any other is refused when the
rubric is loaded. Allowed are numbers, texts in quotes, known names, + - * /, comparisons, `in (..., ...)`, and / or / not,
A if TEST else B, and the functions min, max, mean, sqrt, abs. What is of the wrong type is refused too, such as a number in
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


class ValueType(Enum):
    """What a name or an expression stands for; the value is for messages."""

    NUMBER = "a number"
    NUMBERS = "several numbers"
    TRUTH = "true or false"
    TEXT = "a text"


NUMBER, NUMBERS, TRUTH, TEXT = ValueType
Context = Mapping[str, Any]
"""Values by name. A name that is missing matters only if it is needed."""


class FormulaError(ValueError):
    """What is wrong with a formula, or with the values that it is called with."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A checked formula; call it with its context. `names`: those it may use, with their types."""

    text: str
    names: Mapping[str, ValueType]
    value_type: ValueType
    _evaluate: Callable[[Context], Any]

    def __call__(self, context: Context) -> Any:
        """The formula's value. Raises FormulaError for a missing name, a division by zero, the root of a negative number, or a
        result that is no finite number."""
        value = self._evaluate(context)
        if self.value_type is NUMBER and not math.isfinite(value):
            raise FormulaError(f"{self.text!r} is not a finite number")
        return value

    def __reduce__(self) -> tuple[Any, ...]:
        return compile_formula, (self.text, self.names)


def compile_formula(text: str, names: Mapping[str, ValueType]) -> Formula:
    """Check a formula. Raises FormulaError for anything that is not allowed, and for names that are not in `names`."""
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
    compiled = _compile(tree.body, names)
    return Formula(text, dict(names), compiled.value_type, compiled.evaluate)


class _Compiled(NamedTuple):
    """A checked node of the tree, compiled: the type of its value, and what evaluates it."""

    value_type: ValueType
    evaluate: Callable[[Context], Any]


_Names = Mapping[str, ValueType]


def _depth(tree: ast.AST) -> int:
    # Level by level: a tree too deep for recursion is what this is to find.
    level, depth = [tree], 0
    while level := [child for node in level for child in ast.iter_child_nodes(node)]:
        depth += 1
    return depth


def _compile(node: ast.AST, names: _Names, wanted: ValueType | None = None) -> _Compiled:
    if (build := _ALLOWED.get(type(node))) is None:
        raise FormulaError(f"{_source(node)} is not allowed")
    compiled = build(node, names)
    if wanted is not None and compiled.value_type is not wanted:
        raise FormulaError(f"{_source(node)} must be {wanted.value}, and is {compiled.value_type.value}")
    return compiled


def _source(node: ast.AST) -> str:
    return f"`{ast.unparse(node):.60}`" if isinstance(node, ast.expr) else type(node).__name__


def _constant(node: ast.Constant, names: _Names) -> _Compiled:  # noqa: ARG001
    value = node.value
    if isinstance(value, str):
        return _Compiled(TEXT, lambda _: value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FormulaError(f"{_source(node)} is not allowed")
    if not abs(value) < 1e12:
        raise FormulaError("has a number that is too large")
    number = float(value)
    return _Compiled(NUMBER, lambda _: number)


def _name(node: ast.Name, names: _Names) -> _Compiled:
    name = node.id
    if name not in names:
        close = get_close_matches(name, names, n=1)
        meant = f" (did you mean {close[0]}?)" if close else ""
        raise FormulaError(f"unknown name {name}{meant}; known: {', '.join(names)}")

    def value(context: Context) -> Any:
        if name not in context:
            raise FormulaError(f"there is no {name}")
        return context[name]

    return _Compiled(names[name], value)


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


def _arithmetic(node: ast.BinOp, names: _Names) -> _Compiled:
    if (apply := _ARITHMETIC.get(type(node.op))) is None:
        raise FormulaError(f"{_source(node)} is not allowed: only + - * /")
    left, right = _compile(node.left, names, NUMBER).evaluate, _compile(node.right, names, NUMBER).evaluate
    return _Compiled(NUMBER, lambda context: apply(left(context), right(context)))


def _unary(node: ast.UnaryOp, names: _Names) -> _Compiled:
    if isinstance(node.op, ast.Not):
        value = _compile(node.operand, names, TRUTH).evaluate
        return _Compiled(TRUTH, lambda context: not value(context))
    if not isinstance(node.op, ast.USub):
        raise FormulaError(f"{_source(node)} is not allowed")
    value = _compile(node.operand, names, NUMBER).evaluate
    return _Compiled(NUMBER, lambda context: -value(context))


def _logic(node: ast.BoolOp, names: _Names) -> _Compiled:
    values = [_compile(operand, names, TRUTH).evaluate for operand in node.values]
    decide = all if isinstance(node.op, ast.And) else any
    return _Compiled(TRUTH, lambda context: decide(value(context) for value in values))


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


def _comparison(node: ast.Compare, names: _Names) -> _Compiled:
    operands = (node.left, *node.comparators)
    tests = [
        _compare(node, left, test, right, names) for left, test, right in zip(operands, node.ops, operands[1:], strict=False)
    ]
    return _Compiled(TRUTH, lambda context: all(test(context) for test in tests))


def _compare(node: ast.Compare, left: ast.expr, test: ast.cmpop, right: ast.expr, names: _Names) -> Callable[[Context], bool]:
    operation = type(test)
    if operation in _MEMBERSHIP:
        contains, value, texts = _MEMBERSHIP[operation], _compile(left, names, TEXT).evaluate, _texts(right)
        return lambda context: contains(value(context), texts)
    if operation in _ORDER:
        compare, first, second = _ORDER[operation], _compile(left, names, NUMBER), _compile(right, names, NUMBER)
    elif operation in _EQUALITY:
        compare, first = _EQUALITY[operation], _compile(left, names)
        second = _compile(right, names, first.value_type)
        if first.value_type not in (NUMBER, TEXT):
            raise FormulaError(f"{_source(left)} can't be compared: it is {first.value_type.value}")
    else:
        raise FormulaError(f"{_source(node)} is not allowed")
    return lambda context: compare(first.evaluate(context), second.evaluate(context))


def _texts(node: ast.expr) -> frozenset[str]:
    if isinstance(node, ast.Tuple | ast.List):
        values = [entry.value for entry in node.elts if isinstance(entry, ast.Constant)]
        texts = [value for value in values if isinstance(value, str)]
        if len(texts) == len(node.elts):
            return frozenset(texts)
    raise FormulaError(f"{_source(node)} must be a list of texts in quotes")


def _choice(node: ast.IfExp, names: _Names) -> _Compiled:
    test, left = _compile(node.test, names, TRUTH).evaluate, _compile(node.body, names)
    right = _compile(node.orelse, names, left.value_type).evaluate
    return _Compiled(left.value_type, lambda context: left.evaluate(context) if test(context) else right(context))


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


def _call(node: ast.Call, names: _Names) -> _Compiled:
    if not isinstance(node.func, ast.Name) or node.func.id not in FUNCTIONS or node.keywords:
        raise FormulaError(f"{_source(node)} is not allowed; functions: {', '.join(FUNCTIONS)}")
    name = node.func.id
    if name in _ONE:
        if len(node.args) != 1:
            raise FormulaError(f"{name} takes one number")
        only = _compile(node.args[0], names, NUMBER).evaluate
        return _Compiled(NUMBER, lambda context: _ONE[name](only(context)))
    if not node.args:
        raise FormulaError(f"{name} needs at least one number")
    lists = [_numbers(argument, names) for argument in node.args]
    return _Compiled(NUMBER, lambda context: _MANY[name]([value for numbers in lists for value in numbers(context)]))


def _numbers(node: ast.expr, names: _Names) -> Callable[[Context], list[float]]:
    if isinstance(node, ast.Name) and names.get(node.id) is NUMBERS:
        compiled = _compile(node, names)
        return lambda context: list(compiled.evaluate(context))
    compiled = _compile(node, names, NUMBER)
    return lambda context: [compiled.evaluate(context)]


_ALLOWED: dict[type[ast.AST], Callable[[Any, _Names], _Compiled]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.BinOp: _arithmetic,
    ast.UnaryOp: _unary,
    ast.BoolOp: _logic,
    ast.Compare: _comparison,
    ast.IfExp: _choice,
    ast.Call: _call,
}
