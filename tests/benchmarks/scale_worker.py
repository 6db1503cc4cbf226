"""Ranks that do nothing but claim, a thread and a connection each.

    python scale_worker.py PORT CLIENTS ALL SECONDS     ->  {"claims": 123456, "seconds": 1.0}

They begin when all the connections of all processes are there, and end after SECONDS.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import orjson
from torch.distributed import TCPStore

from editbench.fleet.work import Claims

PATIENCE = timedelta(seconds=300)


def main(port: int, clients: int, everybody: int, seconds: float) -> None:
    def connect(_client: int) -> TCPStore:
        return TCPStore("127.0.0.1", port, is_master=False, wait_for_workers=False, timeout=PATIENCE)

    def claim(store: TCPStore) -> tuple[int, float]:
        """(claims, seconds they took)"""
        claims, count = Claims(store, items=sys.maxsize), 0
        if store.add("ready", 1) == everybody:
            store.set("go", b"")
        store.get("go")
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            claims.next()
            count += 1
        return count, time.perf_counter() - began

    with ThreadPoolExecutor(clients) as threads:
        results = list(threads.map(claim, list(threads.map(connect, range(clients)))))
    total, slowest = sum(count for count, _ in results), max(seconds for _, seconds in results)
    sys.stdout.write(orjson.dumps({"claims": total, "seconds": slowest}).decode())


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]), float(sys.argv[4]))
