from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from editbench.report.statistics.krippendorff import alpha

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", part C: four observers, twelve units, missing data.
PUBLISHED = """
    1 2 3 3 2 1 4 1 2 - - -
    1 2 3 3 2 2 4 1 2 5 - 3
    - 3 3 3 2 3 4 2 2 5 1 -
    1 2 3 3 2 4 4 1 2 5 1 -
"""
RATING = st.one_of(st.none(), st.integers(0, 4))
RATINGS = st.lists(st.tuples(RATING, RATING, RATING, RATING), min_size=2, max_size=20)


@pytest.mark.parametrize(("ordinal", "expected"), [(True, 0.815), (False, 0.849)])
def test_alpha_of_the_published_example(ordinal: bool, expected: float) -> None:
    rows = [[np.nan if cell == "-" else float(cell) for cell in line.split()] for line in PUBLISHED.split("\n") if line.strip()]
    assert alpha(np.array(rows).T, ordinal=ordinal)[0] == pytest.approx(expected, abs=5e-4)


@settings(max_examples=100, deadline=None)
@given(RATINGS, st.booleans())
def test_alpha_is_that_of_the_package(units: list[tuple[int | None, ...]], ordinal: bool) -> None:
    ratings = np.array(units, dtype=float)
    paired = ratings[(~np.isnan(ratings)).sum(axis=1) > 1]
    measured = alpha(ratings, ordinal=ordinal)[0]
    if len(np.unique(paired[~np.isnan(paired)])) < 2:
        assert np.isnan(measured)
    else:
        level = "ordinal" if ordinal else "interval"
        assert measured == pytest.approx(krippendorff.alpha(paired.T, level_of_measurement=level), abs=1e-9)


@pytest.mark.parametrize("ordinal", [True, False])
def test_a_unit_of_weight_two_counts_as_written_twice(ordinal: bool) -> None:
    ratings, times = np.array([[1, 2, np.nan], [2, 2, 3], [5, np.nan, 4], [1, 1, 1]]), np.array([2, 0, 1, 3])
    weights = np.stack([times, np.ones(4)], axis=1)
    expected = [alpha(np.repeat(ratings, times, axis=0), ordinal=ordinal)[0], alpha(ratings, ordinal=ordinal)[0]]
    assert alpha(ratings, weights, ordinal=ordinal) == pytest.approx(expected)


def test_only_the_order_of_ratings_counts_for_ordinal_data() -> None:
    ratings = np.array([[1.0, 2, 2], [3, 3, 4], [1, 1, 2]])
    assert alpha(ratings**3, ordinal=True) == alpha(ratings, ordinal=True)
    assert alpha(ratings**3) != alpha(ratings)
