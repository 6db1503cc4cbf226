"""The samples of the small world's benchmark, `shards/world`, made again from their seeds: what each shows and asks, and what
every outcome of it looks like.

>>> sample = samples()[0]
>>> sample.task.outcomes[Outcome.RIGHT].render()
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from editbench.world import photographs, task
from editbench.world.chance import Chance, Pool
from editbench.world.families import NAMES
from editbench.world.task import CATEGORY, Task

SOURCES = 3
"""Pictures a family; each is asked about once in English and once in Chinese."""
LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class WorldSample:
    id: str
    language: str
    instruction: str
    task: Task

    @property
    def family(self) -> str:
        return self.task.family

    @property
    def source(self) -> str:
        """The picture's name; the samples of both languages share it."""
        return self.id.rpartition("-")[0]

    @property
    def category(self) -> str:
        return CATEGORY[self.family]


@lru_cache(maxsize=1)
def samples() -> tuple[WorldSample, ...]:
    """In the benchmark's order: every family in turn. Both samples of a source show the same picture, to the pixel."""
    return drawn("world", SOURCES)


def drawn(seed: str, sources: int) -> tuple[WorldSample, ...]:
    """Samples like those of the benchmark, whose own seed is "world"."""
    pool = Pool(photographs.held_out(), held_out=True)
    names = [(family, f"{family}-{number}") for number in range(sources) for family in NAMES]
    return tuple(_sample(pool, seed, family, name, language) for family, name in names for language in LANGUAGES)


def _sample(pool: Pool, seed: str, family: str, name: str, language: str) -> WorldSample:
    ask = Chance(pool, f"{seed} {name} {language}")
    made = task.make(family, Chance(pool, f"{seed} {name}"), ask)
    return WorldSample(f"{name}-{language}", language, made.sentence(language, ask), made)
