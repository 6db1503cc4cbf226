"""Claims, on a real TCPStore."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from torch.distributed import TCPStore

from editbench.fleet import work
from editbench.fleet.work import Claims, Store

RANKS, ITEMS = 8, 400


def connect(port: int, *, master: bool = False) -> TCPStore:
    return TCPStore("127.0.0.1", port, is_master=master, wait_for_workers=False, timeout=timedelta(seconds=30))


@pytest.fixture(scope="module")
def stores() -> list[TCPStore]:
    """A connection a rank."""
    first = connect(0, master=True)
    return [first, *(connect(first.port) for _ in range(RANKS - 1))]


@pytest.fixture
def scope(request: pytest.FixtureRequest) -> str:
    """Tests share the store, so each walks under its own name."""
    return request.node.name


@pytest.fixture
def store(stores: list[TCPStore]) -> Store:
    return stores[0]


def walk(claims: Claims) -> Iterator[int]:
    while (item := claims.next()) is not None:
        yield item


def test_many_ranks_get_each_item_once(stores: list[TCPStore], scope: str) -> None:
    def rank(store: Store) -> list[int]:
        return list(walk(Claims(store, items=ITEMS, world=RANKS, scope=scope)))

    with ThreadPoolExecutor(RANKS) as ranks:
        shares = list(ranks.map(rank, stores))
    assert sorted(item for share in shares for item in share) == list(range(ITEMS))
    assert all(share == sorted(share) for share in shares)


def test_a_finished_plan_stays_finished(store: Store, scope: str) -> None:
    claims = Claims(store, items=2, scope=scope)
    assert [claims.next() for _ in range(5)] == [0, 1, None, None, None]


def test_what_an_earlier_incarnation_left_unfinished_comes_first(store: Store, scope: str) -> None:
    assert list(walk(Claims(store, items=3, scope=scope, unfinished=[7, 5]))) == [7, 5, 0, 1, 2]


def test_another_walk_begins_at_the_start(store: Store, scope: str) -> None:
    first, second = (Claims(store, items=9, scope=f"{scope}/{restart}") for restart in range(2))
    assert [first.next(), first.next(), second.next(), first.next()] == [0, 1, 0, 2]


def test_crashes_add_up_over_ranks_and_walks(store: Store, scope: str) -> None:
    first, second = (Claims(store, items=9, scope=f"{scope}/{restart}") for restart in range(2))
    first.count_crash("s3")
    second.count_crash("s3")
    assert (first.crashes("s3"), second.crashes("s3"), first.crashes("s4")) == (2, 2, 0)


def test_exactly_one_rank_completes_a_group(stores: list[TCPStore], scope: str) -> None:
    with ThreadPoolExecutor(RANKS) as ranks:
        counts = list(ranks.map(lambda store: Claims(store, items=RANKS, scope=scope).count_finished(4), stores))
    assert sorted(counts) == list(range(1, RANKS + 1))
    assert Claims(stores[0], items=RANKS, scope=scope).count_finished(5) == 1


def test_ranks_behind_the_barrier_see_each_others_crashes(stores: list[TCPStore], scope: str) -> None:
    def rank(number: int) -> int:
        claims = Claims(stores[number], items=ITEMS, world=RANKS, scope=scope)
        claims.count_crash(f"{scope}/{number}")
        claims.barrier()
        return sum(claims.crashes(f"{scope}/{other}") for other in range(RANKS))

    with ThreadPoolExecutor(RANKS) as ranks:
        assert list(ranks.map(rank, range(RANKS))) == [RANKS] * RANKS


@dataclass
class Clock:
    """Stands in for the module `time`."""

    now: float = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(work, "time", clock)
    return clock


def paced(
    store: Store, scope: str, *means: float, count: int = 10, left: int = 3, unfinished: Sequence[int] = ()
) -> list[Claims]:
    """A rank for each of `means`, that has done `count` items in so many seconds each; `left` items are unclaimed."""
    world = len(means)
    ranks = [Claims(store, items=world * count + left, world=world, scope=scope, unfinished=unfinished) for _ in means]
    for rank, mean in zip(ranks, means, strict=True):
        for _ in range(count):
            store.add(f"{scope}/claimed", 1)
            rank.count_seconds(mean)
    return ranks


@pytest.mark.parametrize(("left", "straggling"), [(1, True), (4, True), (12, False), (0, False)])
def test_a_slow_rank_leaves_items_to_the_others_where_few_are_left(
    store: Store, scope: str, left: int, straggling: bool
) -> None:
    ranks = paced(store, scope, 20.0, 20.0, 20.0, 40.0, left=left)
    assert [rank.straggles() for rank in ranks] == [False, False, False, straggling]


@pytest.mark.parametrize(
    ("mean", "options"),
    [(20.0, {}), (26.0, {}), (0.0, {}), (40.0, {"count": 3}), (40.0, {"unfinished": [5]})],
    ids=["as fast", "hardly slower", "instant", "too few items", "begun before a restart"],
)
def test_who_is_no_straggler(store: Store, scope: str, mean: float, options: dict[str, Any]) -> None:
    others = [min(mean, 20.0)] * 3
    assert not any(rank.straggles() for rank in paced(store, scope, *others, mean, left=1, **options))


def test_a_rank_alone_is_not_held_against_its_earlier_incarnation(store: Store, scope: str) -> None:
    paced(store, scope, 20.0)
    [restarted] = paced(store, scope, 40.0)
    assert not restarted.straggles()


def test_a_straggler_waits_until_the_others_have_claimed_everything(store: Store, scope: str, clock: Clock) -> None:
    fast, slow = paced(store, scope, 20.0, 200.0, left=3)
    taken: list[int | None] = []
    slow.yield_items(lambda: taken.append(fast.next()))
    assert (taken, slow.next(), slow.straggles()) == ([20, 21, 22], None, False)


def test_a_straggler_whose_others_are_lost_claims_all_the_same(store: Store, scope: str, clock: Clock) -> None:
    _, slow = paced(store, scope, 20.0, 200.0, left=3)
    assert slow.straggles()
    slow.yield_items(lambda: None)
    assert 200.0 <= clock.now <= 400.0
    assert [slow.straggles(), slow.next(), slow.straggles()] == [False, 20, False]
