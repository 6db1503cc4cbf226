"""Two machines: two network namespaces where that is allowed, two agents on loopback otherwise."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from processes import alive, digests, edit, ranks, wait_for
from warm import Running

from editbench.errors import UserError
from editbench.fleet.nodes import Nodes
from editbench.fleet.status import RankStatus
from editbench.paths import EditPaths

SLOW = {"STAND_IN_SLEEP": "0.4"}
PORT = 29555


@dataclass
class Machines:
    """`names`: their network namespaces; `head`: the head's address."""

    names: list[str]
    head: str

    def start(self, bench: Path, out: Path, node: int, run_id: str, **environment: str) -> Running:
        where = ["--nnodes", "2", "--node-rank", str(node), "--rdzv-endpoint", f"{self.head}:{PORT}", "--rdzv-id", run_id]
        return edit(bench, out, *where, **environment).start(network=self.names[node] if self.names else None)


def ip(*arguments: str) -> bool:
    return subprocess.run(["ip", *arguments], capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    names = [f"editbench-{os.getpid()}-{number}" for number in range(2)]
    links = [f"eb{os.getpid() % 100000}v{number}" for number in range(2)]
    try:
        allowed = all(ip("netns", "add", name) for name in names)
    except FileNotFoundError:
        allowed = False
    if not allowed:
        yield Machines([], "127.0.0.1")
        return
    ip("link", "add", links[0], "netns", names[0], "type", "veth", "peer", "name", links[1], "netns", names[1])
    for number, (name, link) in enumerate(zip(names, links, strict=True)):
        ip("-n", name, "addr", "add", f"10.87.0.{number + 1}/24", "dev", link)
        ip("-n", name, "link", "set", link, "up")
        ip("-n", name, "link", "set", "lo", "up")
    yield Machines(names, "10.87.0.1")
    for name in names:
        ip("netns", "del", name)


def nodes(out: Path) -> set[int]:
    statuses = (RankStatus.read(path) for path in EditPaths(out).rank_statuses())
    return {rank.node for rank in statuses if rank and rank.done}


def test_two_nodes_give_the_bytes_of_one(machines: Machines, bench: Path, undisturbed: Path, out: Path) -> None:
    head, worker = (machines.start(bench, out, node, "whole", **SLOW) for node in (0, 1))
    said = [process.communicate() for process in (head, worker)]
    assert (head.returncode, worker.returncode) == (0, 0), said
    assert (digests(out) == digests(undisturbed), nodes(out)) == (True, {0, 1})


def test_a_lost_worker_node_costs_its_work_in_flight(
    machines: Machines, bench: Path, undisturbed: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, worker = (machines.start(bench, out, node, "lost", EDITBENCH_SILENCE="3", **SLOW) for node in (0, 1))
    wait_for(lambda: nodes(out) == {0, 1})
    worker.kill()
    worker.communicate()
    said = head.communicate()
    assert (head.returncode, digests(out) == digests(undisturbed)) == (0, True), said


def test_a_lost_head_ends_the_job_and_it_resumes(machines: Machines, bench: Path, undisturbed: Path, out: Path) -> None:
    head, worker = (machines.start(bench, out, node, "headless", **SLOW) for node in (0, 1))
    wait_for(lambda: nodes(out) == {0, 1})
    head.send_signal(signal.SIGKILL)
    _, err = worker.communicate()
    assert (worker.returncode, "Traceback" in err) == (1, False), err
    wait_for(lambda: not any(map(alive, ranks(EditPaths(out)))))
    assert edit(bench, out).run()[0] == 0
    assert digests(out) == digests(undisturbed)


@pytest.mark.parametrize("wrong", [{"rank": 2, "count": 2}, {"count": 2}, {"count": 2, "endpoint": "head"}])
def test_options_that_do_not_fit_are_refused(wrong: dict) -> None:
    with pytest.raises(UserError):
        Nodes(**wrong).check()
