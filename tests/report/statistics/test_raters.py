from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import krippendorff
import numpy as np
import orjson
import pytest
from rich.console import Console

from editbench.errors import UserError
from editbench.report.document import Report
from editbench.report.render import terminal
from editbench.report.statistics import raters
from editbench.report.statistics.agreement import STATISTICS
from editbench.report.statistics.raters import RaterPair

from ..conftest import judgement, tables

Make = Callable[..., Path]
Score = Callable[..., Path]


@pytest.fixture
def score(make_scores: Make) -> Score:
    """A score folder of the same edits from another judge: a score a sample, four samples a group."""

    def make(judge: str, scores: Sequence[float | None], **more: str) -> Path:
        rows = [
            judgement(
                f"k{index:02d}",
                "ab"[index % 2],
                f"g{index // 4}",
                value,
                response=f"{judge} on\n{index} " + "x" * 300,
                criteria=None if value is None else {"success": value / 2, "quality": 5 - value / 2},
                steps=None if value is None else {"half": value / 2},
            )
            for index, value in enumerate(scores)
        ]
        return make_scores(
            judge, judgements=rows, judge=judge, rubric={"criteria": {"success": [0, 5], "quality": [0, 5]}}, **more
        )

    return make


@pytest.fixture
def ratings(tmp_path: Path) -> Callable[..., Path]:
    def write(scores: dict[str, float], name: str = "anna") -> Path:
        path = tmp_path / f"{name}.csv"
        path.write_text("key,score\n" + "".join(f"{key},{value}\n" for key, value in scores.items()), encoding="utf-8")
        return path

    return write


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., str]:
    """Ratings of k00, k01 ... by column."""

    def write(name: str = "anna", **columns: Sequence[float]) -> str:
        lines = [",".join(("key", *columns)), *(f"k{index:02d},{','.join(map(str, row))}" for index, row in _rows(columns))]
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join(lines), encoding="utf-8")
        return str(path)

    return write


def _rows(columns: Mapping[str, Sequence[float]]) -> Iterable[tuple[int, tuple[float, ...]]]:
    return enumerate(zip(*columns.values(), strict=True))


def _texts(made: Report) -> tuple[str, str]:
    console = Console(width=80, file=io.StringIO(), highlight=False)
    console.print(terminal.render(made))
    return made.paths.markdown.read_text(encoding="utf-8"), console.file.getvalue()


def _only(made: Report) -> RaterPair:
    (pair,) = made.agreement
    return pair


def test_runs_of_other_edits_have_no_agreement(make_scores: Make, tmp_path: Path) -> None:
    made = tables([make_scores("one", editor="one"), make_scores("two", editor="two")], tmp_path / "out")
    assert orjson.loads(made.paths.json.read_bytes())["agreement"] == []
    assert all("agreement" not in text.lower() for text in _texts(made))


def test_every_pair_of_raters_of_the_same_edits_is_compared(score: Score, ratings: Callable[..., Path], tmp_path: Path) -> None:
    folders = [score("one", [1, 2, 3, 4]), score("two", [1, 3, 2, 4])]
    made = tables(folders, tmp_path / "out", names=["x", "y"], ratings=[str(ratings({"k00": 1, "k03": 5}))])
    assert [tuple(rater.name for rater in pair.raters) for pair in made.agreement] == [("x", "y"), ("x", "anna"), ("y", "anna")]
    assert [pair.n for pair in made.agreement] == [4, 2, 2]


def test_samples_without_a_score_are_left_out(score: Score, tmp_path: Path) -> None:
    made = tables([score("one", [1, None, 3, 4, 5]), score("two", [1, 2, None, 4, 5])], tmp_path / "out")
    assert (_only(made).n, _only(made).groups, _only(made).agreement.spearman.value) == (3, 2, 1.0)


def test_the_report_holds_every_statistic_with_its_interval(score: Score, tmp_path: Path) -> None:
    made = tables(
        [score("one", [index % 10 for index in range(40)]), score("two", [index % 7 for index in range(40)])], tmp_path
    )
    there = orjson.loads(made.paths.json.read_bytes())["agreement"][0]
    text, table = _texts(made)
    for name in STATISTICS:
        value, (low, high) = there[name]["value"], there[name]["interval"]
        assert low < value < high
        assert f"| {value:.2f} ({low:.2f} to {high:.2f}) |" in text
        assert f"{value:.2f}" in table
    assert (there["n"], there["groups"], there["rescaled"]) == (40, 10, False)


def test_the_most_disputed_come_first_with_the_start_of_what_was_written(score: Score, tmp_path: Path) -> None:
    made = tables([score("one", [5, 5, 5, 5]), score("two", [5, 2, 10, 8])], tmp_path / "out")
    first, *rest = _only(made).disputed
    assert [each.key for each in (first, *rest)] == ["k02", "k01", "k03"]
    assert (first.category, first.scores, first.difference) == ("a", (5.0, 10.0), 0.5)
    assert first.responses[1] == ("two on 2 " + "x" * 300)[: raters.QUOTED] + "..."
    assert f"| k02 | a | {first.responses[0]} | {first.responses[1]} | 5.00 | 10.00 | 0.50 |" in _texts(made)[0]


def test_no_more_than_twenty_are_disputed(score: Score, tmp_path: Path) -> None:
    made = tables([score("one", [0] * 30), score("two", list(range(10)) * 3)], tmp_path / "out")
    assert [each.key for each in _only(made).disputed][:3] == ["k09", "k19", "k29"]
    assert len(_only(made).disputed) == raters.DISPUTED


def test_a_rater_who_gives_everyone_the_same_is_shown_as_a_dash(score: Score, tmp_path: Path) -> None:
    made = tables([score("one", [7] * 8), score("two", list(range(8)))], tmp_path / "out")
    assert orjson.loads(made.paths.json.read_bytes())["agreement"][0]["spearman"] == {"value": None, "interval": None}
    assert "| 8 | - | - | " in _texts(made)[0]


def test_ratings_on_another_scale_are_rescaled(score: Score, ratings: Callable[..., Path], tmp_path: Path) -> None:
    scores = [0, 5, 10, 10, 0, 5]
    people = ratings({f"k{index:02d}": 1 + value * 0.4 for index, value in enumerate(scores)})
    made = tables([score("one", scores)], tmp_path / "out", ratings=[f"anna:1-5={people}"])
    pair = _only(made)
    assert pair.rescaled
    assert "rescaled to 0..1" in " ".join(_texts(made)[1].split())
    assert (pair.agreement.krippendorff_alpha.value, list(pair.disputed)) == (1.0, [])


def test_the_scale_of_ratings_is_given_or_else_observed(score: Score, ratings: Callable[..., Path], tmp_path: Path) -> None:
    path = ratings({"k00": 2, "k01": 4})
    made = tables([score("one", [1, 2])], tmp_path / "out", ratings=[f"given:1-5={path}", f"seen={path}"])
    assert all("given: 1 to 5 (given)" in " ".join(text.split()) for text in _texts(made))
    assert [(rater.scale, rater.scale_from) for rater in made.agreement[-1].raters] == [((1, 5), "given"), ((2, 4), "observed")]


def test_ratings_all_the_same_without_a_scale_leave_alpha_open(
    score: Score, ratings: Callable[..., Path], tmp_path: Path
) -> None:
    made = tables([score("one", [1, 2])], tmp_path / "out", ratings=[str(ratings({"k00": 3, "k01": 3}))])
    assert _only(made).agreement.krippendorff_alpha.value is None
    assert "one score only" in _texts(made)[0]


def test_groups_are_the_same_whichever_run_tells_them(score: Score, make_scores: Make, tmp_path: Path) -> None:
    part = [judgement(f"k{index:02d}", "a", f"g{index // 4}", index % 5) for index in (6, 5, 7, 9, 1)]
    made = tables([make_scores("part", judgements=part), score("all", list(range(10)))], tmp_path / "out", names=["p", "a"])
    assert (_only(made).n, _only(made).groups) == (5, 3)


def test_equal_input_gives_equal_bytes(score: Score, tmp_path: Path) -> None:
    folders = [score("one", [1, 2, 3, 4, 6] * 4), score("two", [2, 2, 4, 4] * 5)]
    first, again = (tables(folders, tmp_path / name) for name in ("first", "again"))
    assert [path.read_bytes() for path in first.files] == [path.read_bytes() for path in again.files]


def test_ratings_for_several_sets_of_edits_are_refused(make_scores: Make, ratings: Callable[..., Path], tmp_path: Path) -> None:
    folders = [make_scores("one", editor="one"), make_scores("two", editor="two")]
    with pytest.raises(UserError, match="2 sets of edits"):
        tables(folders, tmp_path / "out", ratings=[str(ratings({"k0": 1}))])


def test_raters_of_one_name_are_refused(score: Score, ratings: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="two raters are called anna"):
        tables([score("one", [1])], tmp_path / "out", names=["anna"], ratings=[str(ratings({"k00": 1}))])
    assert not (tmp_path / "out").exists()


def test_criteria_and_steps_that_people_rated_are_compared_beside_the_score(
    score: Score, table: Callable[..., str], tmp_path: Path
) -> None:
    scores = [0, 2, 4, 6, 8, 10]
    people = table(success=[0, 1, 2, 3, 4, 5], quality=[0, 1, 2, 3, 4, 5], half=[0, 1, 2, 3, 4, 4])
    made = tables(
        [score("one", scores), score("two", [5] * 6)], tmp_path / "out", ratings=[f"anna:0-5={people}"], names=["x", "y"]
    )
    pairs = {(pair.measure, *(rater.name for rater in pair.raters)): pair for pair in made.agreement}
    assert list(pairs)[:4] == [("score", "x", "y"), ("success", "x", "y"), ("success", "x", "anna"), ("success", "y", "anna")]
    assert pairs["success", "x", "anna"].agreement.krippendorff_alpha.value == 1
    assert pairs["quality", "x", "anna"].agreement.spearman.value == -1
    scales = {measure: pairs[measure, "x", "anna"].raters[0].scale_from for measure in ("success", "quality", "half")}
    assert scales == {"success": "rubric", "quality": "rubric", "half": "observed"}
    assert [(each.key, each.scores) for each in pairs["half", "x", "anna"].disputed] == [("k05", (5, 4))]
    document = orjson.loads(made.paths.json.read_bytes())
    assert [pair["measure"] for pair in document["agreement"]] == [measure for measure, *_ in pairs]
    assert all("quality: x and anna" in " ".join(text.split()) for text in _texts(made))


def test_more_than_two_raters_have_an_alpha_together_beside_those_of_each_pair(
    score: Score, table: Callable[..., str], tmp_path: Path
) -> None:
    ratings = np.array([[1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 4, 4, 6, 6, 8, 9], [3, 1, 2, 4, 5, 6, 9, 7]])
    first, second, third = ratings.tolist()
    people = [f"{name}:0-10={table(name, score=values)}" for name, values in (("anna", second), ("bob", third[:6]))]
    made = tables([score("one", first)], tmp_path / "out", ratings=people, names=["judge"])
    (several,) = made.reliability
    expected = ratings.astype(float)
    expected[2, 6:] = np.nan
    alphas = several.reliability
    assert ([rater.name for rater in several.raters], several.n, several.groups) == (["judge", "anna", "bob"], 8, 2)
    assert alphas.krippendorff_alpha_ordinal.value == pytest.approx(
        krippendorff.alpha(expected, level_of_measurement="ordinal"), abs=1e-6
    )
    low, high = alphas.krippendorff_alpha.interval
    told = f"{alphas.krippendorff_alpha.value:.2f} ({low:.2f} to {high:.2f})"
    text, terminal = _texts(made)
    assert told in text
    assert told.replace(" to ", "..") in " ".join(terminal.split())
    document = orjson.loads(made.paths.json.read_bytes())["reliability"][0]
    assert (document["krippendorff_alpha"]["value"], len(document["raters"])) == (alphas.krippendorff_alpha.value, 3)
    assert len(made.agreement) == 3


def test_two_raters_have_no_alpha_together(score: Score, tmp_path: Path) -> None:
    made = tables([score("one", [1, 2]), score("two", [2, 3])], tmp_path / "out")
    assert (len(made.agreement), made.reliability) == (1, [])
