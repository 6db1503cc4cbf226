from __future__ import annotations

from pathlib import Path

import pytest

from editbench.errors import UserError
from editbench.report.records import ratings

KNOWN = {"a", "b"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "anna.csv"
    path.write_text("key,score\na,1\nb,4.5\n", encoding="utf-8")
    return path


def test_scores_are_by_key_under_the_name_of_the_file(file: Path) -> None:
    assert ratings.read(str(file), KNOWN) == ratings.Ratings("anna", None, {"score": {"a": 1.0, "b": 4.5}})


@pytest.mark.parametrize(
    ("label", "name", "scale"),
    [
        ("bob=", "bob", None),
        ("bob:1-5=", "bob", (1.0, 5.0)),
        (":0-10=", "anna", (0.0, 10.0)),
        ("b:-1-4.5=", "b", (-1.0, 4.5)),
        ("a-b c=", "a-b c", None),
    ],
)
def test_a_name_and_a_scale_can_be_given(file: Path, label: str, name: str, scale: tuple[float, float] | None) -> None:
    read = ratings.read(f"{label}{file}", KNOWN)
    assert (read.name, read.scale) == (name, scale)


def test_what_a_spreadsheet_writes_is_read(file: Path) -> None:
    file.write_bytes(b'\xef\xbb\xbfrater,score,key\r\nanna, 3,"a"\r\n\r\n')
    assert ratings.read(str(file), KNOWN).ratings == {"score": {"a": 3.0}}


def test_columns_named_as_criteria_rate_those_and_may_be_empty(file: Path) -> None:
    file.write_text("key,rater,quality,score\na,anna,2,\nb,anna,,4\n", encoding="utf-8")
    assert ratings.read(str(file), KNOWN, ["success", "quality"]).ratings == {"quality": {"a": 2.0}, "score": {"b": 4.0}}


def test_a_file_that_rates_nothing_known_is_told_what_can_be_rated(file: Path) -> None:
    file.write_text("key,qualty\na,1\n", encoding="utf-8")
    with pytest.raises(UserError) as caught:
        ratings.read(str(file), KNOWN, ["success", "quality"])
    assert str(caught.value).endswith("line 1: no column score (columns: key, qualty)")
    assert "success, quality" in caught.value.remedy


@pytest.mark.parametrize("span", ["5", "5-1", "1-1", "1..5", ""])
def test_a_bad_scale_is_refused(file: Path, span: str) -> None:
    with pytest.raises(UserError, match="is no scale"):
        ratings.read(f"anna:{span}={file}", KNOWN)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("key,score\na,1\na,2\n", "line 3: key 'a' is already on line 2"),
        ("key,score\na,good\n", "line 2: score 'good' is not a number"),
        ("key,score\na,\n", "line 2: score '' is not a number"),
        ("key,score\na\n", "line 2: score '' is not a number"),
        ("key,score\na,nan\n", "line 2: score 'nan' is not a number"),
        ("key,score\na,1\nb,6\n", "line 3: score 6 is off the scale 0 to 5"),
        ("id;score\na;1\n", "line 1: no column key and score (columns: id;score)"),
        ("", "line 1: no column key and score (columns: none)"),
        ("key,score\n", "has no ratings"),
        ("key,score,score\na,1,2\n", "line 1: column 'score' comes twice"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(file: Path, text: str, problem: str) -> None:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        ratings.read(f"anna:0-5={file}", KNOWN)
    assert str(file) in str(caught.value)
    assert problem in str(caught.value)


def test_unknown_keys_are_refused_and_five_named(file: Path) -> None:
    file.write_text("key,score\na,1\n" + "".join(f"x{index},2\n" for index in range(7)), encoding="utf-8")
    with pytest.raises(UserError, match=r"no sample has the key 'x0' \(line 3\), .*'x4' \(line 7\) and 2 more"):
        ratings.read(str(file), KNOWN)


@pytest.mark.parametrize("content", [b"key,score\na,\xff\n", None])
def test_a_file_that_can_not_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "other.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"other\.csv"):
        ratings.read(str(path), KNOWN)
