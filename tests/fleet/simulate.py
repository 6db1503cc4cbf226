"""A run that is not one: writes the status files of ranks that pretend, so that the panel can be looked at without a GPU.

python tests/fleet/simulate.py FOLDER --ranks 8 --stage score --seconds 60 &
editbench watch FOLDER
"""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import asdict
from pathlib import Path

import orjson

from editbench import atomic
from editbench.fleet import status
from editbench.fleet.status import Event, Gpu, RankStatus, RunStatus
from editbench.paths import RunPaths
from editbench.records import EDIT_FAILED, OK, UNPARSED

CATEGORIES = ("physical", "environmental", "social", "causal", "referential")
NOTES = (
    "The lamp is on as asked; the shadows on the wall agree with it, and nothing else has changed.",
    "The edit removes the cup but leaves its reflection in the table top.",
    "[bold]Not markup[/bold]: the judge wrote this; \x1b[31mand this\x1b[0m\nover two lines.",
    "画面中的灯已经打开，阴影与光源一致，其余部分没有变化。",
)
FAILED = "out_of_memory: OutOfMemoryError: CUDA out of memory. Tried to allocate 2.25 GiB. GPU 0 has 1.03 GiB free."
STEPS, CHUNK = 40, 8


class Rank:
    """One rank that pretends; `speed` is in steps a second."""

    def __init__(self, number: int, stage: str, paths: RunPaths, *, gpu: bool, hosts: int) -> None:
        self._random, self._stage = random.Random(number), stage
        self._path = paths.rank_status(number)
        host, local = f"node{number // 8:02d}" if hosts > 1 else "node00", number % 8
        self.status = RankStatus(number, 1, host=host, device=f"cuda:{local}" if gpu else "cpu", state=status.LOADING)
        self._gpu, self._speed = gpu, self._random.uniform(2.5, 3.5) * (0.4 if number == 5 else 1)
        self._loading = self._random.uniform(2, 6)
        self._number, self._at = 0, 0.0

    def tick(self, seconds: float, elapsed: float) -> int:
        """Get on by `seconds`; returns the samples finished by that."""
        now = self.status
        if now.state in (status.DEAD, status.FINISHED):
            return 0
        before = now.done + now.failed
        if elapsed < self._loading:
            now.seconds["loading"] = elapsed
        else:
            now.state, now.steps = status.WORKING, STEPS if self._stage == "edit" else 0
            now.item = now.item or self._name()
            self._at += seconds * self._speed * (1 if self._stage == "edit" else 12)
            now.step = min(STEPS, int(self._at)) if self._stage == "edit" else 0
            if self._at >= STEPS:
                self._finish()
        now.gpu = self._sense() if self._gpu else None
        return now.done + now.failed - before

    def write(self) -> None:
        if self.status.state != status.DEAD:
            self.status.updated = time.time()
        atomic.write(self._path, orjson.dumps(asdict(self.status)), durable=False)

    def _name(self) -> str:
        index = self.status.rank + 64 * self._number
        return f"{CATEGORIES[index % 5]}-{index:05d}" if self._stage == "edit" else f"chunk {index}"

    def _finish(self) -> None:
        now, seconds = self.status, STEPS / self._speed / (1 if self._stage == "edit" else 12)
        now.seconds["computing"] = now.seconds.get("computing", 0.0) + seconds
        now.seconds["waiting"] = now.seconds.get("waiting", 0.0) + 0.02
        now.seconds["writing"] = now.seconds.get("writing", 0.0) + 0.2
        events = [self._event(index, seconds) for index in range(1 if self._stage == "edit" else CHUNK)]
        failed = [event for event in events if event.status == EDIT_FAILED]
        now.failed, now.done = now.failed + len(failed), now.done + len(events) - len(failed)
        now.events = (now.events + events)[-status.RECENT :]
        now.slowest = sorted([*now.slowest, (now.item, seconds)], key=lambda entry: -entry[1])[:5]
        now.item, now.step, self._at = self._name(), 0, 0.0

    def _event(self, index: int, seconds: float) -> Event:
        now, draw = self.status, self._random.random()
        self._number += 1
        category = CATEGORIES[(now.rank + index) % 5]
        key = now.item if self._stage == "edit" else f"{category}-{now.rank + 64 * self._number:05d}"
        if self._stage == "edit":
            event = Event(key, category, OK, seconds)
            if draw < 0.06:
                event = Event(key, category, EDIT_FAILED, note=FAILED)
        elif draw < 0.03:
            event = Event(key, category, UNPARSED, seconds, note="I am sorry, but the pictures look the same to me.")
        else:
            score = float(min(10, max(0, round(self._random.gauss(6.5, 2.2)))))
            event = Event(key, category, OK, seconds, score, self._random.choice(NOTES), now.item)
            count, total = now.scores.get(category, (0, 0.0))
            now.scores[category] = [count + 1, total + score]
        if event.status != OK:
            reason = "out_of_memory" if event.status == EDIT_FAILED else event.status
            now.reasons[reason] = now.reasons.get(reason, 0) + 1
        event.number = self._number
        return event

    def _sense(self) -> Gpu:
        busy = self.status.state == status.WORKING
        used = (57 if busy else 3) * 2**30 + self._random.randrange(2**30)
        load, power = (self._random.uniform(94, 100), 640.0) if busy else (0.0, 120.0)
        return Gpu("NVIDIA H200", load, used, 141 * 2**30, power + self._random.uniform(-9, 9), 61.0 if busy else 38.0)


def simulate(root: Path, *, ranks: int, stage: str, seconds: float, gpu: bool, total: int, dead: bool) -> None:
    paths = RunPaths(root)
    paths.status.mkdir(parents=True, exist_ok=True)
    title = "edit Qwen/Qwen-Image-Edit-2511" if stage == "edit" else "score Qwen/Qwen3-VL-30B-A3B-Instruct"
    run = RunStatus(stage=stage, title=title, total=total, before=total // 8, attempt=1, ranks=ranks, began=time.time())
    run.write(paths)
    fleet = [Rank(number, stage, paths, gpu=gpu, hosts=-(-ranks // 8)) for number in range(ranks)]
    began, done = time.time(), run.before
    while (elapsed := time.time() - began) < seconds and done < total:
        done += sum(rank.tick(0.25, elapsed) for rank in fleet)
        if dead and elapsed > seconds / 3:
            fleet[ranks // 2].status.state = status.DEAD
            fleet[ranks // 2].status.message = "died: killed by signal 9"
        for rank in fleet:
            rank.write()
        time.sleep(0.25)
    for rank in fleet:
        if rank.status.state != status.DEAD:
            rank.status.state, rank.status.item, rank.status.steps = status.FINISHED, "", 0
        rank.write()
    run.ended, run.outcome = time.time(), status.FINISHED
    run.write(paths)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ranks", type=int, default=8)
    parser.add_argument("--stage", choices=("edit", "score"), default="edit")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--total", type=int, default=2000)
    parser.add_argument("--cpu", action="store_true", help="no figures of a driver")
    parser.add_argument("--dead", action="store_true", help="one rank dies after a third of the time")
    arguments = parser.parse_args()
    simulate(
        arguments.folder,
        ranks=arguments.ranks,
        stage=arguments.stage,
        seconds=arguments.seconds,
        gpu=not arguments.cpu,
        total=arguments.total,
        dead=arguments.dead,
    )


if __name__ == "__main__":
    main()
