from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
import pytest

from editbench.report.records import runs
from editbench.report.statistics.aggregate import ranked, summarise
from editbench.report.statistics.bootstrap import Bootstrap

from ..conftest import ROWS, judgement

Make = Callable[..., Path]


def test_micro_takes_all_samples_alike(make_scores: Make) -> None:
    micro = summarise(runs.load(make_scores()), "r").micro
    assert (micro.n, micro.scored, micro.coverage) == (6, 5, 0.833333)
    assert (micro.mean, micro.median, micro.min, micro.max) == (5.6, 6.0, 2.0, 9.0)
    assert (micro.std, micro.mean_failures_lowest) == (2.701851, 4.666667)
    assert micro.statuses == {"ok": 5, "unparsed": 1}


def test_intervals_are_by_group_and_stay_on_the_scale(make_scores: Make) -> None:
    # Scores of g1: 2 4, g2: 6 9, g3: 7; three groups tell so little that the interval would leave the scale.
    low, high = Bootstrap(np.array([0, 0, 1, 1, 2])).mean(np.array([2, 4, 6, 9, 7.0]))
    assert (low, high) != pytest.approx((0, 10))
    assert summarise(runs.load(make_scores()), "r").micro.interval == pytest.approx((max(low, 0), min(high, 10)), abs=1e-6)


def test_macro_takes_all_categories_alike(make_scores: Make) -> None:
    macro = summarise(runs.load(make_scores()), "r").macro
    assert (macro.mean, macro.categories, macro.left_out) == ((4 + 8) / 2, 2, [])
    assert macro.mean_failures_lowest == pytest.approx((4 + 16 / 3) / 2, abs=1e-6)


def test_quartiles_and_the_share_at_the_top(make_scores: Make) -> None:
    # 1 2 4 9.5 10: a quarter of the way lies on 2, three quarters on 9.5; the last two are within half a point of 10.
    micro = summarise(runs.load(make_scores(rows=[("a", "g", score) for score in (9.5, 1, 4, 10, 2)])), "r").micro
    assert (micro.q1, micro.median, micro.q3, micro.top_share) == (2.0, 4.0, 9.5, 0.4)


def test_a_histogram_counts_each_scored_sample_once(make_scores: Make) -> None:
    more = [("causal", "g", score) for score in (10.0, 0.0, 2.5)]
    histogram = summarise(runs.load(make_scores(rows=[*ROWS, *more])), "r").histogram
    assert (histogram.edges[0], histogram.edges[1], histogram.edges[-1]) == (0.0, 0.5, 10.0)
    assert {index: count for index, count in enumerate(histogram.counts["causal"]) if count} == {
        0: 1,
        4: 1,
        5: 1,
        8: 1,
        12: 1,
        19: 1,
    }
    assert {index: count for index, count in enumerate(histogram.counts["social"]) if count} == {14: 1, 18: 1}


def test_whole_scores_have_a_bin_each(make_scores: Make) -> None:
    histogram = summarise(runs.load(make_scores(rows=[*ROWS, ("causal", "g", 10.0), ("causal", "g", 0.0)])), "r").histogram
    assert (histogram.edges[:3], histogram.edges[-2:]) == ([0.0, 0.5, 1.5], [9.5, 10.0])
    assert {index: count for index, count in enumerate(histogram.counts["causal"]) if count} == {0: 1, 2: 1, 4: 1, 6: 1, 10: 1}


@pytest.mark.parametrize(
    ("aggregate", "name", "value"), [("micro", "micro", 5.6), ("macro", "macro", 6.0), ("both", "micro", 5.6)]
)
def test_the_rubric_chooses_the_headline(make_scores: Make, aggregate: str, name: str, value: float) -> None:
    headline = summarise(runs.load(make_scores(rubric={"headline": {"aggregate": aggregate}})), "r").headline
    assert (headline.name, headline.value, headline.percent) == (f"{name} mean", value, None)


def test_a_run_is_dumped_as_it_is(make_scores: Make) -> None:
    summary = summarise(runs.load(make_scores()), "r")
    document = orjson.loads(orjson.dumps(summary.document(3, ["careful"])))
    assert (document["label"], document["board"], document["warnings"], document["audit"], document["anchors"]) == (
        "r",
        3,
        ["careful"],
        None,
        None,
    )
    assert document["rubric"] == {"name": "five", "version": "1", "digest": "r0", "scale": [0.0, 10.0], "partial": "drop"}
    assert (document["headline"]["value"], document["overall"]["macro"]["mean"], document["statuses"]["unparsed"]) == (
        5.6,
        6.0,
        1,
    )


def test_a_category_keeps_its_own_numbers(make_scores: Make) -> None:
    social = summarise(runs.load(make_scores()), "r").categories["social"]
    assert (social.n, social.scored, social.mean, social.statuses) == (3, 2, 8.0, {"ok": 2, "unparsed": 1})


def test_languages_are_summed_apart(make_scores: Make) -> None:
    rows = [judgement("a", "social", "g", 4.0), judgement("b", "social", "h", 8.0, language="zh")]
    languages = summarise(runs.load(make_scores(judgements=rows)), "r").languages
    assert {name: part.mean for name, part in languages.items()} == {"en": 4.0, "zh": 8.0}


def test_a_category_without_scores_has_no_mean_and_is_left_out_of_macro(make_scores: Make) -> None:
    summary = summarise(runs.load(make_scores(rows=[("a", "g", 3.0), ("a", "h", 5.0), ("b", "i", None)])), "r")
    empty = summary.categories["b"]
    assert (empty.mean, empty.std, empty.interval, empty.coverage, empty.mean_failures_lowest) == (None, None, None, 0.0, 0.0)
    assert (summary.macro.mean, summary.macro.left_out) == (4.0, ["b"])


def test_runs_are_ranked_by_headline_and_ties_share_a_rank(make_scores: Make) -> None:
    scores = {"low": 1.0, "none": None, "high": 9.0, "also": 9.0}
    ordered = ranked(
        [summarise(runs.load(make_scores(name, rows=[("a", "g", score)])), name) for name, score in scores.items()]
    )
    assert [(rank, run.label) for rank, run in ordered] == [(1, "also"), (1, "high"), (3, "low"), (4, "none")]


def test_a_macro_headline_ranks_by_macro(make_scores: Make) -> None:
    facts = {"headline": {"aggregate": "macro"}}
    many = {
        "even": [("a", "g", 5.0), ("a", "h", 5.0), ("b", "i", 5.0)],
        "odd": [("a", "g", 6.0), ("a", "h", 6.0), ("b", "i", 3.5)],
    }
    made = [summarise(runs.load(make_scores(name, rows=rows, rubric=facts)), name) for name, rows in many.items()]
    assert [run.label for _, run in ranked(made)] == ["even", "odd"]
    assert made[0].micro.mean < made[1].micro.mean
