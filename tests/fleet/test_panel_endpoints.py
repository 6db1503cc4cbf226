"""What the panel and the summary show of the endpoints of a served judge."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from editbench.fleet import status
from editbench.fleet.panel.plain import Plain
from editbench.fleet.panel.screen import screen
from editbench.fleet.panel.snapshot import Observer
from editbench.fleet.panel.summary import summary
from editbench.fleet.status import EndpointLoad, Event, RankStatus, RunStatus
from editbench.fleet.tracker import Tracker
from editbench.paths import RunPaths
from editbench.records import OK

NOW = 1_000_000.0


def endpoint(number: int = 0, load: EndpointLoad | None = None, **values) -> RankStatus:
    common = {"device": f"node{number}:8000", "state": status.WORKING, "began": NOW, "updated": NOW}
    return RankStatus(number, 1, **{**common, "endpoint": load or EndpointLoad(), **values})


def run_of(**values) -> RunStatus:
    common = {"stage": "score", "title": "score a model", "total": 300, "before": 0, "attempt": 1, "ranks": 2, "began": NOW}
    return RunStatus(**{**common, "unit": status.ENDPOINT, **values})


def observer(*endpoints: RankStatus) -> Observer:
    run = run_of(ranks=len(endpoints))
    tracker = Tracker(run.total, run.before)
    tracker.update(list(endpoints))
    return Observer(run, RunPaths(Path("out")), tracker, clock=lambda: 0.0, wall=lambda: NOW)


def lines(*endpoints: RankStatus, width: int = 80, height: int = 24) -> list[str]:
    return [line.plain.rstrip() for line in screen(observer(*endpoints).look(), width, height).renderables]


TWO = (
    endpoint(0, EndpointLoad(16, 2.64, 412.4, 0), done=133),
    endpoint(1, EndpointLoad(0, 12.3, 398.0, 17), done=87, state=status.DEAD, message="Connection error: refused"),
)


def test_a_row_tells_requests_in_flight_latency_tokens_a_second_and_errors():
    shown = lines(*TWO)
    assert "2 endpoints" in shown[0]
    assert shown[4:7] == [
        "endpoint    state    in flight  latency  tok/s  errors  done",
        "node0:8000  judging         16   2.64 s    412       0   133",
        "node1:8000  dead             0   12.3 s    398      17    87",
    ]
    assert shown[-1] == "failing node1:8000  Connection error: refused"


@pytest.mark.parametrize(("width", "height"), [(140, 30), (80, 24), (62, 12), (30, 8), (5, 1)])
def test_it_fits_the_terminal(width: int, height: int):
    names = {"device": "a-long-name-of-a-node." * 3 + "example:8000", "message": "down\x1b[2J " * 40}
    event = Event("k", "social", OK, 1.0, 7.0, "as asked", number=1)
    several = [endpoint(number, EndpointLoad(9999, 599.9, 99_999.0, 9999), events=[event], **names) for number in range(20)]
    shown = lines(*several, width=width, height=height)
    assert len(shown) <= height
    assert max(map(cell_len, shown)) <= width
    assert "\x1b" not in "".join(shown)
    if width >= 62:
        assert any(line.startswith("a-l") and line.endswith("9999     0") for line in shown)


def test_of_many_endpoints_those_stay_that_fail():
    several = [endpoint(number) for number in range(30)] + [TWO[1]]
    shown = "\n".join(lines(*several))
    assert "node1:8000  dead" in shown
    assert "more" in shown


def test_a_pipe_is_told_of_an_endpoint_that_dies():
    said: list[str] = []
    Plain(observer(*TWO), said.append)([])
    assert said[0] == "endpoint node1:8000: Connection error: refused"
    assert "220 of 300 done, 2 endpoints" in said[1]


def test_the_summary_has_a_row_an_endpoint():
    run = run_of(ended=NOW + 100, outcome=status.FINISHED)
    out = Console(file=io.StringIO(), width=80, color_system=None)
    busy = endpoint(0, EndpointLoad(0, 2.64, 412.4, 1), done=133, seconds={"computing": 97.3}, slowest=[("k", 3.0)])
    out.print(summary(run, [busy, TWO[1]]))
    said = out.file.getvalue()
    assert "endpoint    latency  tok/s  errors  done  busy" in said
    assert "node0:8000   2.64 s    412       1   133  97 %" in said
    assert "3.00 s  k, node0:8000" in said
    assert "device" not in said
