from __future__ import annotations

import simulate
from panel_views import rank, scored

from editbench.fleet import status
from editbench.fleet.tracker import Tracker
from editbench.paths import RunPaths


def test_a_restarted_rank_keeps_what_it_did():
    tracker = Tracker(10)
    tracker.update([rank(done=3, seconds={"loading": 2.0}, reasons={"error": 1}, failed=1)])
    tracker.update([rank(incarnation=1)])
    tracker.update([rank(incarnation=1, done=2, seconds={"loading": 2.0})])
    whole = tracker.totals()[0]
    assert (tracker.done, tracker.failed, whole.done, whole.seconds, whole.reasons) == (5, 1, 5, {"loading": 4.0}, {"error": 1})


def test_an_incarnation_that_counts_on_from_the_last_is_not_counted_twice():
    tracker = Tracker(10)
    tracker.update([rank(done=3, events=[scored("a", number=1)])])
    new = tracker.update([rank(incarnation=1, done=4, events=[scored("a", number=1), scored("b", number=2)])])
    assert (tracker.done, [event.key for event in new]) == (4, ["b"])


def test_what_an_incarnation_that_counts_from_nothing_does_is_news():
    tracker = Tracker(10)
    tracker.update([rank(done=3, events=[scored(key, number=number) for number, key in enumerate("abc", 1)])])
    tracker.update([rank(incarnation=1)])
    assert [event.key for event in tracker.update([rank(incarnation=1, done=1, events=[scored("d", number=1)])])] == ["d"]


def test_a_status_file_is_read_as_it_was_written(tmp_path):
    paths = RunPaths(tmp_path)
    paths.status.mkdir()
    one = simulate.Rank(0, "score", paths, gpu=True, hosts=1)
    for tick in range(20):
        one.tick(0.25, 10.0 + tick)
    one.write()
    assert status.read_all(paths, 1)[0] == one.status
