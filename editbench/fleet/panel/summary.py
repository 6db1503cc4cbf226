"""The end of a run in figures: what was done, how fast, where the time went, how busy each rank was, what was slowest."""

from __future__ import annotations

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from editbench.fleet import status
from editbench.fleet.panel import endpoints
from editbench.fleet.panel.snapshot import restarts, seconds_a_sample
from editbench.fleet.panel.text import Frame, bar, counts, device, duration, samples_per_second, short
from editbench.fleet.status import RankStatus, RunStatus
from editbench.fleet.tracker import added
from editbench.printable import clean

PHASES = ("loading", "computing", "waiting")
"""What a rank's loop does one after the other; the rest of its time it starts, or has nothing left to do."""
WRITING = "writing"
ALL_RANKS = 16
"""Up to this many ranks each has a row; of more, the least busy, the middle and the busiest have one."""
SLOWEST = 5
_LABEL, _BAR = 10, 20


def summary(run: RunStatus, ranks: list[RankStatus]) -> Frame:
    """One attempt; `ranks` with the counts of all incarnations of each (`Tracker.totals`)."""
    end = run.ended or max((rank.updated for rank in ranks), default=run.began)
    wall = max(end - run.began, 1e-9)
    style = "green" if run.outcome == status.FINISHED else "yellow"
    outcome = (f"  {clean(run.outcome) or 'running'}", style)
    title = Text.assemble((clean(run.title), "bold"), outcome, f" after {duration(wall)}", no_wrap=False, overflow="fold")
    blocks: list[RenderableType] = [title, _counts(run, ranks, wall)]
    if run.unit == status.ENDPOINT:
        blocks += ["", *endpoints.summary(ranks, wall)]
    elif any(rank.seconds for rank in ranks):
        blocks += ["", _phases(ranks, wall), "", _utilisation(ranks, wall)]
    slowest = sorted(((seconds, key, rank.rank) for rank in ranks for key, seconds in rank.slowest), reverse=True)[:SLOWEST]
    if slowest:
        names = {rank.rank: clean(rank.device) if rank.endpoint else f"rank {rank.rank}" for rank in ranks}
        lines = [f"{short(seconds):>6} s  {clean(key)}, {names[rank]}" for seconds, key, rank in slowest]
        blocks += ["", _facts([("" if index else "slowest", line) for index, line in enumerate(lines)])]
    return Frame("", *blocks)


def _facts(rows: list[tuple[str, str]]) -> Table:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", min_width=_LABEL)
    for label, text in rows:
        facts.add_row(label, Text(text))
    return facts


def _counts(run: RunStatus, ranks: list[RankStatus], wall: float) -> Table:
    done, failed = sum(rank.done for rank in ranks), sum(rank.failed for rank in ranks)
    before = f" ({run.before} of them before)" if run.before else ""
    rows = [("samples", f"{run.before + done} of {run.total} done{before}" + (f", {failed} failed" if failed else ""))]
    if reasons := added(*(rank.reasons for rank in ranks)):
        rows.append(("no result", counts(reasons)))
    if finished := done + failed:
        computing = sum(rank.seconds.get("computing", 0.0) for rank in ranks)
        each = "" if run.unit == status.ENDPOINT else f"; {short(computing / finished)} s on a device each"
        rows.append(("throughput", f"{samples_per_second(finished / wall)}{each}"))
    if restarted := restarts(ranks):
        rows.append(("restarts", str(restarted)))
    return _facts(rows)


def _phases(ranks: list[RankStatus], wall: float) -> Table:
    """Seconds of all ranks, and their share of the ranks' wall time."""
    whole = wall * len(ranks)
    spent = {phase: sum(rank.seconds.get(phase, 0.0) for rank in ranks) for phase in (*PHASES, WRITING)}
    spent["other"] = max(0.0, whole - sum(spent[phase] for phase in PHASES))
    phases = Table.grid(padding=(0, 2))
    phases.add_column(style="dim", min_width=_LABEL)
    phases.add_column(justify="right", min_width=_LABEL, no_wrap=True)
    phases.add_column(justify="right", min_width=7, no_wrap=True)
    for phase in (*PHASES, "other", WRITING):
        share = min(1.0, spent[phase] / whole)
        remark = Text("while computing, mostly" if phase == WRITING else "", "dim", no_wrap=True, overflow="ellipsis")
        phases.add_row(phase, duration(spent[phase]), f"{100 * share:.1f} %", _bar(share), remark)
    return phases


def _utilisation(ranks: list[RankStatus], wall: float) -> Table:
    """Computing over wall time, by rank."""
    busy = {rank.rank: rank.seconds.get("computing", 0.0) / wall for rank in ranks}
    shown = [("", rank) for rank in ranks]
    if len(ranks) > ALL_RANKS:
        ordered = sorted(ranks, key=lambda rank: busy[rank.rank])
        shown = list(zip(("min", "median", "max"), (ordered[0], ordered[len(ordered) // 2], ordered[-1]), strict=True))
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("rank", no_wrap=True)
    for title in ("done", "failed", "s/sample", "computing"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("device")  # it and the bar are what a narrow terminal cuts
    table.add_column("")
    for label, rank in shown:
        name = f"{label:<8}{rank.rank}" if label else str(rank.rank)
        seconds = seconds_a_sample(rank)
        figures = (
            str(rank.done),
            str(rank.failed),
            "-" if seconds is None else short(seconds),
            f"{100 * busy[rank.rank]:.1f} %",
        )
        kind = Text(device(rank.device, rank.gpu), no_wrap=True, overflow="ellipsis")
        table.add_row(name, *figures, kind, _bar(min(1.0, busy[rank.rank])))
    return table


def _bar(share: float) -> Text:
    text = bar(_BAR, 1.0, [(share, "cyan")])
    text.no_wrap, text.overflow = True, "crop"
    return text
