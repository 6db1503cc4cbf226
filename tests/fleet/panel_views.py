"""Status files of made-up ranks, and what the panel shows of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import simulate

from editbench.fleet import status
from editbench.fleet.panel.screen import screen
from editbench.fleet.panel.snapshot import Observer, Snapshot
from editbench.fleet.status import Event, Gpu, RankStatus, RunStatus
from editbench.fleet.tracker import Tracker
from editbench.paths import RunPaths
from editbench.records import EDIT_FAILED, OK

NOW = 1_000_000.0
H200 = Gpu("NVIDIA H200", 98.0, 57 * 2**30, 141 * 2**30, 640.0, 61.0)


def rank(number: int = 0, **values) -> RankStatus:
    common = {"attempt": 1, "host": "node", "state": status.WORKING, "item": f"key-{number}", "began": NOW, "updated": NOW}
    return RankStatus(number, **{**common, "device": f"cuda:{number}", **values})


def run_of(stage: str = "edit", **values) -> RunStatus:
    common = {"title": f"{stage} a model", "total": 100, "before": 0, "attempt": 1, "ranks": 1, "began": NOW}
    return RunStatus(stage=stage, **{**common, **values})


def observed(tracker: Tracker, run: RunStatus | None = None, **clocks: Any) -> Observer:
    return Observer(run or run_of(), RunPaths(Path("out")), tracker, **clocks)


def look(*ranks: RankStatus, run: RunStatus | None = None, at: float = NOW) -> Snapshot:
    run = run or run_of()
    tracker = Tracker(run.total, run.before)
    tracker.update(list(ranks))
    return observed(tracker, run, clock=lambda: 0.0, wall=lambda: at).look()


def shown(*ranks: RankStatus, width: int = 80, height: int = 24, run: RunStatus | None = None, at: float = NOW) -> str:
    return text_of(look(*ranks, run=run, at=at), width, height)


def text_of(snapshot: Snapshot, width: int, height: int) -> str:
    """The lines of the screen, without the blanks at their ends."""
    lines = screen(snapshot, width, height).renderables
    return "\n".join(line.plain.rstrip() for line in lines)


def many(count: int, **values) -> list[RankStatus]:
    return [rank(number, **values) for number in range(count)]


def failed(key: str, note: str = "error: ValueError: no", number: int = 1) -> Event:
    return Event(key, "social", EDIT_FAILED, note=note, number=number)


def scored(key: str, score: float | None = 7.0, state: str = OK, note: str = "as asked", number: int = 1) -> Event:
    return Event(key, "social", state, 0.1, score, note, "chunk 1", number)


def simulated(stage: str, count: int) -> Snapshot:
    fleet = [simulate.Rank(number, stage, RunPaths(Path("out")), gpu=True, hosts=-(-count // 8)) for number in range(count)]
    for tick in range(200):
        for simulated_rank in fleet:
            simulated_rank.tick(0.25, 10.0 + tick)
    return look(*(simulated_rank.status for simulated_rank in fleet), run=run_of(stage, total=5000, ranks=count))
