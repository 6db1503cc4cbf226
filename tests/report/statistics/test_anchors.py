from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from editbench.errors import UserError
from editbench.records import Judgement
from editbench.report.records import runs
from editbench.report.records.runs import ScoredRun
from editbench.report.statistics import anchors, checks
from editbench.report.statistics.aggregate import summarise

from ..conftest import judgement

Make = Callable[..., Path]
SCORES = [2.0, 4.0, 6.0, 8.0, 3.0, 7.0]


def _anchors(scores: Sequence[float | None]) -> list[Judgement]:
    return [judgement(f"x{index}", "a", f"g{index}", score) for index, score in enumerate(scores)]


def _runs(make: Make, **scores: Sequence[float | None]) -> dict[str, ScoredRun]:
    return {name: runs.load(make(name, anchors=_anchors(given))) for name, given in scores.items()}


def test_a_shift_is_told_against_the_first_run_with_the_same_anchors(make_scores: Make) -> None:
    plain = {"plain": runs.load(make_scores("plain"))}
    shifts = anchors.shifts(plain | _runs(make_scores, one=SCORES, two=[score - 1.5 for score in SCORES]))
    assert list(shifts) == ["two"]
    two = shifts["two"]
    assert (two.reference, two.n, two.groups, two.shift.value, two.correlation) == ("one", 6, 6, -1.5, 1.0)
    assert (two.shift.interval, two.edits) == ((-1.5, -1.5), "edits of anchors")


def test_only_anchors_that_both_scored_count(make_scores: Make) -> None:
    # Without the third: differences 1 and -2 and 0 0 0.
    two = anchors.shifts(_runs(make_scores, one=[*SCORES[:2], None, *SCORES[3:]], two=[3.0, 2.0, *SCORES[2:]]))["two"]
    assert (two.n, two.shift.value) == (5, -0.2)
    assert two.shift.interval[0] < -0.2 < two.shift.interval[1]


def test_the_reference_may_be_the_scores_of_the_anchor_edits_themselves(make_scores: Make) -> None:
    reference = runs.load(make_scores("reference", editor="anchors", judgements=_anchors(SCORES)))
    shifts = anchors.shifts(_runs(make_scores, one=[score + 1 for score in SCORES]), reference)
    assert (shifts["one"].reference, shifts["one"].shift.value) == ("anchors", 1.0)


def test_the_reference_may_be_one_of_the_runs(make_scores: Make) -> None:
    given = _runs(make_scores, one=SCORES, two=[5.0] * 6)
    shifts = anchors.shifts(given, given["two"])
    assert (list(shifts), shifts["one"].reference, shifts["one"].correlation) == (["one"], "two", None)


def test_a_reference_of_other_edits_is_refused(make_scores: Make) -> None:
    with pytest.raises(UserError, match="no other run scored the same edits as anchors"):
        anchors.shifts(_runs(make_scores, one=SCORES), runs.load(make_scores("other")))


def test_other_scales_have_no_shift(make_scores: Make) -> None:
    other = runs.load(make_scores("two", rubric={"scale": [0, 100]}, anchors=_anchors(SCORES)))
    assert anchors.shifts(_runs(make_scores, one=SCORES) | {"two": other}) == {}


def test_a_scale_that_moved_is_a_warning(make_scores: Make) -> None:
    given = _runs(make_scores, one=SCORES, two=[score - 1.5 for score in SCORES])
    moved = anchors.shifts(given)["two"]
    (warning,) = [each for each in checks.diagnose(summarise(given["two"], "two", anchors=moved)) if "moved" in each]
    told = "it scores the same 6 anchor edits 1.50 lower than in one (-1.50 to -1.50)"
    assert warning == f"the judge's scale moved: {told}"
