from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from editbench.report import runs
from editbench.report.aggregate import ranked, summarise

from .conftest import judgement

Make = Callable[..., Path]


def test_micro_takes_all_samples_alike(make_scores: Make) -> None:
    micro = summarise(runs.load(make_scores()), "r").micro
    assert (micro.n, micro.scored, micro.coverage) == (6, 5, 0.833333)
    assert (micro.mean, micro.median, micro.min, micro.max) == (5.6, 6.0, 2.0, 9.0)
    assert (micro.std, micro.mean_failures_lowest) == (2.701851, 4.666667)
    assert micro.statuses == {"ok": 5, "unparsed": 1}


def test_micro_interval_by_hand(make_scores: Make) -> None:
    # Residuals g1: -3.6 -1.6, g2: 0.4 3.4, g3: 1.4; sums -5.2, 3.8, 1.4; se^2 = 3/2 * 43.44 / 25; t(2) = 4.302653.
    half = 4.302653 * math.sqrt(1.5 * 43.44 / 25)
    assert summarise(runs.load(make_scores()), "r").micro.interval == pytest.approx((5.6 - half, 5.6 + half), abs=1e-5)


def test_macro_takes_all_categories_alike(make_scores: Make) -> None:
    macro = summarise(runs.load(make_scores()), "r").macro
    assert (macro.mean, macro.categories, macro.left_out) == ((4 + 8) / 2, 2, [])
    assert macro.mean_failures_lowest == pytest.approx((4 + 16 / 3) / 2, abs=1e-6)


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


def test_runs_are_ranked_by_micro_mean_and_ties_share_a_rank(make_scores: Make) -> None:
    scores = {"low": 1.0, "none": None, "high": 9.0, "also": 9.0}
    found = ranked([summarise(runs.load(make_scores(name, rows=[("a", "g", score)])), name) for name, score in scores.items()])
    assert [(rank, run.label) for rank, run in found] == [(1, "also"), (1, "high"), (3, "low"), (4, "none")]
