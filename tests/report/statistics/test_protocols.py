"""The published protocols' numbers on a handful of rows, each worked out by hand in the comment above it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from editbench.records import Judgement, spelling
from editbench.report.records import runs
from editbench.report.statistics import checks
from editbench.report.statistics.aggregate import RunSummary, summarise
from editbench.report.statistics.bootstrap import Bootstrap
from editbench.score import rubric

from ..conftest import judgement

Make = Callable[..., Path]


def _summary(make: Make, name: str, rows: list[Judgement]) -> RunSummary:
    return summarise(runs.load(make(judgements=rows, rubric=rubric.load(name).identity())), "r")


def _vie(key: str, category: str, group: str, sc: int, pq: int, score: float, **more: Any) -> Judgement:
    criteria = {"success": sc, "overediting": 10, "naturalness": 10, "artifacts": pq}
    return judgement(key, category, group, score, criteria=criteria, steps={"sc": sc, "pq": pq}, **more)


@pytest.fixture
def gedit(make_scores: Make) -> RunSummary:
    """score = sqrt(sc * pq)."""
    both = ["Intersection_exist"]
    rows = [
        _vie("a", "style_change", "g1", 4, 9, 6.0, subsets=both),
        _vie("b", "style_change", "g2", 1, 4, 2.0),
        _vie("c", "text_change", "g3", 9, 9, 9.0, subsets=both),
        _vie("d", "style_change", "g1", 4, 4, 4.0, subsets=both, language="cn"),
        _vie("e", "text_change", "g3", 0, 9, 0.0, language="cn"),
        judgement("f", "text_change", "g4", None, language="cn", subsets=both),
    ]
    return _summary(make_scores, "viescore", rows)


def test_gedit_headline_is_the_mean_of_the_task_types(gedit: RunSummary) -> None:
    # style (6 + 2 + 4) / 3 = 4, text (9 + 0) / 2 = 4.5; all alike 21 / 5.
    assert (gedit.headline.name, gedit.headline.value, gedit.headline.percent) == ("macro mean", 4.25, None)
    assert (gedit.categories["style_change"].mean, gedit.categories["text_change"].mean, gedit.micro.mean) == (4.0, 4.5, 4.2)


def test_gedit_is_told_by_language(gedit: RunSummary) -> None:
    # en: style (6 + 2) / 2, text 9; cn: style 4, text 0.
    assert {name: macro.mean for name, macro in gedit.language_macros.items()} == {"cn": 2.0, "en": 6.5}
    # en: SC style (4 + 1) / 2, text 9; PQ style (9 + 4) / 2, text 9.
    steps = gedit.protocol.languages["en"].steps
    assert {name: step.macro for name, step in steps.items()} == {"sc": 5.75, "pq": 7.75}


def test_gedit_is_told_on_the_intersection_too(gedit: RunSummary) -> None:
    # a, c, d, and f without a score: style (6 + 4) / 2, text 9; en: 6, 9; cn: 4.
    part = gedit.subsets["Intersection_exist"]
    assert (part.macro.mean, part.micro.mean, part.micro.n, part.micro.scored) == (7.0, 6.333333, 4, 3)
    assert {name: macro.mean for name, macro in part.language_macros.items()} == {"cn": 4.0, "en": 7.5}
    assert part.language_macros["cn"].left_out == ["text_change"]


def test_gedit_cells_are_of_one_task_type_in_one_language(gedit: RunSummary) -> None:
    means = {language: {name: part.mean for name, part in row.items()} for language, row in gedit.cells.items()}
    assert means == {"cn": {"style_change": 4.0, "text_change": 0.0}, "en": {"style_change": 4.0, "text_change": 9.0}}
    # en, style: SC (4 + 1) / 2, PQ (9 + 4) / 2.
    steps = gedit.protocol.cells["en"]["style_change"].steps
    assert {name: step.mean for name, step in steps.items()} == {"sc": 2.5, "pq": 6.5}


def test_gedit_intersection_has_both_sides_by_language_and_cells(gedit: RunSummary) -> None:
    # a, c, d: SC style (4 + 4) / 2, text 9; PQ style (9 + 4) / 2, text 9. en: SC 4, 9, PQ 9, 9; cn: style alone, 4 and 4.
    parts = gedit.protocol.subsets["Intersection_exist"]
    assert {name: step.macro for name, step in parts.whole.steps.items()} == {"sc": 6.5, "pq": 7.75}
    sides = {language: {name: step.macro for name, step in part.steps.items()} for language, part in parts.languages.items()}
    assert sides == {"cn": {"sc": 4.0, "pq": 4.0}, "en": {"sc": 6.5, "pq": 9.0}}
    cells = gedit.subsets["Intersection_exist"].cells
    assert {(language, name): (part.n, part.mean) for language, row in cells.items() for name, part in row.items()} == {
        ("cn", "style_change"): (1, 4.0),
        ("cn", "text_change"): (1, None),
        ("en", "style_change"): (1, 6.0),
        ("en", "text_change"): (1, 9.0),
    }
    assert parts.cells["en"]["text_change"].steps["pq"].mean == 9.0


def test_gedit_means_of_the_two_sides(gedit: RunSummary) -> None:
    # SC 4 1 9 4 0, style 3, text 4.5; PQ 9 4 9 4 9, style 17 / 3, text 9.
    steps = gedit.protocol.steps
    assert [(steps[name].n, steps[name].mean, steps[name].macro) for name in ("sc", "pq")] == [(5, 3.6, 3.75), (5, 7, 7.333333)]


def test_imgedit_leads_with_micro_and_tells_macro(make_scores: Make) -> None:
    names = ["prompt_compliance", "visual_naturalness", "physical_and_detail_coherence"]
    other = ["prompt_compliance", "visual_seamlessness", "physical_and_detail_fidelity"]
    rows = [
        judgement("a", "add", "g1", 4.0, criteria=dict(zip(names, (5, 4, 3), strict=True))),
        judgement("b", "add", "g2", 2.0, criteria=dict(zip(names, (2, 2, 2), strict=True))),
        judgement("c", "adjust", "g3", 5.0, criteria=dict(zip(other, (5, 5, 5), strict=True))),
    ]
    summary = _summary(make_scores, "imgedit", rows)
    # Micro 11 / 3; macro (3 + 5) / 2.
    assert (summary.headline.name, summary.headline.value, summary.macro.mean) == ("micro mean", 3.666667, 4.0)
    criteria = summary.protocol.criteria
    assert [(criteria[name].n, criteria[name].mean) for name in (names[0], names[2])] == [(3, 4.0), (2, 2.5)]


def _rise(key: str, category: str, score: float, **criteria: float) -> Judgement:
    names = {"ac": "appearance_consistency", "ir": "instruction_reasoning", "vp": "visual_plausibility"}
    return judgement(key, category, key, score, criteria={names[name]: value for name, value in criteria.items()})


@pytest.fixture
def rise(make_scores: Make) -> RunSummary:
    rows = [
        _rise("t", "temporal_reasoning", 4.7, ac=4, ir=5, vp=5),  # 1.2 + 2.5 + 1
        _rise("c", "causal_reasoning", 5.0, ir=5, vp=5),  # consistency_free: 4 + 1
        _rise("s", "spatial_reasoning", 1.5, ac=5, ir=1, vp=5),  # IR 1: half of 1.5 + 0.5 + 1
        _rise("l", "logical_reasoning", 5.0, ac=5, ir=5),  # answered 1 and 1: 1.5 + 3.5
        _rise("m", "logical_reasoning", 1.1, ac=5, ir=1),  # answered 1 and 0: half of 1.5 + 0.7
        judgement("n", "logical_reasoning", "n", None),
    ]
    return _summary(make_scores, "rise", rows)


def test_rise_percent(rise: RunSummary) -> None:
    # 17.3 / 5 = 3.46, 25 (3.46 - 1); logical (5 + 1.1) / 2 = 3.05, 25 (3.05 - 1).
    assert (rise.headline.name, rise.headline.value, rise.headline.percent.value) == ("micro mean", 3.46, 61.5)
    assert rise.protocol.categories["logical_reasoning"].percent == 51.25
    low, high = rise.headline.interval
    assert rise.headline.percent.interval == pytest.approx((25 * (low - 1), 25 * (high - 1)), abs=1e-4)


def test_rise_accuracy_asks_for_every_criterion_that_applies(rise: RunSummary) -> None:
    # Only c, which is not asked for consistency, and l have nothing below 5.
    accuracy = rise.protocol.accuracy
    assert (accuracy.n, accuracy.mean, accuracy.percent) == (5, 0.4, 40.0)
    parts = {name: part.accuracy.mean for name, part in rise.protocol.categories.items()}
    assert parts == {"causal_reasoning": 1, "logical_reasoning": 0.5, "spatial_reasoning": 0, "temporal_reasoning": 0}
    assert 0 <= accuracy.interval[0] < 0.4 < accuracy.interval[1] <= 1
    # n, which has no score, counts as wrong upstream: 2 of 6, and of the logical ones 1 of 3.
    assert accuracy.mean_failures_lowest == 0.333333
    assert rise.protocol.categories["logical_reasoning"].accuracy.mean_failures_lowest == 0.333333


def test_rise_criteria(rise: RunSummary) -> None:
    # AC 4 5 5 5, IR 5 5 1 5 1, VP 5 5 5.
    criteria = {name: (part.n, part.mean, part.percent) for name, part in rise.protocol.criteria.items()}
    assert criteria["appearance_consistency"] == (4, 4.75, 93.75)
    assert criteria["instruction_reasoning"] == (5, 3.4, 60.0)
    assert criteria["visual_plausibility"] == (3, 5.0, 100.0)


def test_a_mean_counts_as_the_top_from_half_a_point_below(make_scores: Make) -> None:
    rows = [_rise("a", "logical_reasoning", 4.5, ac=4.5, ir=4.5), _rise("b", "logical_reasoning", 4.8, ac=5, ir=4.49)]
    assert _summary(make_scores, "rise", rows).protocol.accuracy.mean == 0.5


def _kris(key: str, category: str, group: str, *values: int) -> Judgement:
    names = ("consistency", "quality", "instruction", "knowledge")[: len(values)]
    return judgement(key, category, group, sum(values) / len(values), criteria=dict(zip(names, values, strict=True)))


KRIS = [_kris("a", "Color", "g1", 5, 4, 3), _kris("b", "biology", "g2", 2, 2, 2, 4), _kris("c", "biology", "g3", 5, 5, 5, 5)]


def test_kris_pools_all_values_alike(make_scores: Make) -> None:
    # attribute (5 + 4 + 3) / 3; natural (2 + 2 + 2 + 4 + 20) / 8; overall 42 / 11, 25 (42 / 11 - 1).
    pools = _summary(make_scores, "kris", KRIS).protocol.pools
    assert {name: (pool.n, pool.mean) for name, pool in pools.items()} == {
        **dict.fromkeys(("attribute", "factual"), (3, 4.0)),
        **dict.fromkeys(("natural", "conceptual"), (8, 3.75)),
        "overall": (11, 3.818182),
    }
    assert (pools["attribute"].percent, pools["natural"].percent, pools["overall"].percent) == (75.0, 68.75, 70.454545)


def test_kris_keeps_the_criteria_that_could_be_read(make_scores: Make, tmp_path: Path) -> None:
    file = tmp_path / "kept.toml"
    file.write_text('extends = "kris"\npartial = "keep"\n', encoding="utf-8")
    kept = judgement("d", "Color", "g4", 1.5, criteria={"consistency": 1, "instruction": 2}, flags=["partial"])
    summary = _summary(make_scores, str(file), [*KRIS, kept])
    # attribute (5 + 4 + 3 + 1 + 2) / 5; the mean over samples (4 + 2.5 + 5 + 1.5) / 4; quality 4 2 5.
    assert (summary.protocol.pools["attribute"].n, summary.protocol.pools["attribute"].mean) == (5, 3.0)
    assert (summary.headline.value, summary.protocol.criteria["quality"].n) == (3.25, 3)
    assert (summary.facts.rubric.partial, summary.flags) == ("keep", {"partial": 1})
    assert checks.diagnose(summary) == ["1 of 4 scores leave out criteria that could not be read, as the rubric says (partial)"]


def test_a_sample_with_an_unread_criterion_is_not_at_the_top(make_scores: Make) -> None:
    rows = [_rise("a", "spatial_reasoning", 5.0, ac=5, ir=5, vp=5)]
    rows += [judgement("b", "spatial_reasoning", "b", 5.0, criteria={"visual_plausibility": 5}, flags=["partial"])]
    assert _summary(make_scores, "rise", rows).protocol.accuracy.mean == 0.5


def test_kris_mean_of_samples_is_another_number(make_scores: Make) -> None:
    # (4 + 2.5 + 5) / 3, 25 (11.5 / 3 - 1).
    headline = _summary(make_scores, "kris", KRIS).headline
    assert (headline.name, headline.value, headline.percent.value) == ("micro mean", 3.833333, 70.833333)


def test_values_of_one_picture_are_one_draw_in_a_pool(make_scores: Make) -> None:
    values, groups = np.array([5, 4, 3, 2, 2, 2, 4, 5, 5, 5, 5.0]), np.array([0] * 3 + [1] * 4 + [2] * 4)
    interval = _summary(make_scores, "kris", KRIS).protocol.pools["overall"].interval
    assert interval == pytest.approx(Bootstrap(groups).mean(values), abs=1e-6)


def test_categories_are_spelled_as_rubrics_compare_them(make_scores: Make) -> None:
    facts = runs.load(make_scores(judgements=KRIS, rubric=rubric.load("kris").identity())).facts.rubric
    for name in ("Rule-Based  reasoning", "multi_element-composition", " COUNT "):
        assert facts.canonical(name) == facts.spellings[spelling(name)] != name


def test_rows_without_criteria_have_just_their_score(make_scores: Make) -> None:
    protocol = _summary(make_scores, "rise", [judgement("a", "logical_reasoning", "g", 3.0)]).protocol
    assert (protocol.criteria, protocol.steps, protocol.pools, protocol.accuracy.mean) == ({}, {}, {}, None)
