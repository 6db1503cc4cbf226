from __future__ import annotations

import hashlib
import json
import pickle
import re
import tomllib
from contextlib import suppress
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest

from editbench.errors import UserError
from editbench.records import Sample
from editbench.score import rubric

SMALL = """
name = "small"
version = 3
scale = [1, 5]
languages = ["en", "zh"]
extras = ["easy"]
score = "half + (quality if easy else success) / 2"
[steps]
half = "min(success, quality) / 2"
[headline]
aggregate = "both"
percent = [1, 25]
accuracy = true
[headline.pools]
nature = ["physical"]
overall = ["nature", "causal"]
[categories]
physical = ["物理"]
causal = []
[criteria.success]
range = [1, 5]
labels = ["Edit Success"]
[criteria.success.text]
en = "is it done?"
zh = "做到了吗？"
[criteria.quality]
range = [1, 5]
[criteria.quality.text]
en = "is it well made?"
zh = "做得好吗？"
[questions.edit]
images = ["source", "edited"]
criteria = ["success", "quality"]
[questions.edit.text]
en = "Do: {instruction} ({category}){reference}\\n{guidance}\\n{criteria}"
zh = "要求：{instruction}（{category}）{reference}\\n{guidance}\\n{criteria}"
[reference]
en = " Expected: {reference_text}"
zh = " 预期：{reference_text}"
[form.en]
generate = 'As {"reason": "...", {answers}}'
expected = 'For {criterion}, {lowest} to {highest}: {"score": N}'
[form.zh]
generate = '按 {"reason": "...", {answers}}'
expected = '{criterion}：{lowest}到{highest}，{"score": N}'
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

ANOTHER = """
[questions.look]
images = ["edited"]
criteria = ["success"]
[questions.look.text]
en = "Look."
zh = "看。"
"""


def make(category: str = "physical", instruction: str = "Melt it", language: str = "en", **fields: Any) -> Sample:
    return Sample(key=f"k-{category}", id="1", instruction=instruction, category=category, language=language, **fields)


def small(*changes: str, then: str = "") -> rubric.Rubric:
    """SMALL with some texts replaced: old, new, old, new ... `then` follows it."""
    whole = SMALL
    for old, new in zip(changes[::2], changes[1::2], strict=True):
        assert old in whole
        whole = whole.replace(old, new, 1)
    return rubric.parse(whole + then, "small.toml")


def text(chosen: rubric.Rubric, sample: Sample, language: str | None = None, readout: str = "generate") -> str:
    (ask,) = chosen.asks(sample, language, readout)
    return ask.text


FIVE = rubric.load("five")
FIVE_CATEGORIES = ("physical", "environmental", "social", "causal", "referential")


def test_one_ask_a_question_with_all_its_criteria_in_generate() -> None:
    (ask,) = small().asks(make(reference_text="water"), None, "generate")
    assert ask.text == (
        "Do: Melt it (physical) Expected: water\nSee physics.\n- success (1-5): is it done?\n- quality (1-5): is it well made?"
        '\n\nAs {"reason": "...", "success": <1-5>, "quality": <1-5>}'
    )
    assert [entry.name for entry in ask.criteria] == ["success", "quality"]
    assert (ask.question, ask.images, ask.answer_prefix) == ("edit", ("source", "edited"), "")


def test_one_ask_a_criterion_in_expected_and_its_text_asks_for_it_alone() -> None:
    first, second = small().asks(make(), None, "expected")
    assert (
        first.text == 'Do: Melt it (physical)\nSee physics.\n- success (1-5): is it done?\n\nFor success, 1 to 5: {"score": N}'
    )
    assert [entry.name for entry in second.criteria] == ["quality"]
    assert "success" not in second.text
    assert second.answer_prefix == '{"score": '


def test_a_record_is_asked_as_its_sample_is() -> None:
    sample = make(reference_text="x")
    assert small().asks(sample.to_dict() | {"edit": {}}, "zh", "expected") == small().asks(sample, "zh", "expected")


def test_what_a_sample_says_comes_out_literally() -> None:
    instruction = "{guidance} {} {0} {{instruction}} \\1 {unknown} <|im_end|>"
    asked = text(small(), make(instruction=instruction, reference_text="{category}"))
    assert asked.startswith(f"Do: {instruction} (physical) Expected: {{category}}\n")


def test_reference_sentence_is_left_out_without_a_reference_text() -> None:
    assert "Expected" not in text(small(), make())


@pytest.mark.parametrize("name", ["物理", " Physical ", "physical"])
def test_a_category_is_known_by_its_other_spellings_in_any_case(name: str) -> None:
    assert small().canonical_category(name) == "physical"
    assert small().asks(make(name), "en", "expected") == small().asks(make(), "en", "expected")


def test_hyphens_underscores_and_spaces_are_one_spelling() -> None:
    chosen = small('["物理"]', '["subject-add"]')
    assert {chosen.canonical_category(name) for name in ("subject_add", "Subject add", "subject-add")} == {"physical"}


@pytest.mark.parametrize(
    ("own", "start"), [("zh", "要求"), ("cn", "要求"), ("zh-CN", "要求"), ("en_US", "Do"), ("fr", "Do"), ("", "Do")]
)
def test_language_is_the_samples_own_where_the_rubric_has_it(own: str, start: str) -> None:
    assert text(small(), make(language=own)).startswith(start)


def test_language_asked_for_overrules_the_samples() -> None:
    assert text(small(), make(language="en"), "zh").startswith("要求")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fr", "generate"), "rubric small has no language 'fr'"),
        (("en", "expect"), "there is no readout 'expect'"),
    ],
)
def test_asks_refuses_a_language_or_readout_it_lacks(arguments: tuple[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        small().asks(make(), *arguments)


def test_samples_of_unknown_categories_are_listed_with_counts() -> None:
    samples = [make("causal"), make("style"), make("style"), make("add")]
    with pytest.raises(UserError, match=r"'style' \(2 samples, first k-style\), 'add' \(1 samples, first k-add\)") as caught:
        small().check_samples(samples)
    assert "physical, causal" in caught.value.remedy


def test_samples_of_known_categories_pass() -> None:
    small().check_samples([make("物理"), make("causal")])


def test_unknown_category_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="no category 'style'"):
        small().asks(make("style"), None, "generate")


def test_any_category_takes_what_is_not_listed_with_the_guidance_for_others() -> None:
    whole = SMALL.replace("extras", "any_category = true\nextras", 1)
    whole = whole.replace("[guidance.en]", '[guidance.en]\nother = "See."').replace(
        "[guidance.zh]", '[guidance.zh]\nother = "看。"'
    )
    chosen = rubric.parse(whole, "small.toml")
    chosen.check_samples([make("style")])
    assert "(style)\nSee.\n" in text(chosen, make("style"))
    assert chosen.score({"success": 3, "quality": 3}, make("style")) == 3


def test_a_question_with_a_reference_picture_needs_one() -> None:
    chosen = small('images = ["source", "edited"]', 'images = ["edited", "reference"]', then=SECOND)
    assert [ask.question for ask in chosen.asks(make(), None, "generate")] == ["plain"]
    with_picture = chosen.asks(make(), None, "generate", ("source", "edited", "reference"))
    assert [(ask.question, ask.images) for ask in with_picture] == [("edit", ("edited", "reference"))]


def test_categories_and_when_decide_who_is_asked() -> None:
    chosen = small(
        "[questions.edit]", '[questions.edit]\ncategories = ["physical"]', then=SECOND.replace("reference_image", "physical")
    )
    assert [ask.question for name in ("physical", "causal") for ask in chosen.asks(make(name), None, "generate")] == [
        "edit",
        "plain",
    ]


def test_criteria_may_depend_on_the_category() -> None:
    chosen = small(
        'criteria = ["success", "quality"]',
        'criteria = {physical = ["success"], causal = ["quality", "success"]}',
        SCORE,
        "mean(all)",
        "min(success, quality) / 2",
        "first / 2",
    )
    names = [[entry.name for entry in chosen.asks(make(name), None, "generate")[0].criteria] for name in ("physical", "causal")]
    assert names == [["success"], ["quality", "success"]]
    assert chosen.score({"success": 2}, make()) == 2


def test_first_and_second_go_by_the_order_asked() -> None:
    chosen = small('["success", "quality"]', '["quality", "success"]', SCORE, "first")
    assert chosen.score({"success": 2, "quality": 5}, make()) == 5


def test_answers_of_another_range_count_on_the_criterions() -> None:
    (ask,) = small("[questions.edit]", "[questions.edit]\nanswers = [0, 1]").asks(make(), None, "generate")
    assert [(entry.lowest, entry.highest) for entry in ask.criteria] == [(0, 1), (0, 1)]
    assert [ask.criteria[0].value(answer) for answer in (0, 0.5, 1)] == [1, 3, 5]


@pytest.mark.parametrize("value", [True, 1, "yes", "true", [1]])
def test_an_extra_field_that_is_set_is_a_flag(value: object) -> None:
    assert small().score({"success": 1, "quality": 3}, make(extra={"easy": value})) == 2


@pytest.mark.parametrize("value", [None, False, 0, "", "false", "nan", "None", float("nan")])
def test_an_extra_field_that_is_empty_or_not_a_number_is_not_set(value: object) -> None:
    assert small().score({"success": 1, "quality": 3}, make(extra={"easy": value})) == 1


def test_steps_are_told_by_name() -> None:
    assert small().steps({"success": 3, "quality": 5}, make()) == {"half": 1.5}


@pytest.mark.parametrize(
    ("criteria", "problem"),
    [({"success": 3}, "lacks quality"), ({"success": 3, "quality": 3, "beauty": 3}, "has criteria that it is not asked for")],
)
def test_a_score_needs_just_the_criteria_that_were_asked_for(criteria: dict[str, float], problem: str) -> None:
    with pytest.raises(UserError, match=f"rubric small: sample k-physical {problem}"):
        small().score(criteria, make())


def test_show_gives_every_text_under_its_question_and_pictures() -> None:
    chosen = small()
    shown = chosen.show(make(), None, "expected")
    assert "=== 2 of 2: edit (quality 1..5); pictures: source, edited; the answer starts with" in shown
    assert all(ask.text in shown for ask in chosen.asks(make(), None, "expected"))


def test_identity_changes_with_any_letter_of_the_file() -> None:
    assert small().identity() == {
        "name": "small",
        "version": 3,
        "scale": [1, 5],
        "criteria": {"success": [1, 5], "quality": [1, 5]},
        "headline": {
            "aggregate": "both",
            "percent": [1, 25],
            "accuracy": True,
            "pools": {"nature": ["physical"], "overall": ["physical", "causal"]},
        },
        "digest": hashlib.sha256(SMALL.encode()).hexdigest(),
    }
    assert small("See physics.", "See physics!").identity() != small().identity()


def test_a_rubric_survives_pickling() -> None:
    chosen = pickle.loads(pickle.dumps(small()))
    assert chosen.score({"success": 2, "quality": 4}, make()) == small().score({"success": 2, "quality": 4}, make())


SCORE = "half + (quality if easy else success) / 2"
SECOND = """
[questions.plain]
images = ["edited"]
criteria = ["success", "quality"]
when = "not reference_image"
[questions.plain.text]
en = "Look: {criteria}"
zh = "看：{criteria}"
"""

FAULTS = [
    ('name = "small"', "", "small.toml: name: is missing"),
    ('name = "small"', 'name = " "', "small.toml: name: is empty"),
    ('name = "small"', "name = small", "small.toml is not TOML: .*line 2"),
    ("version = 3", 'version = "3"', "version: must be a whole number, not '3'"),
    ("version = 3", "version = true", "version: must be a whole number, not True"),
    ("version = 3", "version = 3\nscales = 1", "scales: unknown key"),
    ("version = 3", "version = 3\nany_category = 1", "any_category: must be true or false"),
    ("scale = [1, 5]", "scale = [5, 1]", "scale: is upside down: 5 is not below 1"),
    ("scale = [1, 5]", "scale = [3, 3]", "scale: is upside down"),
    ("scale = [1, 5]", "scale = [0.5, 5]", "scale: must be two whole numbers"),
    ("scale = [1, 5]", "scale = [1, 2, 3]", "scale: must be two whole numbers"),
    ("scale = [1, 5]", "scale = [1, 4]", "score: .*5 is not on the scale 1..4, for a sample of category physical"),
    ("range = [1, 5]", "range = [5, 1]", "criteria.success.range: is upside down: 5 is not below 1"),
    ("range = [1, 5]", "range = [0, 100]", r"criteria.success.range: \[0, 100\] goes beyond 0..10"),
    ("range = [1, 5]", "range = [-1, 5]", r"criteria.success.range: \[-1, 5\] goes beyond 0..10"),
    ("range = [1, 5]", "ranges = [1, 5]", "criteria.success.range: is missing"),
    ('["Edit Success"]', '["quality"]', "criteria.quality.labels: 'quality' is also a name of success"),
    ('["Edit Success"]', '["Reason"]', "criteria.success.labels: 'Reason' can't be"),
    ('["Edit Success"]', '["5"]', "criteria.success.labels: '5' can't be"),
    ("[criteria.quality]", "[criteria.min]", "criteria.min: 'min' can't be a name in a formula"),
    ("[criteria.quality]", "[criteria.reasoning]", "criteria.reasoning: 'reasoning' can't be a name"),
    ("[criteria.quality]", "[criteria.easy]", "criteria.easy: is also the name of"),
    ("[criteria.quality]", "[criteria.beauty]\nrange = [1, 5]\n[criteria.quality]", "criteria.beauty: no question asks for it"),
    ('en = "is it done?"', "", "criteria.success.text.en: is missing"),
    ('en = "is it done?"', 'en = "{category}?"', "criteria.success.text.en: unknown placeholder {category}"),
    ('["en", "zh"]', '["en", "zh", "fr"]', "questions.edit.text.fr: is missing"),
    ('["en", "zh"]', '["en"]', "questions.edit.text.zh: unknown key"),
    ('["en", "zh"]', "[]", "languages: must name at least one"),
    ('["en", "zh"]', '["en", "zh-CN"]', "languages: 'zh-CN' should be 'zh'"),
    ('["source", "edited"]', '["source", "edit"]', "questions.edit.images: unknown image 'edit'"),
    ('["source", "edited"]', '["source", "source"]', "questions.edit.images: .* each image once"),
    ('["source", "edited"]', '["source", 2]', "questions.edit.images: must be a list of texts"),
    ('["source", "edited"]', "[]", "questions.edit.images: must name at least one"),
    ('["success", "quality"]', '["success", "qualty"]', "questions.edit.criteria: unknown criterion 'qualty'"),
    ('["success", "quality"]', '["success", "success"]', "questions.edit.criteria: must name each criterion once"),
    ('["success", "quality"]', "[]", "questions.edit.criteria: must name 1 to 5 criteria"),
    ('["success", "quality"]', '{style = ["success"]}', "questions.edit.criteria.style: unknown category"),
    ('["success", "quality"]', '{physical = ["success", "quality"]}', "questions: nothing is asked of category causal"),
    ("[questions.edit]", '[questions.edit]\ncategories = ["style"]', "questions.edit.categories: unknown category 'style'"),
    ("[questions.edit]", '[questions.edit]\nwhen = "easy"', "questions: nothing is asked of category physical"),
    ("[questions.edit]", '[questions.edit]\nwhen = "hard"', "questions.edit.when: unknown name hard"),
    ("[questions.edit]", '[questions.edit]\nwhen = "1"', "questions.edit.when: must be true or false, and is a number"),
    ("[questions.edit]", "[questions.edit]\nanswers = [1, 0]", "questions.edit.answers: is upside down"),
    ("[reference]", f"{ANOTHER}[reference]", "questions: criterion success is asked for twice of category physical"),
    (SCORE, "half + succes", r"score: unknown name succes \(did you mean success\?\)"),
    (SCORE, "half +", "score: can't be read: .*at character"),
    (SCORE, "easy", "score: must be a number, and is true or false"),
    (SCORE, "reference_image", "score: unknown name reference_image"),
    (SCORE, "success / (quality - 1)", "score: .*division by zero, for a sample of category physical"),
    (SCORE, "first + third", "score: .*there is no third"),
    ('["success", "quality"]', '{physical = ["success"], causal = ["quality"]}', "steps.half: there is no quality, .*physical"),
    ("half = ", "quality = ", "steps.quality: is already a name"),
    ("min(success, quality) / 2", "later / 2", "steps.half: unknown name later"),
    ('extras = ["easy"]', 'extras = ["is easy"]', "extras: 'is easy' can't be a name"),
    ('"both"', '"median"', "headline.aggregate: unknown aggregate 'median'"),
    ("percent = [1, 25]", "percent = [1]", "headline.percent: must be two numbers"),
    ('["nature", "causal"]', '["natur"]', "headline.pools.overall: unknown category or pool above 'natur'"),
    ('["nature", "causal"]', '["nature", "physical"]', "headline.pools.overall: .* each once"),
    ('["物理"]', '["causal"]', "categories.causal: 'causal' also stands for physical"),
    ('["物理"]', '"物理"', "categories.physical: must be a list of texts"),
    ('causal = "See effects."', "", "guidance.en.causal: is missing"),
    ('causal = "看后果。"', "", "guidance.zh.causal: is missing"),
    ('causal = "See effects."', 'causal = ""', "guidance.en.causal: is empty"),
    ('causal = "See effects."', 'causal = "See {instruction}"', "guidance.en.causal: unknown placeholder {instruction}"),
    ("[guidance.zh]", '[guidance.zh]\nstyle = "x"', "guidance.zh.style: unknown category"),
    ("[guidance.zh]", "[guidance.fr]", "guidance.zh: is missing|guidance.fr: unknown"),
    ("Do: {instruction}", "Do: {instructions}", "questions.edit.text.en: unknown placeholder {instructions}"),
    ("Do: {instruction}", "Do: {0}", r"questions.edit.text.en: unknown placeholder \{0\}"),
    ("[reference]", "[references]", "questions.edit.text.en: unknown placeholder {reference}"),
    (" Expected: {reference_text}", "{reference}", "reference.en: unknown placeholder {reference}"),
    ("For {criterion}, {lowest}", "For {answers}, {lowest}", "form.en.expected: unknown placeholder {answers}"),
    ("expected = '{criterion}：{lowest}到{highest}，{\"score\": N}'", "", "form.zh.expected: is missing"),
    ("[answer_prefix]", "[answer_prefix]\nvote = ''", "answer_prefix.vote: unknown key"),
]


def paths(values: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    inner = [leaf for key, value in values.items() if isinstance(value, dict) for leaf in paths(value, (*path, key))]
    return [*((*path, key) for key in values), *inner]


@pytest.mark.parametrize("value", [1, -1.5, True, "", "x", [], [1], ["x"], {}, {"x": 1}, {"text": 1}], ids=repr)
@pytest.mark.parametrize("path", paths(tomllib.loads(SMALL)), ids=".".join)
def test_a_value_of_any_other_kind_is_taken_or_named_with_its_file(path: tuple[str, ...], value: object) -> None:
    whole = tomllib.loads(SMALL)
    *outer, last = path
    reduce(getitem, outer, whole)[last] = value
    with suppress(UserError):
        assert rubric.parse(json.dumps(whole), "small.toml").identity()
        return
    with pytest.raises(UserError, match=r"^small.toml: \w"):
        rubric.parse(json.dumps(whole), "small.toml")


@pytest.mark.parametrize(("old", "new", "message"), FAULTS)
def test_a_fault_is_named_with_file_and_key(old: str, new: str, message: str) -> None:
    with pytest.raises(UserError, match=f"^small.toml.*({message.removeprefix('small.toml')})"):
        small(old, new)


def test_several_criteria_that_readout_expected_could_not_tell_apart_are_refused() -> None:
    with pytest.raises(UserError, match=r"questions.edit.text.en: has several criteria, .*say \{criteria\}"):
        small("{guidance}\\n{criteria}", "{guidance}", "For {criterion}", "For it")


def test_guidance_that_no_text_uses_is_refused() -> None:
    whole = SMALL.replace("{guidance}", "")
    with pytest.raises(UserError, match=r"guidance.en: no question's text has \{guidance\}"):
        rubric.parse(whole, "small.toml")


def test_a_questions_own_guidance_goes_before_the_rubrics() -> None:
    own = '[questions.edit.guidance.en]\nphysical = "Here: ice."\n'
    chosen = small("[reference]", f"{own}[reference]")
    assert "\nHere: ice.\n" in text(chosen, make())
    assert "\nSee effects.\n" in text(chosen, make("causal"))


def test_a_questions_own_form_goes_before_the_rubrics() -> None:
    own = "[questions.edit.form.en]\ngenerate = ''\nexpected = 'N:'\n"
    chosen = small("[reference]", f"{own}[reference]")
    assert text(chosen, make()).endswith("is it well made?")
    assert chosen.asks(make(), None, "expected")[0].text.endswith("is it done?\n\nN:")


def test_a_slip_of_the_pen_gets_a_suggestion() -> None:
    with pytest.raises(UserError) as caught:
        small("{instruction}", "{instructoin}")
    assert caught.value.remedy.startswith("Did you mean instruction?")


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
    with pytest.raises(UserError, match=r"can't read rubric .*No such file"):
        rubric.load(str(tmp_path / "none.toml"))


def test_misspelt_name_is_refused_with_what_there_is() -> None:
    with pytest.raises(UserError, match="no rubric 'fife'") as caught:
        rubric.load("fife")
    assert caught.value.remedy.startswith("Did you mean five? Shipped: five, ")


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
    asked = FIVE.question(make(category, "Turn it", reference_text="Turned"), language, readout)
    assert all(image in FIVE.questions[0].wordings[language].guidance[category] for image in images)
    assert "Turn it" in asked
    assert "Turned" in asked
    assert not re.search(r"\{\s*\w+\s*\}", asked)


@pytest.mark.parametrize("category", FIVE_CATEGORIES)
@pytest.mark.parametrize(("language", "level"), [("en", "- {}: "), ("zh", "- {}分：")])
def test_five_anchors_every_level(category: str, language: str, level: str) -> None:
    guidance = FIVE.questions[0].wordings[language].guidance[category]
    assert all(level.format(score) in guidance for score in (0, 3, 5, 8, 10))


def test_five_asks_for_the_reason_before_the_score() -> None:
    form = FIVE.questions[0].wordings["en"].forms["generate"].fill({})
    assert 0 < form.index('"reason"') < form.index('"score"')
