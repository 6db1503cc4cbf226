"""The panel's screen: a pure function of a snapshot and the size of the terminal.

    edit Qwen/Qwen-Image-Edit-2511                       attempt 1  ·  8 ranks  ·  14:32
    ━━━━━━━━━━━━━━━━━━━━━━━━━╸──────────────────────────────  412/1000  41 %  20:41 left
    0.47 samples/s  ·  2 failed: out_of_memory 1, error 1  ·  1 restart

    rank  device  state    sample          progress               done  s/sample    gpu
       0  0 H200  editing  physical-00123  ━━━━━━━━━───── 28/40     52     13.20   98 %

Below the ranks: for `score` the means by category and the last scores, then the last samples that failed and the log of the
last one.
"""

from __future__ import annotations

from editbench.fleet import status
from editbench.fleet.panel import columns
from editbench.fleet.panel.lines import Line, Lines, bar, cut, joined, spread, width_of
from editbench.fleet.panel.scores import scoreboard
from editbench.fleet.panel.snapshot import EDIT, SCORE, SILENT, Snapshot, has_log
from editbench.fleet.panel.words import counted, counts, duration, percent, samples_per_second, why
from editbench.printable import clean
from editbench.records import OK

LEAST_RANKS = 4
"""Ranks that stay in sight whatever else there is to show."""
LEAST_SCORES = 10
"""Lines for what the judge says, when it is the ranks that have to fold."""
FAILURES, FLAGGED = 5, 2


def screen(snapshot: Snapshot, width: int, height: int) -> Lines:
    """At most `height` lines of at most `width` cells."""
    head, failures = _head(snapshot, width), _failures(snapshot)
    room = height - len(head) - 1
    scoring = snapshot.run.stage == SCORE
    for_ranks = max(room * 2 // 5, room - LEAST_SCORES) if scoring else room - min(len(failures), 3) - 1
    ranks = columns.rows(snapshot, width, min(max(LEAST_RANKS + 1, for_ranks), room))
    room -= len(ranks) + 1
    failures = failures[-min(room, 2 if scoring else room) :] if room > 0 else []
    board = scoreboard(snapshot, width, room - (len(failures) + 1 if failures else 0)) if scoring else []
    lines = head
    for block in filter(None, (ranks, board, failures)):
        lines = [*lines, [], *block]
    return Lines([cut(line, width) for line in lines[:height]])


def _head(snapshot: Snapshot, width: int) -> list[Line]:
    lines = [_title(snapshot, width), _whole(snapshot, width)]
    pace: Line = [(samples_per_second(snapshot.pace), "")] if snapshot.pace else []
    restarts: Line = [(counted(snapshot.restarts, "restart"), "yellow")] if snapshot.restarts else []
    trouble, states = _trouble(snapshot), _states(snapshot)
    facts = joined([pace, trouble, restarts, states])
    if width_of(facts) > width:
        return [*lines, joined([pace, restarts, states]), trouble]
    return [*lines, facts]


def _trouble(snapshot: Snapshot) -> Line:
    """Samples without a result, by reason. A judge's reply without a score has a reason too, and has not failed."""
    failed = f"{snapshot.failed} failed" if snapshot.failed else ""
    one_reason = list(snapshot.reasons.values()) == [snapshot.failed]
    reasons = clean(next(iter(snapshot.reasons))) if one_reason else counts(snapshot.reasons)
    text = ": ".join(filter(None, [failed, reasons]))
    return [(text, "red" if failed else "yellow")] if text else []


def _title(snapshot: Snapshot, width: int) -> Line:
    run = snapshot.run
    left: Line = [(clean(run.title), "bold")]
    ranks = counted(max(len(snapshot.ranks), run.ranks), "rank")
    if run.ended is not None:
        style = "green" if run.outcome == status.FINISHED else "bold red"
        return spread(left, [(clean(run.outcome) or "ended", style), (f" after {duration(snapshot.seconds)}", "dim")], width)
    silent = min((rank.silent for rank in snapshot.ranks if rank.status.state not in status.ENDED), default=0.0)
    if silent > SILENT:
        return spread(left, [(f"no sign of life for {duration(silent)}", "bold yellow")], width)
    about = [f"attempt {snapshot.attempt}"] if snapshot.attempt > 1 else []
    return spread(left, [("  ·  ".join([*about, ranks, duration(snapshot.seconds)]), "dim")], width)


def _whole(snapshot: Snapshot, width: int) -> Line:
    run = snapshot.run
    left = snapshot.left
    text: Line = [(f"  {snapshot.through}/{run.total}", ""), (f"  {percent(snapshot.through, run.total)}", "dim")]
    if run.ended is None:
        text.append((f"  {duration(left)} left" if left is not None else "  -:-- left", "dim" if left is None else ""))
    parts = [(run.before, "green dim"), (snapshot.done - run.before, "green"), (snapshot.failed, "red")]
    return [*bar(max(4, width - width_of(text)), run.total, parts), *text]


def _states(snapshot: Snapshot) -> Line:
    """How many ranks do what, where that can't be seen at a glance."""
    if len(snapshot.ranks) < 2:
        return []
    states = snapshot.states().most_common()
    pieces: Line = []
    for state, count in states:
        pieces += [(", ", "dim")] if pieces else []
        pieces.append((f"{count} {state}", columns.style_of(state)))
    return pieces


def _failures(snapshot: Snapshot) -> list[Line]:
    """The last edits that look wrong and the last samples that failed, newest last, and where to read more.

    A reply without a score is among the scores."""
    flagged = [event for event in snapshot.latest if event.status == OK and event.note and snapshot.run.stage == EDIT]
    lines: list[Line] = [
        [("flagged ", "yellow"), (f"{clean(event.key)}  ", ""), (clean(event.note), "yellow")] for event in flagged[-FLAGGED:]
    ]
    logs = [snapshot.log(rank.status) for rank in snapshot.ranks if snapshot.state(rank) in columns.FALLEN][:2]
    failed = [(rank, event) for rank, event in snapshot.failures if has_log(snapshot.run.stage, event)]
    for rank, event in failed[-FAILURES:]:
        lines.append([("failed  ", "red"), (f"rank {rank.rank}  ", "dim"), (f"{clean(event.key)}  ", ""), (why(event), "red")])
        logs = [*(path for path in logs[:2] if path != snapshot.log(rank)), snapshot.log(rank)][-2:]
    return [*lines, [("log     " + clean(", ".join(map(str, logs))), "dim")]] if logs else lines
