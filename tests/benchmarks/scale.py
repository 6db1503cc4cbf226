"""How the claims scale: simulated ranks drive the fleet's own `Claims` and `Lockstep` against one real TCPStore.

Makespan: every rank takes its samples on a virtual clock (claims are microseconds, samples seconds), so that the figures are
exact and 1,024 ranks fit on any machine. A sample takes a lognormal time, the same for every policy; slow ranks, one node of
them, take twice as long. Shown over the lower bound: no schedule ends before max(all work / all speed, longest sample / highest
speed). Left out are loading, and decoding and writing, which overlap with the model.

"Samples of one length", as of pictures of one size, are where a slow rank's last sample costs most. What that costs depends on
how many samples there are; so each value is of another number, over the shortest makespan that there is.

"Longest first" knows the durations, as the plan does when they follow from the pictures' sizes. "Unsorted" knows nothing: its
last samples are as long as any, and the run waits for the last of them. A slow rank's last sample may be a short one and still
be late.

Claims a second: as many real connections as ranks, from other processes on this machine, each claiming again and again. The
clients need the cores that the store runs on, so it is what the store sustains at least.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import orjson
from figures import Figure
from torch.distributed import TCPStore
from virtual import Clock

from editbench.fleet import lockstep, work
from editbench.fleet.lockstep import Lockstep
from editbench.fleet.work import Claims

MEAN, SIGMA = 20.0, 0.5
"""Of a sample's seconds: about what a large editing model takes, and how much they vary."""
NODE = 8
SLOWDOWN = 2.0
GUESS = 0.1
"""Standard deviation of the logarithm of (what the plan takes a sample to cost / what it costs)."""
AIM = 1.01
ONE_LENGTH = 5
"""Numbers of samples that samples of one length are measured with."""
_TIMEOUT = timedelta(seconds=60)
_scopes = count()


@dataclass(frozen=True, slots=True)
class Policy:
    """How samples come to ranks: claimed, or dealt out in advance. `order`: of the plan, from the durations and a random
    generator."""

    name: str
    order: Callable[[np.ndarray, np.random.Generator], np.ndarray]
    claims: bool = True
    sync_every: int = 0
    aim: float | None = None


def _longest_first(seconds: np.ndarray, _chance: np.random.Generator) -> np.ndarray:
    return np.argsort(-seconds, kind="stable")


def _guessed(seconds: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    return np.argsort(-seconds * chance.lognormal(0.0, GUESS, len(seconds)), kind="stable")


def _as_it_comes(seconds: np.ndarray, _chance: np.random.Generator) -> np.ndarray:
    return np.arange(len(seconds))


POLICIES = (
    Policy("longest first", _longest_first, aim=AIM),
    Policy(f"longest first, {GUESS:.0%} off", _guessed, aim=AIM),
    Policy("unsorted", _as_it_comes),
    Policy("longest first, lockstep", _longest_first, sync_every=1),
    Policy("round-robin", _as_it_comes, claims=False),
    Policy("round-robin, lockstep", _as_it_comes, claims=False, sync_every=1),
)


def scale(*, fleets: Sequence[tuple[int, int]], samples_a_rank: int, seconds: float) -> Iterator[Figure]:
    """`fleets`: (ranks, how often durations are drawn for them); `seconds`: how long claims are counted.

    Raises RuntimeError when a sample is lost or given out twice.
    """
    store = _listen()
    for ranks, draws in fleets:
        for slow in (0, min(NODE, ranks // NODE)):
            for policy in POLICIES:
                makespans = [_over_bound(store, policy, ranks, slow, samples_a_rank, seed) for seed in range(draws)]
                name = f"makespan, {ranks:,} ranks{f' ({slow} slow)' if slow else ''}: {policy.name}"
                yield Figure(name, "", makespans, policy.aim)
            name = f"makespan, {ranks:,} ranks{f' ({slow} slow)' if slow else ''}: samples of one length"
            yield Figure(name, "", _one_length(store, ranks, slow, samples_a_rank), AIM)
    for ranks, _ in fleets:
        yield Figure(f"claims, {ranks:,} connections", "k/s", [_claims_a_second(ranks, seconds) / 1000])


def _over_bound(store: TCPStore, policy: Policy, ranks: int, slow: int, samples_a_rank: int, seed: int) -> float:
    """Makespan over its lower bound."""
    chance = np.random.default_rng(seed)
    seconds = chance.lognormal(np.log(MEAN) - SIGMA**2 / 2, SIGMA, ranks * samples_a_rank)
    speeds = np.ones(ranks)
    speeds[:slow] /= SLOWDOWN
    planned = seconds[policy.order(seconds, chance)]
    bound = max(seconds.sum() / speeds.sum(), seconds.max() / speeds.max())
    return float(_makespan(store, policy, planned, speeds) / bound)


def _one_length(store: TCPStore, ranks: int, slow: int, samples_a_rank: int) -> list[float]:
    """Makespans over the shortest, in which the n samples are those that end first where every rank takes one after another;
    n from `samples_a_rank` a rank up to one more."""
    speeds = np.ones(ranks)
    speeds[:slow] /= SLOWDOWN
    ends = np.sort(np.outer(np.arange(1, 2 * samples_a_rank + 2), MEAN / speeds), axis=None)
    counts = [ranks * samples_a_rank + ranks * draw // ONE_LENGTH for draw in range(ONE_LENGTH)]
    return [float(_makespan(store, POLICIES[0], np.full(count, MEAN), speeds) / ends[count - 1]) for count in counts]


def _makespan(store: TCPStore, policy: Policy, seconds: np.ndarray, speeds: np.ndarray) -> float:
    """Virtual seconds. The ranks share a connection: on one clock, their claims come one after another anyway."""
    clock, scope, world = Clock(), f"simulated/{next(_scopes)}", len(speeds)
    ended: list[int] = []
    taken: list[int] = []

    def run(rank: int) -> None:
        claims = Claims(store, items=len(seconds), world=world, scope=scope)
        every = max(policy.sync_every, 1)
        barrier = Lockstep(store, every=every, world=world, scope=f"sync/{scope}", ended=lambda: len(ended))
        for item in _claimed(claims) if policy.claims else range(rank, len(seconds), world):
            taken.append(item)
            clock.sleep(seconds[item] / speeds[rank])
            if policy.sync_every:
                barrier.step()
                clock.stir()
            else:
                claims.count_seconds(seconds[item] / speeds[rank])
        ended.append(rank)
        clock.stir()

    def time(sleep: Callable[[float], None]) -> SimpleNamespace:
        return SimpleNamespace(sleep=sleep, monotonic=lambda: clock.now)

    with mock.patch.object(lockstep, "time", time(clock.poll)), mock.patch.object(work, "time", time(clock.sleep)):
        makespan = clock.run([lambda rank=rank: run(rank) for rank in range(world)])
    if sorted(taken) != list(range(len(seconds))):
        raise RuntimeError(f"{policy.name}: {len(seconds)} samples, {len(taken)} taken, {len(set(taken))} of them different")
    return makespan


def _claimed(claims: Claims) -> Iterator[int]:
    """As a rank's loop claims."""
    while True:
        if claims.straggles():
            claims.yield_items(lambda: None)
        if (item := claims.next()) is None:
            return
        yield item


def _claims_a_second(connections: int, seconds: float) -> float:
    """Claims that the clients got by themselves must be those that the store gave out."""
    store, processes = _listen(), min(os.cpu_count() or 1, connections)
    shares = [len(range(number, connections, processes)) for number in range(processes)]
    script = str(Path(__file__).with_name("scale_worker.py"))
    # The clients look names up as well (see _listen); what nobody answers ends after a second, and is a warning each.
    environment = {**os.environ, "RES_OPTIONS": "timeout:1 attempts:1", "TORCH_CPP_LOG_LEVEL": "ERROR"}
    clients = [
        subprocess.Popen(
            [sys.executable, script, str(store.port), str(share), str(connections), str(seconds)],
            stdout=subprocess.PIPE,
            env=environment,
        )
        for share in shares
    ]
    results = [orjson.loads(client.communicate()[0] or b"null") for client in clients]
    if any(client.returncode for client in clients):
        raise RuntimeError("a process of the clients has failed")
    claimed, given = sum(result["claims"] for result in results), store.add("/claimed", 0)
    if claimed != given:
        raise RuntimeError(f"the store gave out {given} claims, and {claimed} arrived")
    return claimed / max(result["seconds"] for result in results)


def _listen() -> TCPStore:
    """A store as torchrun's, but listening on IPv4 alone: torch looks up the name of each peer (for its messages), which for
    IPv4 addresses in IPv6 form asks the DNS, and while that does not answer the store answers nobody."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    port = listening.getsockname()[1]
    return TCPStore(
        "127.0.0.1", port, is_master=True, wait_for_workers=False, timeout=_TIMEOUT, master_listen_fd=listening.detach()
    )
