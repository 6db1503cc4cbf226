"""The panel's screen: a pure function of a snapshot and the size of the terminal.

    edit Qwen/Qwen-Image-Edit-2511                       attempt 1  ·  8 ranks  ·  14:32
    ━━━━━━━━━━━━━━━━━━━━━━━━━╸──────────────────────────────  412/1000  41 %  20:41 left
    0.47 samples/s  ·  2 failed: out_of_memory 1, error 1  ·  1 restart

    rank  device  state    sample          progress     steps     done  s/sample    gpu
       0  0 H200  editing  physical-00123  ━━━━━━━━───  28/40       52     13.20   98 %

Below the ranks: for `score` the means by category and the last scores, then the last samples that failed and the log of the
last one.
"""

from __future__ import annotations

from rich.text import Text

from editbench.fleet import status
from editbench.fleet.panel import endpoints, ranks
from editbench.fleet.panel.scores import scoreboard
from editbench.fleet.panel.snapshot import EDIT, SCORE, SILENT, Snapshot, restarts
from editbench.fleet.panel.text import Frame, bar, counts, cut, duration, fit, percent, samples_per_second, why
from editbench.printable import clean
from editbench.records import OK
from editbench.wording import counted

LEAST_RANKS = 4
"""Ranks that stay in sight whatever else there is to show."""
LEAST_SCORES = 10
"""Lines for what the judge says, when it is the ranks that have to fold."""
FAILURES, FLAGGED = 5, 2


def screen(snapshot: Snapshot, width: int, height: int) -> Frame:
    """At most `height` lines of at most `width` cells."""
    head, failures = _head(snapshot, width), _failures(snapshot)
    room = height - len(head) - 1
    scoring = snapshot.run.stage == SCORE
    for_ranks = max(room * 2 // 5, room - LEAST_SCORES) if scoring else room - min(len(failures), 3) - 1
    rows = endpoints if snapshot.run.unit == status.ENDPOINT else ranks
    table = rows.table(snapshot, width, min(max(LEAST_RANKS + 1, for_ranks), room))
    room -= len(table) + 1
    failures = failures[-min(room, 2 if scoring else room) :] if room > 0 else []
    board = scoreboard(snapshot, width, room - (len(failures) + 1 if failures else 0)) if scoring else []
    lines = head
    for block in filter(None, (table, board, failures)):
        lines = [*lines, Text(), *block]
    return Frame(*(cut(line, width) for line in lines[:height]))


def _head(snapshot: Snapshot, width: int) -> list[Text]:
    """The title, the bar of the whole run, and one or two lines of facts."""
    restarted = restarts([rank.status for rank in snapshot.ranks])
    pace = Text(samples_per_second(snapshot.pace) if snapshot.pace else "")
    again = Text(counted(restarted, "restart") if restarted else "", "yellow")
    # How many ranks do what, where that can't be seen at a glance.
    states = [Text(f"{count} {state}", ranks.STYLES.get(state, "")) for state, count in snapshot.states()]
    doing = Text(", ").join(states if len(snapshot.ranks) > 1 else [])
    trouble = _trouble(snapshot)
    lines = [_joined(pace, trouble, again, doing)]
    if lines[0].cell_len > width:
        lines = [_joined(pace, again, doing), trouble]
    return [_title(snapshot, width), _progress(snapshot, width), *lines]


def _joined(*facts: Text) -> Text:
    return Text.assemble(("  ·  ", "dim")).join(filter(None, facts))


def _trouble(snapshot: Snapshot) -> Text:
    """Samples without a result, by reason. A judge's reply without a score has a reason too, and has not failed."""
    count, by_reason = snapshot.tracker.failed, snapshot.reasons
    failed = f"{count} failed" if count else ""
    reasons = clean(next(iter(by_reason))) if list(by_reason.values()) == [count] else counts(by_reason)
    return Text(": ".join(filter(None, [failed, reasons])), "red" if failed else "yellow")


def _title(snapshot: Snapshot, width: int) -> Text:
    run = snapshot.run
    silent = min((rank.silent for rank in snapshot.ranks if rank.status.state not in status.ENDED), default=0.0)
    if run.ended is not None:
        style = "green" if run.outcome == status.FINISHED else "bold red"
        right = Text.assemble((clean(run.outcome) or "ended", style), (f" after {duration(snapshot.seconds)}", "dim"))
    elif silent > SILENT:
        right = Text(f"no sign of life for {duration(silent)}", "bold yellow")
    else:
        attempt = [f"attempt {snapshot.attempt}"] if snapshot.attempt > 1 else []
        count = counted(max(len(snapshot.ranks), run.ranks), run.unit)
        right = Text("  ·  ".join([*attempt, count, duration(snapshot.seconds)]), "dim")
    return Text.assemble((fit(clean(run.title), max(0, width - right.cell_len - 2)), "bold"), "  ", right)


def _progress(snapshot: Snapshot, width: int) -> Text:
    run, left = snapshot.run, snapshot.left
    figures = Text.assemble(f"  {snapshot.finished}/{run.total}", (f"  {percent(snapshot.finished, run.total)}", "dim"))
    if run.ended is None:
        figures.append("  -:-- left" if left is None else f"  {duration(left)} left", "dim" if left is None else "")
    parts = [(run.before, "green dim"), (snapshot.tracker.done - run.before, "green"), (snapshot.tracker.failed, "red")]
    return bar(max(4, width - figures.cell_len), run.total, parts) + figures


def _failures(snapshot: Snapshot) -> list[Text]:
    """The last edits that look wrong and the last samples that failed, newest last, and where to read more.

    A reply without a score is among the scores."""
    if snapshot.run.unit == status.ENDPOINT:
        return endpoints.failing(snapshot)
    latest = snapshot.tracker.latest
    flagged = [event for event in latest if event.status == OK and event.note and snapshot.run.stage == EDIT]
    lines = [
        Text.assemble(("flagged ", "yellow"), f"{clean(event.key)}  ", (clean(event.note), "yellow"))
        for event in flagged[-FLAGGED:]
    ]
    logs = [snapshot.log(rank.status) for rank in snapshot.ranks if snapshot.state(rank) in ranks.FALLEN][:2]
    failed = [(rank, event) for rank, event in snapshot.tracker.failures if snapshot.has_log(event)]
    for rank, event in failed[-FAILURES:]:
        about = (f"rank {rank.rank}  ", "dim")
        lines.append(Text.assemble(("failed  ", "red"), about, f"{clean(event.key)}  ", (why(event), "red")))
        logs = [*(path for path in logs[:2] if path != snapshot.log(rank)), snapshot.log(rank)][-2:]
    return [*lines, Text("log     " + clean(", ".join(map(str, logs))), "dim")] if logs else lines
