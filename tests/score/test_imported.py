"""Criteria from another tool's table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from editbench.errors import Incomplete, UserError
from editbench.fleet.run_options import RunOptions
from editbench.records import EDIT_FAILED, OK, OUT_OF_RANGE, UNPARSED
from editbench.score.imported import Provenance, import_scores

from .test_recorded import KEYS, rows

HEAD = "sample,kind,success,overediting,naturalness,artifacts,by"


def imported(tmp_path: Path, *cells: str, rubric: str = "viescore", failures: str = "0", **more: Any) -> dict:
    table = tmp_path / "table.csv"
    table.write_text("\n".join((HEAD, *cells)))
    about, mapping = Provenance(model="m", judge="j"), {"key": "sample", "category": "kind"}
    import_scores(table, rubric, tmp_path / "scores", RunOptions(max_failures=failures), about, mapping=mapping, **more)
    return rows(tmp_path / "scores")


def test_criteria_become_scores_by_the_rubric(tmp_path: Path) -> None:
    found = imported(tmp_path, "a,x,9,4,8,9,m", "b,x,9,4,,9,m", "c,y,9,11,8,9,m", "d,y,9,4,8,good,m")
    assert {key: (row.status, row.score, row.category) for key, row in found.items()} == {
        "a": (OK, pytest.approx(32**0.5, abs=1e-6), "x"),
        "b": (UNPARSED, None, "x"),
        "c": (OUT_OF_RANGE, None, "y"),
        "d": (UNPARSED, None, "y"),
    }
    assert found["a"].steps == {"sc": 4, "pq": 8}


def test_only_the_rows_asked_for_count(tmp_path: Path) -> None:
    cells = ("a,x,9,4,8,9,m", "a,x,1,1,1,1,n")
    with pytest.raises(UserError, match="a comes twice"):
        imported(tmp_path, *cells)
    assert imported(tmp_path, *cells, where={"by": "n"})["a"].score == 1


def test_rows_are_of_the_edits_that_are_given(make_edits: Callable[..., Path], tmp_path: Path) -> None:
    edits = make_edits(("social",))
    cells = [f"{key},ignored,9,4,8,9,m" for key in KEYS[1:]]
    with pytest.raises(Incomplete, match="1 of 5 samples"):
        imported(tmp_path, *cells, edits=edits)
    found = imported(tmp_path, *cells, edits=edits, failures="1")
    assert (found["social"].status, found["causal"].category, found["causal"].shard) == (
        EDIT_FAILED,
        "causal",
        "edits-00001.tar",
    )


@pytest.mark.parametrize(
    ("cells", "options", "message"),
    [
        ((), {}, "has no rows"),
        (("a,x,9,4,8,9,m",), {"where": {"by": "z"}}, "has no rows of those asked for"),
        ((",x,9,4,8,9,m",), {}, "no key or id"),
        (("a,x,9,4,8,9,m",), {"rubric": "kris"}, "rubric kris"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path: Path, cells: tuple, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        imported(tmp_path, *cells, **options)
    assert not (tmp_path / "scores").exists()
