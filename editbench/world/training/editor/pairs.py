"""Sources and right edits to learn from, none of them the benchmark's, made once and kept on disk as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson

from editbench.world import task
from editbench.world.benchmark import LANGUAGES
from editbench.world.chance import Chance, Pool
from editbench.world.training import photographs
from editbench.world.truth import Outcome

WORDINGS = 3
"""Sentences of a pair, in each language."""
POOL_LIFE = 200
"""Pairs after which the photographs are changed for others."""

Array = np.ndarray


class Asked(NamedTuple):
    """`meaning`: the table of wordings.toml and the English phrases that fill its sentences."""

    family: str
    meaning: list[str]
    sentences: list[str]


@dataclass(frozen=True, slots=True)
class Pairs:
    """`pictures`: (pairs, 2, 256, 256, 3), bytes, memory-mapped: the source and the right edit. `asked`: of each."""

    pictures: Array
    asked: list[Asked]

    def __len__(self) -> int:
        return len(self.asked)


def write(folder: Path, seed: str, count: int, families: Sequence[str]) -> None:
    """`count` pairs, the families in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    blocks = [
        (f"{seed}/{start}", range(start, min(start + POOL_LIFE, count)), families) for start in range(0, count, POOL_LIFE)
    ]
    pictures, words = [], []
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        for some, said in pool.map(_block, *zip(*blocks, strict=True)):
            pictures.append(some)
            words += said
    np.save(folder / "pictures.npy", np.concatenate(pictures))
    (folder / "words.json").write_bytes(orjson.dumps([tuple(one) for one in words]))


def read(folder: Path) -> Pairs:
    pictures = np.load(folder / "pictures.npy", mmap_mode="r")
    asked = [Asked(*one) for one in orjson.loads((folder / "words.json").read_bytes())]
    return Pairs(pictures, asked)


def _block(seed: str, numbers: range, families: Sequence[str]) -> tuple[Array, list[Asked]]:
    pool = Pool(photographs.pool(seed), held_out=False)
    pictures, words = [], []
    for number in numbers:
        family = families[number % len(families)]
        ask = Chance(pool, f"{seed}/{number}/ask")
        made = task.make(family, Chance(pool, f"{seed}/{number}/draw"), ask)
        pictures.append([np.asarray(scene.render()) for scene in (made.source, made.outcomes[Outcome.RIGHT])])
        meaning = [made.request, *(phrase["en"] for phrase in made.phrases.values())]
        words.append(Asked(family, meaning, [made.sentence(language, ask) for language in LANGUAGES for _ in range(WORDINGS)]))
    return np.stack(pictures), words
