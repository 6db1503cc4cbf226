"""A folder of pictures with a text or a table becomes a benchmark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import public_layouts
import pytest

from editbench.benchmarks import stage
from editbench.benchmarks.benchmark import Benchmark
from editbench.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With cat.png, cat 2.png and tree.jpg."""
    for name in ("cat.png", "cat 2.png", "tree.jpg"):
        public_layouts.put(tmp_path / "folder" / name)
    return tmp_path / "folder"


@pytest.fixture
def load(folder: Path) -> Callable[..., dict[str, str]]:
    """Writes a file of the folder and imports all; gives instructions by id."""

    def write_and_import(text: str, name: str = "prompts.txt", **options: Any) -> dict[str, str]:
        (folder / name).write_text(text, "utf-8")
        stage.import_benchmark(folder, out=folder.parent / "out", **options)
        return {sample.id: sample.instruction for sample in Benchmark.open(folder.parent / "out").samples}

    return write_and_import


def test_a_line_is_a_name_and_an_instruction(load) -> None:
    text = "\ufeffcat.png: Make it black.\n\ncat 2, 变成老虎\ntree\tAdd snow: much of it, please.\r\n"
    assert load(text) == {"cat": "Make it black.", "cat 2": "变成老虎", "tree": "Add snow: much of it, please."}


def test_blanks_may_part_them_and_the_longest_name_counts(load) -> None:
    assert load("cat 2 sleeps\ncat sleeps") == {"cat 2": "sleeps", "cat": "sleeps"}


def test_one_line_is_for_all_pictures(load) -> None:
    assert load("Make everything blue.") == dict.fromkeys(("cat 2", "cat", "tree"), "Make everything blue.")


def test_several_lines_of_one_picture_are_as_many_samples(load) -> None:
    assert load("cat: a\ncat: b\ncat.png: c\ntree: d") == {"cat": "a", "cat#2": "b", "cat#3": "c", "tree": "d"}


def test_a_name_without_its_suffix_is_not_guessed(folder, load) -> None:
    public_layouts.put(folder / "tree.png")
    with pytest.raises(UserError, match=r"prompts\.txt:2: it begins with the name of no picture"):
        load("tree.png: a\ntree: b")


def test_pictures_without_a_line_are_told(load, capsys) -> None:
    assert [*load("cat: a\ntree: b")] == ["cat", "tree"]
    assert "pictures without an instruction, left out: cat 2.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.csv", "image,instruction,category\ncat.png,a,c\ntree.jpg,b,d\n"),
        ("metadata.csv", "file_name,instruction,category\ncat.png,a,c\ntree.jpg,b,d\n"),
        ("list.tsv", "image\tinstruction\tcategory\ncat.png\ta\tc\ntree.jpg\tb\td\n"),
        ("metadata.jsonl", '{"file_name": "cat.png", "instruction": "a"}\n{"file_name": "tree.jpg", "instruction": "b"}\n'),
    ],
)
def test_a_table_needs_no_ids(load, name, text) -> None:
    assert load(text, name) == {"cat": "a", "tree": "b"}


def test_ids_and_columns_of_ones_own(load) -> None:
    mapping = {"id": "编号", "image": "图片", "instruction": "指令"}
    assert load("编号,图片,指令\n一,cat.png,变黑\n", "表.csv", mapping=mapping) == {"一": "变黑"}


def test_a_readme_is_no_list_of_instructions(folder, load) -> None:
    (folder / "README.txt").write_text("About these pictures.")
    assert [*load("cat: a")] == ["cat"]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.txt", "cat: a\ndog: b", r"a.txt:2: it begins with the name of no picture"),
        ("a.txt", "cat.png", "a.txt:1: no instruction"),
        ("a.txt", "dog.png: make it black", "a.txt:1: it begins with the name of no picture"),
        ("a.txt", "", "has no lines"),
        ("a.csv", "image,instruction\nnone.png,a\n", "none.png"),
        ("a.csv", "picture,instruction\ncat.png,a\n", "--map image=COLUMN"),
    ],
)
def test_what_is_wrong_is_named(load, name, text, problem) -> None:
    with pytest.raises(UserError) as caught:
        load(text, name, format="folder")
    assert problem in f"{caught.value}\n{caught.value.remedy}"


def test_two_texts_are_not_guessed_between(folder, load) -> None:
    (folder / "other.txt").write_text("cat: x")
    with pytest.raises(UserError, match=r"has several texts: other\.txt, prompts\.txt"):
        load("cat: a", format="folder")
