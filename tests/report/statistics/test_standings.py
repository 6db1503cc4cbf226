from __future__ import annotations

import math

import numpy as np
import pytest

from editbench.errors import UserError
from editbench.report.statistics import bootstrap, headline, standings

from ..handmade import run

RANDOM = np.random.default_rng(0)
QUALITY = 5 + RANDOM.normal(size=100)
NOISE = RANDOM.normal(size=(3, 100))


def test_equal_settings_over_the_same_samples_share_a_board() -> None:
    runs = {"a": run([1, 2]), "b": run([2, 1], keys=["k1", "k0"]), "c": run([3, math.nan])}
    assert standings.boards(runs) == {"a": 0, "b": 0, "c": 0}
    assert standings.check(runs, force=False) == []


@pytest.mark.parametrize("changed", [{"judge": "other"}, {"rubric": "rise"}, {"settings": {"votes": 3}}, {"keys": ["k0", "x"]}])
def test_any_difference_makes_another_board(changed: dict[str, object]) -> None:
    runs = {"a": run([1, 2]), "b": run([1, 2], **changed), "c": run([1, 2])}
    assert standings.boards(runs) == {"a": 0, "b": 1, "c": 0}


def test_runs_that_can_not_be_compared_are_refused_with_each_value() -> None:
    runs = {"a": run([1, 2]), "b": run([1, 2], judge="other", settings={"votes": 3})}
    with pytest.raises(UserError) as caught:
        standings.check(runs, force=False)
    assert str(caught.value) == "a, b can't be compared: they differ in judge (a: judge, b: other); votes (a: -, b: 3)"
    assert "--force" in caught.value.remedy


def test_other_samples_are_refused_with_their_numbers() -> None:
    with pytest.raises(UserError, match=r"differ in samples \(a: 3, b: 2; 2 in common\)"):
        standings.check({"a": run([1, 2, 3]), "b": run([1, 2])}, force=False)


def test_forced_runs_share_a_board_with_a_warning() -> None:
    runs = {"a": run([1, 2]), "b": run([1, 2], judge="other")}
    assert standings.boards(runs, force=True) == {"a": 0, "b": 0}
    assert standings.check(runs, force=True) == ["the runs should not be compared: they differ in judge (a: judge, b: other)"]


def test_judges_of_the_same_edits_stand_on_boards_of_their_own() -> None:
    runs = {"a": run([1, 2], edits="e"), "b": run([1, 2], edits="e", judge="other")}
    assert standings.boards(runs) == {"a": 0, "b": 1}
    assert standings.check(runs, force=False) == ["the runs stand on 2 leaderboards: they differ in judge (a: judge, b: other)"]


def test_runs_are_linked_over_others() -> None:
    runs = {"a": run([1], edits="e"), "b": run([1], edits="e", judge="other"), "c": run([1], edits="f", judge="other")}
    assert len(standings.check(runs, force=False)) == 1
    with pytest.raises(UserError):
        standings.check({label: runs[label] for label in ("a", "c")}, force=False)


def test_runs_that_tell_no_edits_are_not_linked_by_that() -> None:
    with pytest.raises(UserError):
        standings.check({"a": run([1]), "b": run([1], judge="other")}, force=False)


def test_headline_is_what_the_rubric_ranks_by() -> None:
    assert headline.number(run([1, 1, 4], categories=[0, 0, 1])) == 2
    assert headline.number(run([1, 1, 4], categories=[0, 0, 1], aggregate="macro")) == 2.5
    assert headline.number(run([math.nan])) is None


def test_clearly_different_runs_keep_their_ranks() -> None:
    runs = {name: run(QUALITY + shift) for name, shift in (("a", -1), ("b", 1), ("c", 0))}
    assert standings.rank_ranges(runs) == {"a": (3, 3), "b": (1, 1), "c": (2, 2)}


def test_runs_that_chance_could_swap_share_their_ranks() -> None:
    runs = {"a": run(QUALITY + NOISE[0]), "b": run(QUALITY + NOISE[1]), "c": run(QUALITY + NOISE[2] - 3)}
    assert standings.rank_ranges(runs) == {"a": (1, 2), "b": (1, 2), "c": (3, 3)}


def test_a_range_is_as_wide_as_the_paired_interval_says() -> None:
    # b is better on every sample by nearly the same, far less than samples differ by: no resample swaps them.
    runs = {"a": run(QUALITY), "b": run(QUALITY + 0.1 + 0.01 * NOISE[0])}
    assert standings.rank_ranges(runs) == {"a": (2, 2), "b": (1, 1)}


def test_equal_runs_share_the_first_rank() -> None:
    assert standings.rank_ranges({"a": run(QUALITY), "b": run(QUALITY)}) == {"a": (1, 1), "b": (1, 1)}


@pytest.mark.parametrize("groups", [100, 1200])
def test_equal_runs_share_their_ranks_beside_others_and_however_many_groups(groups: int) -> None:
    random = np.random.default_rng(3)
    quality = 5 + 3 * random.normal(size=groups)
    first, other = (run(quality + random.normal(size=groups)) for _ in range(2))
    ranges = standings.rank_ranges({"a": first, "same": first, "other": other})
    assert ranges["a"] == ranges["same"]


def test_many_groups_have_the_ranges_of_single_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = {name: run(QUALITY + noise) for name, noise in zip("abc", NOISE, strict=True)}
    expected = standings.rank_ranges(runs)
    monkeypatch.setattr(bootstrap, "FEW_GROUPS", 10)
    assert standings.rank_ranges(runs) == expected


def test_groups_are_matched_by_name_over_runs_of_other_samples() -> None:
    keys = [f"k{index}" for index in range(100)]
    # The second run lacks two groups and numbers the others from the last. Matched wrongly, chance could swap the runs.
    other = run((QUALITY + 0.1 + 0.01 * NOISE[0])[:1:-1], keys=keys[:1:-1], names=keys[:1:-1])
    assert standings.rank_ranges({"a": run(QUALITY, keys=keys, names=keys), "b": other}) == {"a": (2, 2), "b": (1, 1)}


def test_a_run_without_an_interval_has_no_range() -> None:
    runs = {"a": run([1, 2]), "b": run([3, 4]), "c": run([1, math.nan])}
    assert standings.rank_ranges(runs)["c"] is None
    assert standings.rank_ranges({"a": run([1, 2])}) == {"a": None}
