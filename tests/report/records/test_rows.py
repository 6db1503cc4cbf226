from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import orjson
import pytest

from editbench.errors import UserError
from editbench.report.records import rows

GOOD = {"key": "a", "category": "social", "language": "en", "group": "g", "status": "ok", "score": 3}


def _read(folder: Path, *entries: dict[str, object] | bytes) -> rows.Rows:
    path = folder / "scores.jsonl"
    path.write_bytes(b"\n".join(entry if isinstance(entry, bytes) else orjson.dumps(entry) for entry in entries))
    return rows.read(path, (0.0, 10.0))


def test_columns_follow_the_keys_and_names_are_sorted(tmp_path: Path) -> None:
    table = _read(tmp_path, GOOD, GOOD | {"key": "b", "category": "causal", "status": "refused", "score": None, "mass": 0.25})
    assert (list(table.keys), list(table.categories), table.category.tolist()) == (["a", "b"], ["causal", "social"], [1, 0])
    np.testing.assert_array_equal(table.score, [3, np.nan])
    np.testing.assert_array_equal(table.mass, [np.nan, 0.25])
    assert table.scored.tolist() == [True, False]


def test_the_order_of_the_file_changes_nothing(tmp_path: Path) -> None:
    entries = [
        GOOD | {"key": "a", "group": "z", "criteria": {"x": 1, "y": 2}, "steps": {"s": 1}, "flags": ["odd"]},
        GOOD | {"key": "b", "group": "", "category": "causal", "status": "refused", "score": None, "subsets": ["new", "old"]},
        GOOD | {"key": "c", "group": "y", "criteria": {"y": 3, "z": 4}, "language": "zh", "mass": 0.5, "read": "forced"},
        GOOD | {"key": "d", "group": "z", "criteria": {"z": 5}, "subsets": ["old"], "score": 1},
    ]
    first, *others = (_read(tmp_path, *order) for order in itertools.permutations(entries))
    assert (list(first.keys), list(first.criteria), list(first.subsets)) == (list("abcd"), ["x", "y", "z"], ["new", "old"])
    assert ([first.group_names[code] for code in first.group], first.group_names) == (["z", "\0b", "y", "z"], ["\0b", "y", "z"])
    assert {repr(other) for other in others} == {repr(first)}


def test_rows_of_one_group_share_its_number(tmp_path: Path) -> None:
    table = _read(tmp_path, GOOD, GOOD | {"key": "b", "group": "h"}, GOOD | {"key": "c"})
    assert table.group.tolist() == [0, 1, 0]


def test_rows_without_a_group_are_groups_of_their_own(tmp_path: Path) -> None:
    table = _read(tmp_path, GOOD | {"group": ""}, GOOD | {"key": "b", "group": ""}, GOOD | {"key": "c", "group": "a"})
    assert len(set(table.group.tolist())) == 3


def test_flags_are_counted_and_rows_without_the_field_have_none(tmp_path: Path) -> None:
    more = [GOOD | {"key": f"k{index}", "flags": flags} for index, flags in enumerate((["uniform"], [], ["nan", "uniform"]))]
    assert _read(tmp_path, GOOD, *more).flags == {"nan": 1, "uniform": 2}
    assert _read(tmp_path, GOOD).flags == {}


def test_rows_that_do_not_tell_how_they_were_read_count_under_no_way(tmp_path: Path) -> None:
    assert _read(tmp_path, GOOD | {"read": "forced"}, GOOD | {"key": "b"}).reads == {"forced": 1}


def test_criteria_and_steps_become_columns(tmp_path: Path) -> None:
    first, second = {"criteria": {"a": 1, "b": 2.5}, "steps": {"s": 3}}, {"criteria": {"c": 4, "b": 5}}
    table = _read(tmp_path, GOOD | first, GOOD | second | {"key": "b"}, GOOD | {"key": "c", "criteria": None, "steps": None})
    expected = {"a": [1, np.nan, np.nan], "b": [2.5, 5, np.nan], "c": [np.nan, 4, np.nan]}
    assert table.criteria.keys() == expected.keys()
    for name, column in expected.items():
        np.testing.assert_array_equal(table.criteria[name], column)
    np.testing.assert_array_equal(table.steps["s"], [3, np.nan, np.nan])


def test_subsets_and_flags_become_columns(tmp_path: Path) -> None:
    more = {"subsets": ["old", "hard"], "flags": ["identical"]}
    table = _read(tmp_path, GOOD | {"subsets": ["hard"], "flags": []}, GOOD | {"key": "b"}, GOOD | {"key": "c"} | more)
    assert {name: column.tolist() for name, column in table.subsets.items()} == {
        "hard": [True, False, True],
        "old": [False, False, True],
    }
    assert table.flagged["identical"].tolist() == [False, False, True]


def test_rows_of_earlier_versions_have_none_of_them(tmp_path: Path) -> None:
    table = _read(tmp_path, GOOD)
    assert (table.criteria, table.steps, table.subsets, table.flagged, table.controls) == ({}, {}, {}, {}, {})


def test_groups_keep_their_names(tmp_path: Path) -> None:
    table = _read(tmp_path, GOOD, GOOD | {"key": "b", "group": ""}, GOOD | {"key": "c", "group": "h"})
    assert [table.group_names[number] for number in table.group] == ["g", "\0b", "h"]


def test_an_audit_has_a_row_a_key_and_control(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b"\n".join(orjson.dumps(GOOD | {"audit": kind}) for kind in ("repeat", "unedited")))
    table = rows.read(path, audit=True)
    assert list(table.keys) == ["a", "a"]
    assert {kind: chosen.tolist() for kind, chosen in table.controls.items()} == {
        "repeat": [True, False],
        "unedited": [False, True],
    }
    path.write_bytes(orjson.dumps(GOOD))
    with pytest.raises(UserError, match=r"audit\.jsonl, line 1: not a row of the audit"):
        rows.read(path, audit=True)


def test_a_rounding_error_off_the_scale_is_let_through(tmp_path: Path) -> None:
    assert _read(tmp_path, GOOD | {"score": 10.000000001}).score[0] == 10.000000001


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (b'{"key": "b", "cat', "not JSON"),
        (b"[1]", "not a row of scores: Expected `object`, got `array`"),
        (b"", "not JSON"),
        (b"{}, {}", "not a row of scores"),
        (orjson.dumps(GOOD | {"key": "b"}) + b"," + orjson.dumps(GOOD | {"key": "c"}), "not JSON"),
        ({"key": "b", "score": 3}, "missing required field `category`"),
        (GOOD | {"key": 7}, "Expected `str`, got `int` - at `$.key`"),
        (GOOD | {"key": "b", "status": "fine"}, "Invalid enum value 'fine' - at `$.status`"),
        (GOOD, "key 'a' is already on line 1: rows of two runs in one file?"),
        ({"text": "what another tool wrote"}, "not a row of scores: Object missing required field `key`"),
        (GOOD | {"key": "b", "audit": "unedited"}, "a row of the audit (unedited), not of an edit"),
        (GOOD | {"key": "b", "criteria": {"a": "5"}}, "Expected `float`, got `str` - at `$.criteria[...]`"),
        (GOOD | {"key": "b", "criteria": {"a": None}}, "Expected `float`, got `null` - at `$.criteria[...]`"),
        (GOOD | {"key": "b", "steps": [1]}, "Expected `object | null`, got `array` - at `$.steps`"),
        (GOOD | {"key": "b", "subsets": [1]}, "Expected `str`, got `int` - at `$.subsets[0]`"),
        (GOOD | {"key": "b", "score": None}, "ok without a score"),
        (GOOD | {"key": "b", "score": "3"}, "Expected `float | null`, got `str` - at `$.score`"),
        (GOOD | {"key": "b", "score": True}, "Expected `float | null`, got `bool` - at `$.score`"),
        (GOOD | {"key": "b", "status": "unparsed"}, "status unparsed with the score 3"),
        (GOOD | {"key": "b", "flags": "uniform"}, "Expected `array`, got `str` - at `$.flags`"),
        (GOOD | {"key": "b", "score": 10.5}, "score 10.5 is off the rubric's scale 0 to 10"),
    ],
)
def test_a_bad_row_is_refused_with_file_and_line(tmp_path: Path, bad: dict[str, object] | bytes, problem: str) -> None:
    with pytest.raises(UserError) as caught:
        _read(tmp_path, GOOD, bad, b"")
    assert f"{tmp_path / 'scores.jsonl'}, line 2: " in str(caught.value)
    assert problem in str(caught.value)


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no rows"):
        _read(tmp_path)
