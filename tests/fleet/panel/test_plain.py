from __future__ import annotations

from panel_views import failed, observed, rank, run_of, scored

from editbench.fleet import status
from editbench.fleet.panel.plain import Plain
from editbench.fleet.status import RankStatus, RunStatus
from editbench.fleet.tracker import Tracker
from editbench.records import UNPARSED


def plain(*looks: list[RankStatus], run: RunStatus | None = None) -> list[str]:
    run = run or run_of()
    said: list[str] = []
    tracker = Tracker(run.total)
    watch = Plain(observed(tracker, run), said.append)
    for ranks in looks:
        watch(tracker.update(ranks))
    watch.end()
    return said


def test_plain_speaks_at_the_start_every_five_percent_and_at_the_end():
    said = plain([rank()], [rank(done=1)], [rank(done=5)], [rank(done=6)])
    assert [line.split(",")[0] for line in said] == [
        "edit a model: 100 samples",
        "edit a model: 5 of 100 done (5 %)",
        "edit a model: 6 of 100 done (6 %)",
    ]


def test_plain_tells_a_failure_once_with_its_log():
    ranks = [rank(4, failed=1, events=[failed("lamp")])]
    said = [line for line in plain(ranks, ranks) if "lamp" in line]
    assert said == ["failed  lamp  error: ValueError: no  (log: logs/attempt-1/rank-004.log)"]


def test_plain_tells_of_a_dead_rank_once():
    ranks = [rank(4, state=status.DEAD, message="died: exit status 7")]
    said = [line for line in plain(ranks, ranks) if "died" in line]
    assert said == ["rank 4: died: exit status 7  (log: logs/attempt-1/rank-004.log)"]


def test_plain_leaves_a_fatal_error_to_the_one_message_that_ends_the_run():
    assert not [line for line in plain([rank(state=status.FATAL, message="broken weights")]) if "broken" in line]


def test_plain_gives_every_score_and_the_spread_of_its_batch():
    events = [scored("a", 7.0, number=1), scored("b", 5.0, number=2), scored("c", None, UNPARSED, "hm", number=3)]
    said = plain([rank(done=3, events=events)], run=run_of("score"))
    assert "  7.00  social         a  as asked" in said
    assert "     -  social         c  unparsed hm" in said
    assert "chunk 1: mean 6.00, min 5.00, max 7.00; 2 ok, 1 unparsed" in said
