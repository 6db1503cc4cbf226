from __future__ import annotations

import ast
import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from editbench.score.rubric.formula import NUMBER, NUMBERS, TEXT, TRUTH, FormulaError, ValueType, compile_formula

NAMES = {"a": NUMBER, "b": NUMBER, "gone": NUMBER, "all": NUMBERS, "yes": TRUTH, "no": TRUTH, "category": TEXT}
VALUES = {"a": 4.0, "b": 9.0, "all": [4.0, 9.0], "yes": True, "no": False, "category": "rule-based"}

FORMULAS = [
    ("3", 3),
    ("-a + b * 2 - 1.5", 12.5),
    ("b / a", 2.25),
    ("(a + b) / 2", 6.5),
    ("sqrt(a * b)", 6),
    ("min(a, b, 3)", 3),
    ("max(a, b) - abs(a - b)", 4),
    ("mean(all)", 6.5),
    ("mean(all, 2)", 5),
    ("min(all)", 4),
    ("a if yes else b", 4),
    ("a if no else b", 9),
    ("a if yes else gone", 4),
    ("1 / 0 if no else a", 4),
    ("1 if a < b else 0", 1),
    ("1 if a == 4 and b != 4 else 0", 1),
    ("1 if 3 < a <= 4 < b else 0", 1),
    ("1 if 3 < a < 4 else 0", 0),
    ("1 if not yes or no else 0", 0),
    ("1 if category == 'rule-based' else 0", 1),
    ("1 if category != 'rule-based' else 0", 0),
    ("1 if category in ('x', 'rule-based') else 0", 1),
    ("1 if category not in ['x'] else 0", 1),
    ("\n  a\n  + b\n", 13),
]


@pytest.mark.parametrize(("text", "value"), FORMULAS)
def test_computes(text: str, value: float) -> None:
    assert compile_formula(text, NAMES)(VALUES) == pytest.approx(value)


REFUSED = [
    ("", "can't be read"),
    ("a +", "can't be read: invalid syntax at character"),
    ("a; b", "can't be read"),
    ("a = b", "can't be read"),
    ("a\0", "can't be read"),
    ("1" + "+1" * 600, "longer than"),
    ("1" + "+1" * 100, "deeper than"),
    ("(" * 300 + "1" + ")" * 300, "can't be read"),
    ("c", "unknown name c; known: a, b"),
    ("categry", r"unknown name categry \(did you mean category\?\)"),
    ("a ** b", "only"),
    ("a // b", "only"),
    ("a % b", "only"),
    ("a @ b", "only"),
    ("a << b", "only"),
    ("~a", "not allowed"),
    ("+a", "not allowed"),
    ("a.real", "not allowed"),
    ("all[0]", "not allowed"),
    ("[a]", "not allowed"),
    ("{a: b}", "not allowed"),
    ("(a, b)", "not allowed"),
    ("lambda: 1", "not allowed"),
    ("[x for x in all]", "not allowed"),
    ("f'{a}'", "not allowed"),
    ("(a := 1)", "not allowed"),
    ("True", "not allowed"),
    ("None", "not allowed"),
    ("1j", "not allowed"),
    ("b'x'", "not allowed"),
    ("...", "not allowed"),
    ("await a", "not allowed|can't be read"),
    ("a is b", "not allowed"),
    ("1e999", "too large"),
    ("9" * 500, "too large"),
    ("__import__('os')", "not allowed; functions: min"),
    ("a.real()", "not allowed"),
    ("(lambda: 1)()", "not allowed"),
    ("min(a, key=b)", "not allowed"),
    ("min(*all)", "not allowed"),
    ("min()", "needs at least one"),
    ("sqrt(a, b)", "takes one"),
    ("sqrt(all)", "must be a number, and is several numbers"),
    ("all + 1", "must be a number, and is several numbers"),
    ("a + yes", "`yes` must be a number, and is true or false"),
    ("a + 'x'", "must be a number, and is a text"),
    ("not a", "must be true or false, and is a number"),
    ("a and b", "must be true or false"),
    ("a if b else 1", "must be true or false"),
    ("a if yes else no", "must be a number"),
    ("a < 'x'", "must be a number"),
    ("category == 1", "must be a text"),
    ("yes == no", "can't be compared"),
    ("a in (1, 2)", "must be a text"),
    ("category in ('x', a)", "list of texts in quotes"),
    ("category in 'xyz'", "list of texts in quotes"),
]


@pytest.mark.parametrize(("text", "problem"), REFUSED)
def test_refuses_anything_else(text: str, problem: str) -> None:
    with pytest.raises(FormulaError, match=problem):
        compile_formula(text, NAMES)


@pytest.mark.parametrize(
    ("text", "problem"),
    [("a / (b - 9)", "division by zero"), ("sqrt(-a)", "sqrt of -4"), ("a + gone", "there is no gone")],
)
def test_values_that_do_not_fit_are_named(text: str, problem: str) -> None:
    with pytest.raises(FormulaError, match=problem):
        compile_formula(text, NAMES)(VALUES)


def test_a_result_that_is_not_finite_is_an_error() -> None:
    with pytest.raises(FormulaError, match="not a finite number"):
        compile_formula("a * a", NAMES)({"a": 1e200})


@pytest.mark.parametrize(("text", "value_type"), [("a", NUMBER), ("a < b", TRUTH), ("category", TEXT), ("all", NUMBERS)])
def test_tells_the_kind_of_its_value(text: str, value_type: ValueType) -> None:
    assert compile_formula(text, NAMES).value_type is value_type


def test_survives_pickling() -> None:
    assert pickle.loads(pickle.dumps(compile_formula("a + b", NAMES)))(VALUES) == 13


NODES = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.Expression, ast.Constant, ast.Name, ast.BinOp)
NODES = (*NODES, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call, ast.Tuple, ast.List)
WORDS = "a b all yes category min sqrt 2 0 'x' ( ) [ ] { } , + - * / ** < == in not and if else . : = lambda for __class__ \n"


@given(st.text(max_size=40) | st.lists(st.sampled_from(WORDS.split(" ")), max_size=12).map(" ".join))
def test_any_text_is_refused_or_holds_nothing_but_allowed_nodes(text: str) -> None:
    try:
        formula = compile_formula(text, NAMES)
    except FormulaError:
        return
    tree = ast.parse(" ".join(text.split("\n")).strip(), mode="eval")
    assert all(isinstance(node, NODES) for node in ast.walk(tree))
    called = [node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert set(called) <= {"min", "max", "mean", "sqrt", "abs"}
    assert formula.value_type in ValueType


@st.composite
def sums(draw: st.DrawFn) -> str:
    left, right = (draw(st.sampled_from(("a", "b", "2", "(a - 1)", "min(a, b)", "(a if a < b else b)"))) for _ in range(2))
    return f"{left} {draw(st.sampled_from('+-*/'))} {right}"


@given(sums(), st.floats(-9, 9), st.floats(-9, 9))
def test_agrees_with_python(text: str, a: float, b: float) -> None:
    values = {"a": a, "b": b}
    try:
        expected = eval(text, {"min": min}, values)
    except ZeroDivisionError:
        expected = math.inf
    if math.isfinite(expected):
        assert compile_formula(text, NAMES)(values) == expected
    else:
        with pytest.raises(FormulaError):
            compile_formula(text, NAMES)(values)
