from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from editbench.report.records import runs
from editbench.report.statistics import checks
from editbench.report.statistics.aggregate import summarise

from ..conftest import ROWS, judgement

Make = Callable[..., Path]


def _diagnose(root: Path) -> list[str]:
    return checks.diagnose(summarise(runs.load(root), "r"))


def test_scores_that_are_all_the_same_are_suspected(make_scores: Make) -> None:
    even = [("a", f"g{index}", 5.0) for index in range(20)]
    (warning,) = _diagnose(make_scores(rows=even))
    assert warning.startswith("all 20 scores are 5.0: the judge may not be answering the question")
    assert _diagnose(make_scores("of a control", rows=even, editor_kind="control")) == []


def test_sound_scores_raise_no_warning(make_scores: Make) -> None:
    assert _diagnose(make_scores(rows=ROWS[:4])) == []


def test_low_coverage_is_told_with_its_reasons(make_scores: Make) -> None:
    (warning,) = _diagnose(make_scores())
    assert warning == "only 5 of 6 samples (83.3%) have a score (1 unparsed): the means leave out the rest"


def test_no_score_at_all_is_told(make_scores: Make) -> None:
    (warning,) = _diagnose(make_scores(rows=[("a", "g", None), ("b", "g", None)]))
    assert warning.startswith("none of the 2 samples has a score (2 unparsed)")


def test_a_category_left_out_of_macro_is_named(make_scores: Make) -> None:
    warnings = _diagnose(make_scores(rows=[("a", "g", 3.0), ("a", "h", 5.0), ("b", "i", None)]))
    assert "no sample of b has a score: the macro mean is over the 1 other category" in warnings


def test_a_judge_that_rarely_gives_allowed_answers_is_suspected(make_scores: Make) -> None:
    rows = [judgement(f"k{index}", "a", f"g{index}", index, mass=0.1 * index) for index in range(3)]
    (warning,) = _diagnose(make_scores(judgements=rows))
    assert "probability of only 0.10" in warning


def test_samples_judged_in_smaller_batches_than_planned_are_told(make_scores: Make) -> None:
    flags = [["short_of_memory"], ["cut"], []]
    rows = [judgement(f"k{index}", "a", f"g{index}", index, flags=several) for index, several in enumerate(flags)]
    (warning,) = _diagnose(make_scores(judgements=rows))
    assert warning.startswith("1 sample judged in smaller batches than planned, for lack of memory")
