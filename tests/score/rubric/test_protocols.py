"""The numbers of the public protocols, worked out by hand."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from editbench.errors import UserError
from editbench.records import READOUTS, Sample
from editbench.score import rubric
from editbench.score.rubric import Rubric

VIESCORE, IMGEDIT, STRICT, RISE, KRIS = map(rubric.load, ("viescore", "imgedit", "imgedit-strict", "rise", "kris"))
ALL_IMAGES = ("source", "edited", "reference")
BOTH = ("en", "zh")
LANGUAGES = {
    **dict.fromkeys(("five", "viescore", "world"), BOTH),
    **dict.fromkeys(("editscore", "imgedit", "rise", "kris"), ("en",)),
}


def make(category: str, **fields: Any) -> Sample:
    return Sample(key="k", id="1", instruction="Do it", category=category, **fields)


def asked(chosen: Rubric, sample: Sample, readout: str = "generate", images: tuple[str, ...] = ("source", "edited")) -> Any:
    return {
        ask.question: ([entry.name for entry in ask.criteria], ask.images) for ask in chosen.asks(sample, None, readout, images)
    }


# every rubric that comes with editbench


def cases(readout: str) -> list[tuple[str, str, str]]:
    rubrics = [rubric.load(name) for name in rubric.names()]
    return [
        (chosen.name, category, language)
        for chosen in rubrics
        if readout in chosen.readouts
        for category in (chosen.categories or ("background_change", "subject-add"))
        for language in chosen.languages
    ]


@pytest.mark.parametrize(
    ("readout", "name", "category", "language"), [(readout, *case) for readout in READOUTS for case in cases(readout)]
)
def test_every_shipped_rubric_renders_whole(name: str, category: str, language: str, readout: str) -> None:
    sample = make(category, reference_text="All done")
    for images in (ALL_IMAGES, ALL_IMAGES[:2]):
        asks = rubric.load(name).asks(sample, language, readout, images)
        assert asks
        assert not any(re.search(r"\{\s*\w+\s*\}", ask.text) for ask in asks)
        assert all(set(ask.images) <= set(images) for ask in asks)


@pytest.mark.parametrize("name", rubric.names())
def test_every_shipped_rubric_has_its_languages_and_survives_its_own_text(name: str) -> None:
    chosen = rubric.load(name)
    assert chosen.languages == LANGUAGES[name.partition("-")[0]]
    assert rubric.parse(chosen.text, name).identity() == chosen.identity()


@pytest.mark.parametrize(("name", "category", "language"), cases("expected"))
def test_expected_asks_for_each_criterion_alone(name: str, category: str, language: str) -> None:
    chosen = rubric.load(name)
    together = [entry for ask in chosen.asks(make(category), language, "generate") for entry in ask.criteria]
    alone = chosen.asks(make(category), language, "expected")
    assert [ask.criteria for ask in alone] == [(entry,) for entry in together]
    assert len({(ask.text, ask.images) for ask in alone}) == len(alone)
    assert all(ask.answer_prefix == '{"score": ' for ask in alone)


@pytest.mark.parametrize("name", [name for name in rubric.names() if name not in ("five", "world")])
def test_every_rubric_of_a_public_protocol_tells_what_it_does_otherwise(name: str) -> None:
    assert len(rubric.load(name).differs) > 1


@pytest.mark.parametrize(("name", "possible"), [("kris", True), ("imgedit", True), ("imgedit-strict", False), ("rise", False)])
def test_protocols_that_keep_criteria_can_be_told_to(name: str, possible: bool, tmp_path: Path) -> None:
    file = tmp_path / "kept.toml"
    file.write_text(f'extends = "{name}"\npartial = "keep"\n', encoding="utf-8")
    if possible:
        assert rubric.load(str(file)).partial
    else:
        with pytest.raises(UserError, match="there is no"):
            rubric.load(str(file))


def test_kris_and_imgedit_score_what_could_be_read_as_upstream_does(tmp_path: Path) -> None:
    kept = {}
    for name in ("kris", "imgedit"):
        (tmp_path / f"{name}.toml").write_text(f'extends = "{name}"\npartial = "keep"\n', encoding="utf-8")
        kept[name] = rubric.load(str(tmp_path / f"{name}.toml"))
    assert kept["kris"].score({"quality": 5, "instruction": 2}, make("biology")) == 3.5
    assert kept["imgedit"].score({"visual_naturalness": 4}, make("add")) == 4


# viescore


def test_viescore_asks_of_the_edit_and_of_the_picture_alone() -> None:
    assert asked(VIESCORE, make("subject-add")) == {
        "consistency": (["success", "overediting"], ("source", "edited")),
        "quality": (["naturalness", "artifacts"], ("edited",)),
    }


@pytest.mark.parametrize(
    ("success", "overediting", "naturalness", "artifacts", "sc", "pq", "score"),
    [
        (9, 4, 9, 10, 4, 9, 6),  # sqrt(4 * 9)
        (10, 10, 10, 10, 10, 10, 10),
        (8, 9, 7, 5, 8, 5, 40**0.5),
        (0, 10, 10, 10, 0, 10, 0),
        (2, 8, 8, 9, 2, 8, 4),
    ],
)
def test_viescore_is_the_root_of_the_product_of_minima(
    success: int, overediting: int, naturalness: int, artifacts: int, sc: int, pq: int, score: float
) -> None:
    criteria = {"success": success, "overediting": overediting, "naturalness": naturalness, "artifacts": artifacts}
    assert VIESCORE.score(criteria, make("ps_human")) == pytest.approx(score)
    assert VIESCORE.steps(criteria, make("ps_human")) == {"sc": sc, "pq": pq}


def test_viescore_is_0_to_10_macro_and_shows_the_edit_at_the_sources_size() -> None:
    assert (VIESCORE.scale, VIESCORE.headline["aggregate"], VIESCORE.resize_edited) == ((0, 10), "macro", True)


def test_viescore_takes_any_task_type() -> None:
    VIESCORE.check_samples([make("subject-add"), make("text_change"), make("anything")])


# imgedit

IMGEDIT_NAMES = {
    "replace": ["prompt_compliance", "visual_naturalness", "physical_and_detail_integrity"],
    "remove": ["prompt_compliance", "visual_naturalness", "physical_and_detail_integrity"],
    "add": ["prompt_compliance", "visual_naturalness", "physical_and_detail_coherence"],
    "adjust": ["prompt_compliance", "visual_seamlessness", "physical_and_detail_fidelity"],
    "style": ["style_fidelity", "content_preservation", "rendering_quality"],
    "action": ["action_fidelity", "identity_preservation", "visual_and_anatomical_coherence"],
    "extract": ["object_identity", "mask_precision", "visual_quality"],
    "background": ["instruction_compliance", "visual_seamlessness", "physical_consistency"],
    "compose": ["instruction_compliance", "visual_naturalness", "physical_consistency_and_fine_detail"],
}


def imgedit(chosen: Rubric, category: str, *values: float) -> float:
    return chosen.score(dict(zip(IMGEDIT_NAMES[category], values, strict=True)), make(category))


@pytest.mark.parametrize("category", IMGEDIT_NAMES)
def test_imgedit_has_the_protocols_three_criteria_for_each_kind_of_edit(category: str) -> None:
    assert IMGEDIT.categories == tuple(IMGEDIT_NAMES)
    assert asked(IMGEDIT, make(category)) == {"edit": (IMGEDIT_NAMES[category], ("source", "edited"))}


@pytest.mark.parametrize(
    ("values", "mean", "strict"),
    [
        ((5, 4, 3), 4, 4),
        ((2, 5, 5), 4, 2),
        ((3, 5, 2), 10 / 3, 8 / 3),
        ((1, 5, 5), 11 / 3, 1),
        ((5, 5, 5), 5, 5),
        ((4.5, 5, 4), 4.5, 13 / 3),
    ],
)
@pytest.mark.parametrize("category", ["remove", "style", "compose"])
def test_imgedit_is_the_mean_of_three_and_strict_caps_two_by_the_first(
    category: str, values: tuple[float, ...], mean: float, strict: float
) -> None:
    assert imgedit(IMGEDIT, category, *values) == pytest.approx(mean)
    assert imgedit(STRICT, category, *values) == pytest.approx(strict)


def test_imgedit_is_1_to_5_micro_and_macro() -> None:
    assert (IMGEDIT.scale, IMGEDIT.headline["aggregate"], STRICT.headline) == ((1, 5), "both", IMGEDIT.headline)
    assert IMGEDIT.identity()["digest"] != STRICT.identity()["digest"]


# rise

AC, IR, VP = "appearance_consistency", "instruction_reasoning", "visual_plausibility"


def rise(category: str, *values: float | None, free: Any = None) -> float:
    criteria = {name: value for name, value in zip((AC, IR, VP), values, strict=False) if value is not None}
    return RISE.score(criteria, make(category, extra={"consistency_free": free}))


@pytest.mark.parametrize(
    ("values", "score"),
    [
        ((5, 5, 5), 5),
        ((4, 3, 2), 3.1),  # 1.2 + 1.5 + 0.4
        ((5, 1, 5), 1.5),  # 1.5 + 0.5 + 1.0 = 3, halved
        ((2, 1, 3), 1),  # 0.6 + 0.5 + 0.6 = 1.7, halved 0.85, at least 1
        ((1, 1, 1), 1),
        ((5, 2, 5), 3.5),
    ],
)
@pytest.mark.parametrize("category", ["temporal_reasoning", "causal_reasoning", "spatial_reasoning"])
def test_rise_weighs_three_and_halves_a_wrong_result(category: str, values: tuple[int, ...], score: float) -> None:
    assert rise(category, *values) == pytest.approx(score)


@pytest.mark.parametrize(("values", "score"), [((None, 5, 5), 5), ((None, 4, 2), 3.6), ((None, 1, 5), 1), ((None, 2, 1), 1.8)])
def test_rise_without_consistency_weighs_two(values: tuple[int | None, ...], score: float) -> None:
    assert rise("spatial_reasoning", *values, free=True) == pytest.approx(score)  # (0.8 + 1) / 2 = 0.9, at least 1


@pytest.mark.parametrize("free", [None, float("nan"), False, "", "nan"])
def test_rise_asks_for_consistency_unless_it_is_really_free(free: Any) -> None:
    assert rise("causal_reasoning", 4, 3, 2, free=free) == pytest.approx(3.1)
    sample = make("causal_reasoning", extra={"consistency_free": free})
    assert list(asked(RISE, sample)) == ["consistency", "reasoning", "plausibility"]


def test_rise_does_not_ask_for_consistency_where_it_is_free() -> None:
    assert list(asked(RISE, make("causal_reasoning", extra={"consistency_free": True}))) == ["reasoning", "plausibility"]


@pytest.mark.parametrize(("answers", "score"), [((1, 1), 5), ((0, 1), 3.8), ((1, 0), 1.1), ((0, 0), 1)])
def test_rise_logical_answers_of_0_and_1_count_as_1_and_5(answers: tuple[int, int], score: float) -> None:
    # 0.3 * 1 + 0.7 * 5 = 3.8; 0.3 * 5 + 0.7 * 1 = 2.2, halved
    criteria = [entry for ask in RISE.asks(make("logical_reasoning"), None, "generate") for entry in ask.criteria]
    assert [(entry.name, entry.lowest, entry.highest) for entry in criteria] == [(AC, 0, 1), (IR, 0, 1)]
    values = {entry.name: entry.value(answer) for entry, answer in zip(criteria, answers, strict=True)}
    assert RISE.score(values, make("logical_reasoning")) == pytest.approx(score)


@pytest.mark.parametrize(
    ("category", "reasoning", "score"),
    [
        ("causal_reasoning", 1.4, 1.6),  # (1.5 + 0.7 + 1.0) / 2
        ("causal_reasoning", 1.5, 3.25),
        ("logical_reasoning", 2.9, 1.765),  # (1.5 + 2.03) / 2
        ("logical_reasoning", 3.0, 3.6),
    ],
)
def test_rise_takes_a_mean_for_the_answer_it_is_nearest_to(category: str, reasoning: float, score: float) -> None:
    values = (5, reasoning, None if category == "logical_reasoning" else 5)
    assert rise(category, *values) == pytest.approx(score)


def test_rise_judges_the_result_by_the_reference_picture_where_there_is_one() -> None:
    for category, question in (("temporal_reasoning", "reasoning"), ("logical_reasoning", "logical")):
        assert asked(RISE, make(category))[question] == ([IR], ("edited",))
        assert asked(RISE, make(category), images=ALL_IMAGES)[f"{question}_by_picture"] == ([IR], ("reference", "edited"))


def test_rise_shows_the_reference_text() -> None:
    texts = {
        ask.question: ask.text for ask in RISE.asks(make("causal_reasoning", reference_text="Ice on it"), None, "generate")
    }
    assert [name for name, text in texts.items() if "Ice on it" in text] == ["reasoning"]


def test_rise_is_micro_in_percent_with_accuracy() -> None:
    shown = {"percent": [1, 25], "accuracy": True, "pools": {}, "subsets": []}
    assert RISE.headline == {"title": "RISEBench score", "aggregate": "micro", **shown}
    assert {tuple(ends) for ends in RISE.identity()["criteria"].values()} == {(1, 5)}


# kris

THREE, FOUR = ("consistency", "quality", "instruction"), ("consistency", "quality", "instruction", "knowledge")
SCIENCES = {"biology", "chemistry", "geography", "medicine", "mathematics", "physics"}
KNOWING = {"humanities", "practical_knowledge", *SCIENCES, "abstract_reasoning", "rule-based_reasoning"}


@pytest.mark.parametrize("category", KRIS.categories)
def test_kris_asks_for_knowledge_where_it_takes_some(category: str) -> None:
    questions = asked(KRIS, make(category))
    assert tuple(questions) == (FOUR if category in KNOWING else THREE)
    assert questions["quality"] == (["quality"], ("edited",))


def test_kris_sample_is_the_mean_of_its_criteria() -> None:
    assert KRIS.score(dict(zip(THREE, (5, 4, 3), strict=True)), make("color_change")) == 4
    assert KRIS.score(dict(zip(FOUR, (5, 4, 3, 1), strict=True)), make("physics")) == 3.25


def test_kris_pools_every_value_alike_and_differs_from_the_mean_of_samples() -> None:
    rows = {"color_change": (5, 5, 5), "physics": (1, 1, 1, 1), "rule-based_reasoning": (3, 3, 3, 5)}
    offset, factor = KRIS.headline["percent"]
    percent = {name: [factor * (value - offset) for value in values] for name, values in rows.items()}

    def pooled(pool: str) -> float:
        return fmean(value for name in KRIS.headline["pools"][pool] for value in percent.get(name, ()))

    assert (pooled("factual"), pooled("conceptual"), pooled("procedural")) == (100, 0, 62.5)
    assert pooled("overall") == 50  # (3 * 100 + 4 * 0 + 3 * 50 + 100) / 11
    assert fmean(fmean(values) for values in percent.values()) == pytest.approx(162.5 / 3)


def test_kris_has_seven_dimensions_in_three_kinds_of_knowledge() -> None:
    pools = KRIS.headline["pools"]
    dimensions = ("attribute", "spatial", "temporal", "social", "natural", "logical", "decomposition")
    assert tuple(pools) == (*dimensions, "factual", "conceptual", "procedural", "overall")
    assert sorted(name for dimension in dimensions for name in pools[dimension]) == sorted(KRIS.categories)
    assert [len(pools[kind]) for kind in ("factual", "conceptual", "procedural", "overall")] == [8, 8, 4, 20]
