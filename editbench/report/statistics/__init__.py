"""Every number of a report: means and their intervals, comparisons, ranks, agreement, what is odd about a judge."""

RESAMPLES = 10_000
"""Resamples of the bootstrap, and random flips of a test, unless others are asked for."""
SEED = 0
"""Of both."""
