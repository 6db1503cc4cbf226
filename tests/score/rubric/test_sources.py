from __future__ import annotations

import re
from pathlib import Path

import pytest

from editbench.errors import UserError
from editbench.records import READOUTS, Sample
from editbench.score import rubric

from ..small_rubric import SMALL, make, small, text

SAMPLE = Sample(key="k", id="1", instruction="Add {a} <cat>", category="physical")


def write(folder: Path, text: str, name: str = "mine.toml") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def test_a_rubric_that_extends_another_holds_only_what_differs(tmp_path: Path) -> None:
    mine = rubric.load(write(tmp_path, 'extends = "five"\nname = "mine"\n[guidance.en]\nphysical = "See ice."\n'))
    five = rubric.load("five")
    assert mine.name == "mine"
    assert "See ice." in text(mine, SAMPLE, "en", "generate")
    assert text(mine, SAMPLE, "zh", "generate") == text(five, SAMPLE, "zh", "generate")


def test_its_text_stands_alone_and_holds_what_it_extends(tmp_path: Path) -> None:
    write(tmp_path, rubric.load("five").text, "base.toml")
    path = write(tmp_path, 'extends = "base.toml"\nname = "mine"\n')
    mine = rubric.load(path)
    again = rubric.parse(mine.text, "the rubric")
    assert (again.identity(), again.text) == (mine.identity(), mine.text)
    write(tmp_path, rubric.load("five").text.replace("Image 1", "Picture 1"), "base.toml")
    assert rubric.load(path).identity() != mine.identity()


def test_a_fault_is_named_with_the_file_it_lies_in(tmp_path: Path) -> None:
    write(tmp_path, rubric.load("five").text.replace("\n{guidance}", "\n{guidence}", 1), "base.toml")
    with pytest.raises(UserError, match=r"base.toml: questions.edit.text.en: unknown placeholder"):
        rubric.load(write(tmp_path, 'extends = "base.toml"\nname = "mine"\n'))
    with pytest.raises(UserError, match=r"mine.toml: questions.edit.text.en: unknown placeholder"):
        rubric.load(write(tmp_path, 'extends = "five"\n[questions.edit.text]\nen = "{x}"\n'))


def test_rubrics_that_extend_each_other_are_refused(tmp_path: Path) -> None:
    write(tmp_path, 'extends = "mine.toml"\n', "other.toml")
    with pytest.raises(UserError, match=r"mine.toml: extends: goes round in a circle"):
        rubric.load(write(tmp_path, 'extends = "other.toml"\n'))


@pytest.mark.parametrize(
    ("text", "problem"),
    [("extends = 1", "extends: must be"), ('extends = "fife"', "no rubric"), ('extends = "a.toml"', "can't read")],
)
def test_extending_what_is_not_there_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        rubric.load(write(tmp_path, text))


def with_prompt(folder: Path, entry: str, prompt: str = 'Do <instruction>. {"score": []} {instruction}') -> rubric.Rubric:
    (folder / "prompts").mkdir(exist_ok=True)
    write(folder / "prompts", prompt, "sc.txt")
    return rubric.load(write(folder, f'extends = "five"\nname = "mine"\n[questions.edit.text]\nen = {entry}\n'))


TOKENS = '{ file = "prompts/sc.txt", placeholders = { "<instruction>" = "instruction" } }'


def test_a_text_may_be_another_files_with_tokens_of_its_own(tmp_path: Path) -> None:
    mine = with_prompt(tmp_path, TOKENS)
    asked = text(mine, SAMPLE, "en", "generate")
    assert asked.startswith('Do Add {a} <cat>. {"score": []} {instruction}\n\n')


def test_another_files_text_is_in_the_rubrics_and_in_its_digest(tmp_path: Path) -> None:
    first, second = (with_prompt(tmp_path, TOKENS, f"{word} <instruction>") for word in ("Do", "Make"))
    assert "Do <instruction>" in first.text
    assert first.identity()["digest"] != second.identity()["digest"]
    assert text(rubric.parse(first.text, "x"), SAMPLE, "en", "expected") == text(first, SAMPLE, "en", "expected")


def test_without_tokens_another_files_text_has_placeholders(tmp_path: Path) -> None:
    mine = with_prompt(tmp_path, '{ file = "prompts/sc.txt" }', "Do {instruction}: {guidance}")
    assert text(mine, SAMPLE, "en", "generate").startswith("Do Add {a} <cat>: Category: physical")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ('{ file = "none.txt" }', r"can't read .*none.txt"),
        (TOKENS.replace('"instruction" }', '"instructions" }'), r"questions.edit.text.en: unknown placeholder {instructions}"),
        (TOKENS.replace("<instruction>", "<prompt>"), r"questions.edit.text.en: token '<prompt>' is not in the text"),
        (TOKENS.replace("placeholders", "holders"), r"questions.edit.text.en.text: is missing"),
        ("{ text = 'x', placeholders = {} }", r"questions.edit.text.en.placeholders: must be a table of texts"),
    ],
)
def test_a_fault_in_another_files_text_is_named(tmp_path: Path, entry: str, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        with_prompt(tmp_path, entry)


def test_template_is_a_whole_rubric_and_not_among_the_shipped() -> None:
    start = rubric.parse(rubric.template(), "template.toml")
    assert start.name not in rubric.names()
    assert start.score({"success": 9, "preservation": 4, "quality": 9}, SAMPLE) == 6
    assert all(start.asks(SAMPLE, None, readout) for readout in READOUTS)


def test_loads_a_file_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(SMALL.replace("\n", "\r\n").encode("utf-8-sig"))
    assert rubric.load(str(path)).asks(make(), None, "generate") == small().asks(make(), None, "generate")


def test_fault_in_a_file_names_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("name = 1", encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(str(path))):
        rubric.load(str(path))


def test_file_that_is_missing_or_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not UTF-8"):
        rubric.load(str(tmp_path / "binary.toml"))
    with pytest.raises(UserError, match=r"can't read .*No such file"):
        rubric.load(str(tmp_path / "none.toml"))


def test_misspelt_name_is_refused_with_what_there_is() -> None:
    with pytest.raises(UserError, match="no rubric 'fife'") as caught:
        rubric.load("fife")
    assert caught.value.remedy.startswith("Did you mean five? Shipped: editscore, five, ")
