from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from editbench.report import stage
from editbench.report.render.html import verdict, view

from .conftest import QUICK

MakeScores = Callable[..., Path]


def rows(*scores: float | None, category: str = "causal") -> Sequence[tuple[str, str, float | None]]:
    return [(category, f"g{index}", score) for index, score in enumerate(scores)]


@pytest.fixture
def document(make_scores: MakeScores, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """report.json of runs that are given as the rows of each."""

    def make(**runs: Sequence[tuple[str, str, float | None]]) -> dict[str, Any]:
        folders = [make_scores(name, given, editor=name) for name, given in runs.items()]
        return orjson.loads(orjson.dumps(stage.report(folders, tmp_path / "report", QUICK).document()))

    return make


def test_a_clear_difference_is_told_from_the_better_runs_side(document: Callable[..., dict[str, Any]]) -> None:
    better = [4.0, 5.0, 6.0, 5.0, 4.5, 6.5, 5.5, 4.0]
    (pair,) = verdict.verdicts(document(good=rows(*better), bad=rows(*(score - 2.1 for score in better[:-1]), 2.0)))
    assert (pair.better, pair.worse, pair.significant) == ("good", "bad", True)
    assert 0 < pair.interval[0] < pair.difference < pair.interval[1]


def test_a_difference_that_chance_explains_is_not_called_one(document: Callable[..., dict[str, Any]]) -> None:
    one, two = (1.0, 9.0, 4.0, 6.0, 5.0, 5.0), (3.0, 6.0, 8.0, 5.0, 5.0, 4.0)
    (pair,) = verdict.verdicts(document(one=rows(*one), two=rows(*two)))
    assert (pair.significant, pair.few_groups) == (False, None)
    assert pair.detectable > pair.difference
    (pair,) = verdict.verdicts(document(first=rows(*one[:4]), second=rows(*two[:4])))
    assert (pair.significant, pair.few_groups, pair.detectable) == (False, 4, None)


def test_verdicts_on_the_leaders_come_first(document: Callable[..., dict[str, Any]]) -> None:
    pairs = verdict.verdicts(document(low=rows(1.0, 2.0), high=rows(8.0, 9.0), middle=rows(5.0, 6.5)))
    assert [{each.better, each.worse} for each in pairs] == [{"high", "middle"}, {"high", "low"}, {"middle", "low"}]


def test_a_category_named_overall_is_not_the_whole(document: Callable[..., dict[str, Any]]) -> None:
    better, same = rows(7.0, 8.0, 9.0, 7.5, category="a"), rows(5.0, category="overall")
    worse = [(category, group, score - 3) for category, group, score in better]
    (pair,) = verdict.verdicts(document(one=[*better, *same], two=[*worse, *same]))
    assert pair.difference == pytest.approx(12 / 5)


def test_without_a_common_score_there_is_no_verdict(document: Callable[..., dict[str, Any]]) -> None:
    assert verdict.verdicts(document(one=rows(1.0, 2.0), none=rows(None, None))) == []


def test_a_warning_of_several_runs_is_told_once() -> None:
    runs = [{"label": "a", "warnings": ["it is odd", "a alone"]}, {"label": "b", "warnings": ["it is odd"]}]
    notices = view.notices({"warnings": ["of both"], "runs": runs}, [("b", "no pictures")])
    assert notices == [("", "of both"), ("a, b", "it is odd"), ("a", "a alone"), ("b", "no pictures")]


def test_the_leaders_weakest_category_comes_first(document: Callable[..., dict[str, Any]]) -> None:
    leader = [*rows(5.0, category="b"), *rows(9.0, category="a"), *rows(None, category="c")]
    (board,) = view.boards(document(other=[(category, group, 1.0) for category, group, _ in leader], leader=leader))
    assert list(board.categories) == ["c", "b", "a"]


def test_a_single_criterion_is_not_told_beside_the_score(document: Callable[..., dict[str, Any]]) -> None:
    runs = document(one=rows(1.0, 2.0))["runs"]
    runs[0]["protocol"]["criteria"] = {"score": {"n": 2, "mean": 1.5, "interval": None}}
    assert view.protocol(runs) == []
