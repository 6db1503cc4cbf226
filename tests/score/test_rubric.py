from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from editbench.errors import UserError
from editbench.records import Sample
from editbench.score import rubric

SMALL = """
name = "small"
version = 3
scale = [1, 5]
languages = ["en", "zh"]
images = ["source", "edited"]
[categories]
physical = ["物理"]
causal = []
[prompt]
en = "Do: {instruction} ({category}){reference}\\n{guidance}"
zh = "要求：{instruction}（{category}）{reference}\\n{guidance}"
[reference]
en = " Expected: {reference_text}"
zh = " 预期：{reference_text}"
[form.en]
generate = 'As {"reason": "...", "score": N}'
expected = 'As {"score": N}'
[form.zh]
generate = '按 {"reason": "...", "score": N}'
expected = '按 {"score": N}'
[guidance.en]
physical = "See physics."
causal = "See effects."
[guidance.zh]
physical = "看物理。"
causal = "看后果。"
[answer_prefix]
generate = ''
expected = '{"score": '
"""


def make(category: str = "physical", instruction: str = "Melt it", language: str = "en", **fields: str) -> Sample:
    return Sample(key=f"k-{category}", id="1", instruction=instruction, category=category, language=language, **fields)


def small(old: str = "", new: str = "") -> rubric.Rubric:
    assert old in SMALL
    return rubric.parse(SMALL.replace(old, new, 1) if old else SMALL, "small.toml")


FIVE = rubric.load("five")
FIVE_CATEGORIES = ("physical", "environmental", "social", "causal", "referential")


def test_question_fills_the_prompt_and_ends_with_the_form() -> None:
    expected = 'Do: Melt it (physical) Expected: water\nSee physics.\n\nAs {"reason": "...", "score": N}'
    assert small().question(make(reference_text="water"), None, "generate") == expected


def test_question_takes_a_record_as_well_as_a_sample() -> None:
    sample = make()
    assert small().question(sample.to_dict(), "zh", "expected") == small().question(sample, "zh", "expected")


def test_reference_sentence_is_left_out_without_a_reference_text() -> None:
    assert "Expected" not in small().question(make(), None, "generate")


def test_instruction_with_braces_comes_out_literally() -> None:
    instruction = "{guidance} {} {0} {{instruction}} \\1 {unknown} <|im_end|>"
    text = small().question(make(instruction=instruction, reference_text="{category}"), None, "generate")
    assert text.startswith(f"Do: {instruction} (physical) Expected: {{category}}\n")


def test_a_category_is_known_by_its_other_spellings_in_any_case() -> None:
    assert [small().canonical_category(name) for name in ("物理", " Physical ", "CAUSAL")] == ["physical", "physical", "causal"]
    assert small().question(make("物理"), "en", "expected") == small().question(make(), "en", "expected")


@pytest.mark.parametrize(
    ("own", "start"), [("zh", "要求"), ("cn", "要求"), ("zh-CN", "要求"), ("en_US", "Do"), ("fr", "Do"), ("", "Do")]
)
def test_language_is_the_samples_own_where_the_rubric_has_it(own: str, start: str) -> None:
    assert small().question(make(language=own), None, "generate").startswith(start)


def test_language_asked_for_overrules_the_samples() -> None:
    assert small().question(make(language="en"), "zh", "generate").startswith("要求")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fr", "generate"), "rubric small has no language 'fr'"),
        (("en", "expect"), "there is no readout 'expect'"),
    ],
)
def test_question_refuses_a_language_or_readout_it_lacks(arguments: tuple[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        small().question(make(), *arguments)


def test_answer_prefix_is_kept_to_the_letter() -> None:
    assert small().answer_prefix("expected") == '{"score": '
    assert small().answer_prefix("generate") == ""


def test_samples_of_unknown_categories_are_listed_with_counts() -> None:
    samples = [make("causal"), make("style"), make("style"), make("add")]
    with pytest.raises(UserError, match=r"'style' \(2 samples, first k-style\), 'add' \(1 samples, first k-add\)") as caught:
        small().check_samples(samples)
    assert "physical, causal" in caught.value.remedy


def test_samples_of_known_categories_pass() -> None:
    small().check_samples([make("物理"), make("causal")])


def test_unknown_category_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="no category 'style'"):
        small().canonical_category("style")


def test_identity_changes_with_any_letter_of_the_file() -> None:
    assert small().identity() == {
        "name": "small",
        "version": 3,
        "scale": [1, 5],
        "digest": hashlib.sha256(SMALL.encode()).hexdigest(),
    }
    assert small("See physics.", "See physics!").identity() != small().identity()


FAULTS = [
    ('name = "small"', "", "small.toml: name: is missing"),
    ('name = "small"', 'name = " "', "small.toml: name: is empty"),
    ('name = "small"', "name = small", "small.toml is not TOML: .*line 2"),
    ("version = 3", 'version = "3"', "version: must be a whole number, not '3'"),
    ("version = 3", "version = true", "version: must be a whole number, not True"),
    ("version = 3", "version = 3\nscales = 1", "scales: unknown key"),
    ("[1, 5]", "[5, 1]", "scale: is upside down: 5 is not below 1"),
    ("[1, 5]", "[3, 3]", "scale: is upside down"),
    ("[1, 5]", "[0, 100]", r"scale: \[0, 100\] goes beyond 0..10"),
    ("[1, 5]", "[-1, 5]", r"scale: \[-1, 5\] goes beyond 0..10"),
    ("[1, 5]", "[0.5, 5]", "scale: must be two whole numbers"),
    ("[1, 5]", "[1, 2, 3]", "scale: must be two whole numbers"),
    ('["en", "zh"]', '["en", "zh", "fr"]', "prompt.fr: is missing"),
    ('["en", "zh"]', '["en"]', "prompt.zh: unknown key"),
    ('["en", "zh"]', "[]", "languages: must name at least one"),
    ('["en", "zh"]', '["en", "zh-CN"]', "languages: 'zh-CN' should be 'zh'"),
    ('["source", "edited"]', '["source", "edit"]', "images: unknown image 'edit'"),
    ('["source", "edited"]', '["source", "source"]', "images: .* each once"),
    ('["source", "edited"]', '["source", 2]', "images: must be a list of texts"),
    ('["物理"]', '["causal"]', "categories.causal: 'causal' also stands for physical"),
    ('["物理"]', '"物理"', "categories.physical: must be a list of texts"),
    ('causal = "See effects."', "", "guidance.en.causal: is missing"),
    ('causal = "看后果。"', "", "guidance.zh.causal: is missing"),
    ('causal = "See effects."', 'causal = ""', "guidance.en.causal: is empty"),
    ('causal = "See effects."', 'causal = "See {instruction}"', "guidance.en.causal: unknown placeholder {instruction}"),
    ("[guidance.zh]", '[guidance.zh]\nstyle = "x"', "guidance.zh.style: unknown key"),
    ("Do: {instruction}", "Do: {instructions}", "prompt.en: unknown placeholder {instructions}"),
    ("Do: {instruction}", "Do: {0}", r"prompt.en: unknown placeholder \{0\}"),
    ("[reference]", "[references]", "prompt.en: unknown placeholder {reference}"),
    (" Expected: {reference_text}", "{reference}", "reference.en: unknown placeholder {reference}"),
    ("expected = '按 {\"score\": N}'", "", "form.zh.expected: is missing"),
    ("[answer_prefix]", "[answer_prefix]\nvote = ''", "answer_prefix.vote: unknown key"),
]


@pytest.mark.parametrize(("old", "new", "message"), FAULTS)
def test_a_fault_is_named_with_file_and_key(old: str, new: str, message: str) -> None:
    with pytest.raises(UserError, match=f"^small.toml.*{message.removeprefix('small.toml')}"):
        small(old, new)


def test_a_slip_of_the_pen_gets_a_suggestion() -> None:
    with pytest.raises(UserError) as caught:
        small("{instruction}", "{instructoin}")
    assert caught.value.remedy.startswith("Did you mean instruction?")


def test_loads_a_file_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(SMALL.replace("\n", "\r\n").encode("utf-8-sig"))
    assert rubric.load(str(path)).question(make(), None, "generate") == small().question(make(), None, "generate")


def test_fault_in_a_file_names_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("name = 1", encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(str(path))):
        rubric.load(str(path))


def test_file_that_is_missing_or_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not UTF-8"):
        rubric.load(str(tmp_path / "binary.toml"))
    with pytest.raises(UserError, match=r"can't read rubric .*No such file"):
        rubric.load(str(tmp_path / "none.toml"))


def test_misspelt_name_is_refused_with_what_there_is() -> None:
    with pytest.raises(UserError, match="no rubric 'fife'") as caught:
        rubric.load("fife")
    assert caught.value.remedy.startswith("Did you mean five? Shipped: five.")


@pytest.mark.parametrize("name", rubric.names())
def test_shipped_rubrics_load_under_their_own_name(name: str) -> None:
    assert rubric.load(name).name == name


def test_five_has_its_five_categories_in_both_languages() -> None:
    assert FIVE.categories == FIVE_CATEGORIES
    assert [FIVE.canonical_category(name) for name in ("物理", "环境", "社会", "因果", "指代")] == list(FIVE_CATEGORIES)
    assert (FIVE.scale, FIVE.images) == ((0, 10), ("source", "edited"))


@pytest.mark.parametrize("readout", rubric.READOUTS)
@pytest.mark.parametrize("category", FIVE_CATEGORIES)
@pytest.mark.parametrize(("language", "images"), [("en", ("Image 1", "Image 2")), ("zh", ("图1", "图2"))])
def test_five_renders_whole(category: str, language: str, images: tuple[str, str], readout: str) -> None:
    text = FIVE.question(make(category, "Turn it", reference_text="Turned"), language, readout)
    assert all(image in FIVE.wordings[language].guidance[category] for image in images)
    assert "Turn it" in text
    assert "Turned" in text
    assert not re.search(r"\{\s*\w+\s*\}", text)


@pytest.mark.parametrize("category", FIVE_CATEGORIES)
@pytest.mark.parametrize(("language", "level"), [("en", "- {}: "), ("zh", "- {}分：")])
def test_five_anchors_every_level(category: str, language: str, level: str) -> None:
    guidance = FIVE.wordings[language].guidance[category]
    assert all(level.format(score) in guidance for score in (0, 3, 5, 8, 10))


def test_five_asks_for_the_reason_before_the_score() -> None:
    form = FIVE.wordings["en"].forms["generate"]
    assert 0 < form.index('"reason"') < form.index('"score"')
