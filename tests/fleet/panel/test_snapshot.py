from __future__ import annotations

import pytest
from panel_views import NOW, look, observed, rank, run_of, text_of

from editbench.fleet import status
from editbench.fleet.tracker import Tracker


def test_steps_a_second_come_from_looking_twice():
    tracker = Tracker(100)
    observer = observed(tracker)
    for step in (0, 6):
        tracker.update([rank(step=step, steps=40, updated=NOW + step / 3)])
        snapshot = observer.look()
    assert snapshot.ranks[0].rate == pytest.approx(3.0)
    assert "3.00 it/s" in text_of(snapshot, 160, 40)


def test_a_rank_whose_steps_stop_coming_slows_down():
    tracker = Tracker(100)
    observer = observed(tracker)
    for step, at in ((0, 0), (6, 2), (6, 22)):
        tracker.update([rank(step=step, steps=40, updated=NOW + at)])
        rate = observer.look().ranks[0].rate
    assert rate == pytest.approx(1 / 20)


def test_a_clock_that_jumps_silences_nobody():
    wall = [NOW]
    tracker = Tracker(100)
    observer = observed(tracker, clock=lambda: 0.0, wall=lambda: wall[0])
    tracker.update([rank()])
    observer.look()
    wall[0] += 86400
    assert "stalled?" not in text_of(observer.look(), 80, 24)


def test_samples_from_before_count_as_done_but_not_as_pace():
    snapshot = look(rank(done=10, seconds={"computing": 20.0}), run=run_of(before=40))
    assert (snapshot.tracker.done, snapshot.pace, snapshot.left) == (50, 0.5, 100.0)


def test_an_estimate_counts_only_ranks_that_live():
    ranks = [rank(number, done=10, seconds={"computing": 20.0}) for number in range(3)]
    ranks[1].state = status.GIVEN_UP
    assert look(*ranks).pace == pytest.approx(1.0)
