"""Lockstep, on a real TCPStore."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta

import pytest
from torch.distributed import TCPStore

from editbench.fleet import lockstep
from editbench.fleet.lockstep import Lockstep

PATIENCE = 20
WORLD = 3


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> TCPStore:
    monkeypatch.setattr(lockstep, "POLL", 0.005)
    monkeypatch.setattr(lockstep, "ENDED_INTERVAL", 0.005)
    return TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=30))


def nobody() -> int:
    return 0


def make(store: TCPStore, *, every: int = 1, ended: Callable[[], int] = nobody) -> Lockstep:
    return Lockstep(store, every=every, world=WORLD, scope="sync/1/0", ended=ended)


def test_nobody_begins_a_round_before_all_have_ended_the_last(store: TCPStore) -> None:
    rounds: list[int] = []

    def rank(_rank: int) -> None:
        barrier = make(store)
        for number in range(20):
            rounds.append(number)
            barrier.step()

    with ThreadPoolExecutor(WORLD) as ranks:
        list(ranks.map(rank, range(WORLD)))
    assert rounds == sorted(rounds)


def test_only_every_nth_item_waits(store: TCPStore) -> None:
    barriers = [make(store, every=2) for _ in range(WORLD)]
    with ThreadPoolExecutor(WORLD) as ranks:
        for step in [ranks.submit(barrier.step) for barrier in barriers[1:]]:
            step.result(PATIENCE)  # a first item waits for nobody
        second = [ranks.submit(barrier.step) for barrier in barriers[1:]]
        assert not wait(second, timeout=20 * lockstep.POLL).done
        barriers[0].step()
        barriers[0].step()
        assert not wait(second, PATIENCE).not_done


def test_ranks_that_have_ended_are_not_waited_for(store: TCPStore) -> None:
    with ThreadPoolExecutor(WORLD) as ranks:
        stepping = [ranks.submit(make(store, ended=lambda: 1).step) for _ in range(WORLD - 1)]
        for step in stepping:
            step.result(PATIENCE)


def test_a_rank_that_ends_lets_the_waiting_go_on(store: TCPStore) -> None:
    ended: list[int] = []
    with ThreadPoolExecutor(WORLD) as ranks:
        stepping = [ranks.submit(make(store, ended=lambda: len(ended)).step) for _ in range(WORLD - 1)]
        assert not wait(stepping, timeout=20 * lockstep.POLL).done
        ended.append(0)
        assert not wait(stepping, PATIENCE).not_done


def test_a_restarted_rank_joins_the_round_the_others_are_at(store: TCPStore) -> None:
    barriers = [make(store) for _ in range(WORLD)]
    with ThreadPoolExecutor(WORLD) as ranks:
        for _ in range(3):
            assert not wait([ranks.submit(barrier.step) for barrier in barriers], PATIENCE).not_done
        second = ranks.submit(make(store).step)
        assert not wait([second], timeout=20 * lockstep.POLL).done
        assert not wait([second, *(ranks.submit(barrier.step) for barrier in barriers[1:])], PATIENCE).not_done
