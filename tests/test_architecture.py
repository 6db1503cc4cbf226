"""What the code may know of what."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import editbench

ROOT = Path(editbench.__file__).parent
FILES = {str(path.relative_to(ROOT)): ast.parse(path.read_text("utf-8")) for path in sorted(ROOT.rglob("*.py"))}
ABOVE_STATISTICS = ("editbench.report.document", "editbench.report.render", "editbench.report.stage")
MODELS = ("torch", "diffusers", "transformers", "accelerate")


def imports(tree: ast.AST) -> Iterator[str]:
    """Everything a module imports, functions included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def texts(tree: ast.AST) -> Iterator[str]:
    """Every text but the documentation."""
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def breaches(folder: str, forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{name} imports {imported}"
        for name, tree in FILES.items()
        if name.startswith(folder)
        for imported in imports(tree)
        if imported.startswith(tuple(f"{entry}." for entry in forbidden)) or imported in forbidden
    ]


def inside(package: str, *rooms: str) -> tuple[str, ...]:
    return tuple(f"editbench.{package}.{room}" for room in rooms)


@pytest.mark.parametrize(
    ("layer", "forbidden"),
    [
        ("edit/", ("editbench.score", "editbench.report", "editbench.layouts", "editbench.cli")),
        ("score/", ("editbench.edit", "editbench.report", "editbench.layouts", "editbench.world", "editbench.cli")),
        ("layouts/", ("editbench.score", "editbench.report", "editbench.cli", *MODELS)),
        ("score/rubric/", inside("score", "in_process", "qwen3vl", "replies", "judge", "stage", "worker", "items")),
        ("score/replies/", inside("score", "in_process", "qwen3vl", "rubric", "judge", "stage", "worker", "items")),
        ("score/in_process/", inside("score", "qwen3vl", "families", "rubric", "stage", "worker", "items", "votes")),
        ("score/families/", inside("score", "qwen3vl", "rubric", "stage", "worker", "items", "votes")),
        ("score/qwen3vl/", inside("score", "families", "rubric", "stage", "worker", "items", "votes")),
        ("score/served/", (*inside("score", "in_process", "qwen3vl", "worker", "judges"), *MODELS)),
        ("score/judge.py", inside("score", "in_process", "qwen3vl", "rubric", "judges", "stage", "worker")),
        ("fleet/stage.py", inside("fleet", "attempts", "launch", "panel", "status")),
        (
            "report/",
            (
                "editbench.edit",
                "editbench.score",
                "editbench.fleet",
                "editbench.layouts",
                "editbench.world",
                "editbench.cli",
                *MODELS,
            ),
        ),
        ("fleet/", ("editbench.edit", "editbench.score", "editbench.report", "editbench.benchmarks", "editbench.cli")),
        ("benchmarks/", ("editbench.edit", "editbench.score", "editbench.report", "editbench.fleet", *MODELS)),
        ("report/records/", ("editbench.report.statistics", *ABOVE_STATISTICS)),
        ("report/statistics/", ABOVE_STATISTICS),
        ("report/document.py", ABOVE_STATISTICS[1:]),
        ("report/render/", ("editbench.report.stage",)),
        ("world/", ("editbench.edit", "editbench.report", "editbench.fleet", "editbench.benchmarks", "editbench.cli")),
    ],
)
def test_a_layer_knows_nothing_of_those_beside_and_above_it(layer: str, forbidden: tuple[str, ...]) -> None:
    assert any(name.startswith(layer) for name in FILES)
    assert breaches(layer, forbidden) == []


def test_only_the_training_of_a_judge_knows_models_in_the_small_world() -> None:
    every = breaches("world/", ("editbench.score", *MODELS))
    assert [breach for breach in every if not breach.startswith("world/training/")] == []


@pytest.mark.parametrize(
    "name",
    [
        "paths",
        "errors",
        "printable",
        "console",
        "atomic",
        "records",
        "shards",
        "identity",
        "images",
        "edits",
        "files",
        "manifests",
        "run_folder",
        "fencing",
        "usage",
        "wording",
    ],
)
def test_the_words_of_the_project_know_no_stage_and_no_model(name: str) -> None:
    stages = tuple(f"editbench.{stage}" for stage in ("edit", "score", "report", "fleet", "benchmarks", "cli"))
    assert breaches(f"{name}.py", (*stages, *MODELS)) == []


def prints(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("print", "Console", "pprint") or called.endswith(
                (".Console", ".echo", ".secho", "stdout.write", "stderr.write")
            ):
                yield f"{called} in line {node.lineno}"


def test_only_the_console_prints() -> None:
    printing = {name: calls for name, tree in FILES.items() if (calls := list(prints(tree)))}
    assert printing.keys() == {"console.py"}, printing


def test_only_paths_spells_the_names_of_our_files() -> None:
    suffixes = (".json", ".jsonl", ".tar", ".md", ".html", ".csv", ".log")
    spelling = ("paths.py", "foreign_paths.py")
    ours = {
        text
        for name in spelling
        for text in texts(FILES[name])
        if text.endswith(suffixes) and text not in suffixes and "*" not in text
    }
    assert {"manifest.json", "identity.json", "failures.jsonl", "scores.jsonl"} <= ours
    words = {name: [text for text in texts(tree) if " " not in text] for name, tree in FILES.items()}  # prose may name one
    assert {name for name, said in words.items() if any(entry in text for text in said for entry in ours)} <= {*spelling}


def test_files_and_functions_stay_short() -> None:
    functions = {
        f"{name}: {node.name}": node.end_lineno - node.lineno + 1
        for name, tree in FILES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: lines for name, lines in functions.items() if lines > 60} == {}
    lengths = {name: len((ROOT / name).read_text("utf-8").splitlines()) for name in FILES}
    assert {name: lines for name, lines in lengths.items() if lines > 400} == {}


def test_every_module_says_what_it_is() -> None:
    assert [name for name, tree in FILES.items() if tree.body and not ast.get_docstring(tree)] == []


def test_the_map_for_newcomers_names_what_is_there() -> None:
    text = (ROOT.parent / "CONTRIBUTING.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("    ")]
    folder, names = ROOT.parent, []
    for line in lines[2:]:  # behind the two commands
        if room := re.match(r" {4}(editbench|tests)/\S*", line):
            folder = ROOT.parent / room[0].strip()
            names.append(folder)
        else:
            names += [folder / name.strip("/") for name in re.split(r", | \.\.\. ", line[6:].split("   ")[0])]
    assert len(names) > 100
    assert [str(path) for path in names if not path.exists() and not path.with_name(f"{path.name}.py").exists()] == []
    rooms = {path.parent for path in map(ROOT.joinpath, FILES) if path.name == "__init__.py"}
    assert [str(path) for path in rooms if f"{path.name}/" not in text] == []


def test_no_number_of_a_report_goes_through_a_blas() -> None:
    # Its kernels add up in orders of their own, which the machine chooses.
    products = {"dot", "vdot", "inner", "matmul", "tensordot", "einsum", "cov", "corrcoef", "linalg", "multivariate_normal"}
    uses = {
        f"{name}: {ast.unparse(node)}"
        for name, tree in FILES.items()
        if name.startswith("report/")
        for node in ast.walk(tree)
        if (isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult))
        or (isinstance(node, ast.Attribute) and node.attr in products)
    }
    assert uses == set()


def test_any_exception_is_caught_at_the_boundaries_alone() -> None:
    """Of a command, of a rank, of an item and its samples, and of the packages of object stores."""
    broad = {
        name
        for name, tree in FILES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
    }
    assert broad == {"cli.py", "fleet/rank.py", "fleet/failure.py", "remote/store.py"}


def test_there_is_no_assert_at_run_time() -> None:
    assert [name for name, tree in FILES.items() if any(isinstance(node, ast.Assert) for node in ast.walk(tree))] == []
