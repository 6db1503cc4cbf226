from __future__ import annotations

import json
import tomllib
from contextlib import suppress
from functools import reduce
from operator import getitem
from typing import Any

import pytest

from editbench.errors import UserError
from editbench.score import rubric

from ..small_rubric import ANOTHER, SCORE, SMALL, make, small, text

FAULTS = [
    ('name = "small"', "", "small.toml: name: is missing"),
    ('name = "small"', 'name = " "', "small.toml: name: is empty"),
    ('name = "small"', "name = small", "small.toml is not TOML: .*line 2"),
    ("version = 3", 'version = "3"', "version: must be a whole number, not '3'"),
    ("version = 3", "version = true", "version: must be a whole number, not True"),
    ("version = 3", "version = 3\nscales = 1", "scales: unknown key"),
    ("version = 3", "version = 3\nany_category = 1", "any_category: must be true or false"),
    ("version = 3", 'version = 3\npartial = "some"', "partial: unknown rule 'some'"),
    ("version = 3", 'version = 3\npartial = "keep"', "steps.half: there is no quality, .* with {'success': 1}"),
    ("version = 3", 'version = 3\ndiffers = ["a", "a"]', "differs: must name each difference once"),
    ("scale = [1, 5]", "scale = [5, 1]", "scale: is upside down: 5 is not below 1"),
    ("scale = [1, 5]", "scale = [3, 3]", "scale: is upside down"),
    ("scale = [1, 5]", "scale = [0.5, 5]", "scale: must be two whole numbers"),
    ("scale = [1, 5]", "scale = [1, 2, 3]", "scale: must be two whole numbers"),
    ("scale = [1, 5]", "scale = [1, 4]", "score: .*5 is not on the scale 1..4, for a sample of category physical"),
    ("range = [1, 5]", "range = [5, 1]", "criteria.success.range: is upside down: 5 is not below 1"),
    ("range = [1, 5]", "range = [0, 101]", r"criteria.success.range: \[0, 101\] goes beyond 0..100"),
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
    ('subsets = ["easy"]', 'subsets = ["hard"]', "headline.subsets: unknown extra field 'hard'"),
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
