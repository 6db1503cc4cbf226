from __future__ import annotations

import hashlib
import pickle

import pytest

from editbench import rubric_cli
from editbench.errors import UserError
from editbench.score import rubric

from ..small_rubric import SCORE, SECOND, SMALL, make, small, text


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
    with pytest.raises(UserError, match=r"'style' \(2 samples, first k-style\), 'add' \(1 sample, first k-add\)") as caught:
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
    shown = rubric_cli._shown(chosen.asks(make(), None, "expected"))
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
            "subsets": ["easy"],
        },
        "spellings": {"physical": "physical", "物理": "physical", "causal": "causal"},
        "any_category": False,
        "digest": hashlib.sha256(SMALL.encode()).hexdigest(),
    }
    assert small("See physics.", "See physics!").identity() != small().identity()


def test_a_rubric_may_keep_what_could_be_read_and_says_so() -> None:
    steps = '[steps]\nhalf = "min(success, quality) / 2"'
    kept = small(f'"{SCORE}"', '"mean(all)"\npartial = "keep"', steps, "")
    assert [kept.score(criteria, make()) for criteria in ({"quality": 2}, {"quality": 2, "success": 5})] == [2, 3.5]
    assert (kept.identity()["partial"], "partial" in small().identity()) == ("keep", False)
    with pytest.raises(UserError, match="lacks success, quality"):
        kept.score({}, make())


def test_first_is_the_first_asked_for_whatever_could_be_read() -> None:
    only = '[steps]\nhalf = "min(success, quality) / 2"'
    kept = small(f'"{SCORE}"', '"second if category == \'x\' else mean(all)"\npartial = "keep"', only, "")
    facts = kept._asked_for({"quality": 2}, make())
    assert kept.scoring.context(*facts)["second"] == 2
    assert "first" not in kept.scoring.context(*facts)


def test_what_differs_on_purpose_is_told_in_sentences() -> None:
    chosen = small("version = 3", 'version = 3\ndiffers = ["Asked\\n in\\tanother way.", "And so on."]')
    assert (
        rubric_cli._differences(chosen)
        == "=== differs on purpose from the official scripts\n- Asked in another way.\n- And so on."
    )
    assert rubric_cli._differences(small()) == ""


def test_a_rubric_survives_pickling() -> None:
    chosen = pickle.loads(pickle.dumps(small()))
    assert chosen.score({"success": 2, "quality": 4}, make()) == small().score({"success": 2, "quality": 4}, make())


def test_several_pictures_of_a_kind_are_all_shown_and_the_text_tells_which_they_are() -> None:
    (ask,) = small().asks(make(), None, "generate", ("source", "source", "edited"))
    assert ask.images == ("source", "source", "edited")
    assert ask.text == (
        "You see 3 pictures, in this order: Image 1.1, Image 1.2, Image 2. "
        'Below, "Image 1" means Image 1.1, Image 1.2 together.\n\n' + text(small(), make())
    )


def test_they_are_told_in_the_language_of_the_text() -> None:
    (ask,) = small().asks(make(), "zh", "generate", ("source", "source", "edited"))
    assert ask.text.startswith("你会依次看到3张图：图1.1、图1.2、图2。下文的“图1”是指图1.1、图1.2这一组图。\n\n要求")


def test_a_category_that_is_taken_without_being_listed_must_be_asked_something() -> None:
    whole = SMALL.replace("extras", "any_category = true\nextras", 1)
    whole = whole.replace("[guidance.en]", '[guidance.en]\nother = "See."').replace(
        "[guidance.zh]", '[guidance.zh]\nother = "看。"'
    )
    whole = whole.replace("[questions.edit]", "[questions.edit]\nwhen = \"category in ('physical', 'causal', 'other')\"")
    with pytest.raises(UserError, match="rubric small: questions: nothing is asked of category style"):
        rubric.parse(whole, "small.toml").check_samples([make(), make("style")])


def test_a_sample_is_in_the_subsets_whose_field_is_really_set() -> None:
    assert [small().subsets(make(extra={"easy": value})) for value in (True, "nan", None)] == [["easy"], [], []]
