"""One thing is told as one."""

from __future__ import annotations

import pytest

from editbench.wording import counted


@pytest.mark.parametrize(("number", "told"), [(0, "0 replies"), (1, "1 reply"), (2, "2 replies"), (1200, "1,200 replies")])
def test_a_number_of_things(number: int, told: str) -> None:
    assert counted(number, "reply", "replies") == told


def test_most_nouns_take_an_s() -> None:
    assert (counted(1, "sample"), counted(2, "sample")) == ("1 sample", "2 samples")
