from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from ..conftest import tables

Make = Callable[..., Path]


def row(make_scores: Make, out: Path, label: str, **about: object) -> dict[str, str]:
    rows = [("=a", "g", -1.5), ("=a", "h", -1.0)]
    made = tables([make_scores(rows=rows, rubric={"scale": [-5, 5]}, **about)], out, names=[label])
    return next(csv.DictReader(io.StringIO(made.paths.leaderboard.read_text(encoding="utf-8"))))


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1", "'  =1"),
        ("\t=1", r"\t=1"),
        ("\r=1", r"\r=1"),
        ("＝1", "'＝1"),
        ("a=1", "a=1"),
        ('"=1",\n=2', r'"=1",\n=2'),
        ("\x1b[2J\u202e", r"\x1b[2J\u202e"),
    ],
)
def test_a_text_is_no_formula_and_no_control_character(make_scores: Make, tmp_path: Path, text: str, cell: str) -> None:
    told = row(make_scores, tmp_path / "out", text, editor=text, judge=text)
    assert (told["label"], told["editor"], told["judge"]) == (cell, cell, cell)


def test_a_negative_number_is_a_number(make_scores: Make, tmp_path: Path) -> None:
    told = row(make_scores, tmp_path / "out", "plain")
    assert (told["micro_mean"], told["mean:=a"], told["ci_low"][0]) == ("-1.25", "-1.25", "-")
