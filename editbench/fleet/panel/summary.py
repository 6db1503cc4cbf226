"""The end of a run in figures: what was done, how fast, where the time went, how busy each rank was, what was slowest."""

from __future__ import annotations

from collections import Counter

from rich.cells import cell_len

from editbench.fleet import status
from editbench.fleet.panel.lines import Line, Lines, bar
from editbench.fleet.panel.words import counts, device, duration, fit, samples_per_second, short
from editbench.fleet.status import RankStatus, RunStatus
from editbench.printable import clean

PHASES = ("loading", "computing", "waiting")
"""What a rank's loop does one after the other; the rest of its time it starts, or has nothing left to do."""
WRITING = "writing"
ALL_RANKS = 16
"""Up to this many ranks each has a row; of more, the least busy, the middle and the busiest have one."""
SLOWEST = 5
_LABEL, _BAR = 12, 20


def summary(run: RunStatus, ranks: list[RankStatus]) -> Lines:
    """Of one attempt; `ranks` count all lives of each rank (`Tracker.whole`)."""
    end = run.ended or max((rank.updated for rank in ranks), default=run.began)
    wall = max(end - run.began, 1e-9)
    lines = [[], _title(run, wall), *_counts(run, ranks, wall)]
    if any(rank.seconds for rank in ranks):
        lines += [[], *_phases(ranks, wall), [], *_utilisation(ranks, wall)]
    if any(rank.slowest for rank in ranks):
        lines += [[], *_slowest(ranks)]
    return Lines(lines)


def _title(run: RunStatus, wall: float) -> Line:
    style = "green" if run.outcome == status.FINISHED else "yellow"
    return [(clean(run.title), "bold"), (f"  {clean(run.outcome) or 'running'}", style), (f" after {duration(wall)}", "")]


def _fact(name: str, text: str) -> Line:
    return [(fit(name, _LABEL), "dim"), (text, "")]


def _counts(run: RunStatus, ranks: list[RankStatus], wall: float) -> list[Line]:
    done, failed = sum(rank.done for rank in ranks), sum(rank.failed for rank in ranks)
    reasons = sum((Counter(rank.reasons) for rank in ranks), Counter())
    restarts = sum(rank.life for rank in ranks) + max((rank.restart for rank in ranks), default=0)
    before = f" ({run.before} of them before)" if run.before else ""
    lines = [_fact("samples", f"{run.before + done} of {run.total} done{before}" + (f", {failed} failed" if failed else ""))]
    if reasons:
        lines.append(_fact("no result", counts(reasons)))
    if through := done + failed:
        computing = sum(rank.seconds.get("computing", 0.0) for rank in ranks)
        pace = f"{samples_per_second(through / wall)}; {short(computing / through)} s on a device each"
        lines.append(_fact("throughput", pace))
    return [*lines, _fact("restarts", str(restarts))] if restarts else lines


def _phases(ranks: list[RankStatus], wall: float) -> list[Line]:
    """Seconds of all ranks, and their share of the ranks' wall time."""
    whole = wall * len(ranks)
    spent = {phase: sum(rank.seconds.get(phase, 0.0) for rank in ranks) for phase in (*PHASES, WRITING)}
    other = max(0.0, whole - sum(spent[phase] for phase in PHASES))
    lines = [_phase(phase, spent[phase], whole) for phase in PHASES]
    lines.append(_phase("other", other, whole))
    return [*lines, [*_phase(WRITING, spent[WRITING], whole), ("  while computing, mostly", "dim")]]


def _phase(name: str, seconds: float, whole: float) -> Line:
    share = min(1.0, seconds / whole)
    text = f"{duration(seconds):>10}  {100 * share:5.1f} %  "
    return [*_fact(name, text), *bar(_BAR, 1000, [(int(1000 * share), "cyan")])]


def _utilisation(ranks: list[RankStatus], wall: float) -> list[Line]:
    """Computing over wall time, by rank."""
    busy = {rank.rank: rank.seconds.get("computing", 0.0) / wall for rank in ranks}
    shown = [("", rank) for rank in ranks]
    if len(ranks) > ALL_RANKS:
        ordered = sorted(ranks, key=lambda rank: busy[rank.rank])
        shown = list(zip(("min", "median", "max"), (ordered[0], ordered[len(ordered) // 2], ordered[-1]), strict=True))
    width = max(cell_len(_device(rank)) for _, rank in shown)
    first = 14 if len(ranks) > ALL_RANKS else 7
    heading = f"{'rank':<{first}} done  failed  s/sample  computing  device"
    return [[(heading, "dim")], *(_rank(label, rank, busy[rank.rank], (first, width)) for label, rank in shown)]


def _rank(label: str, rank: RankStatus, busy: float, widths: tuple[int, int]) -> Line:
    """Numbers first: what a narrow terminal cuts off is at the end."""
    done = rank.done + rank.failed
    pace = short(rank.seconds.get("computing", 0.0) / done) if done else "-"
    name = f"{label:<8}{rank.rank}" if label else str(rank.rank)
    text = (
        f"{name:<{widths[0]}}{rank.done:5}  {rank.failed:6}  {pace:>8}  {100 * busy:7.1f} %  {fit(_device(rank), widths[1])}  "
    )
    return [(text, ""), *bar(_BAR, 1000, [(min(1000, int(1000 * busy)), "cyan")])]


def _slowest(ranks: list[RankStatus]) -> list[Line]:
    found = sorted(((seconds, key, rank.rank) for rank in ranks for key, seconds in rank.slowest), reverse=True)[:SLOWEST]
    rows = [f"{short(seconds):>6} s  {clean(key)}, rank {rank}" for seconds, key, rank in found]
    return [_fact("slowest" if row is rows[0] else "", row) for row in rows]


def _device(rank: RankStatus) -> str:
    return device(rank.device, rank.gpu.name if rank.gpu else None)
