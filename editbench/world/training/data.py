"""Batches to learn from, made while the network learns, each from a seed of its own: a run can go on where it stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from PIL import Image
from torch.utils.data import IterableDataset

from editbench.world.chance import Pool
from editbench.world.scene import SIDE
from editbench.world.training import lessons, photographs
from editbench.world.training.lessons import CHANGED, Group, Pair, centre
from editbench.world.training.network import MERGE, Batch, Sizes, processor
from editbench.world.training.tokens import Prompts, stacked
from editbench.world.truth import Outcome

MATCHED = {
    Outcome.RIGHT: (1.0, 1.0),
    Outcome.OVER: (1.0, 1.0),
    Outcome.HALF: (1.0, 1.0),
    Outcome.VALUE: (1.0, 0.0),
    Outcome.PLACE: (0.0, 1.0),
}
"""Whether the thing that changed is the one that was meant, and whether the change is the one that was meant; of other
outcomes nothing is learned."""
UNKNOWN = (-1.0, -1.0)
WIDTH_STEP = 16
POOL_LIFE = 100
"""Batches after which the photographs are changed for others."""
HARDER_FROM = 3000
"""Step from which what is hard is shown more often."""


@dataclass(frozen=True, slots=True)
class Lessons(IterableDataset):
    """A batch a step, from `first` to before `last`: so many `groups` of so many `pairs`. `rank`: each learner has others."""

    sizes: Sizes
    seed: str
    rank: int
    first: int
    last: int
    groups: int
    pairs: int

    def __iter__(self) -> Iterator[Batch]:
        prompts = Prompts(processor(self.sizes), self.sizes.tokens)
        for step in range(self.first, self.last):
            pool = _pool(f"{self.seed}/{self.rank}/{step // POOL_LIFE}")
            often = lessons.OFTEN if step < HARDER_FROM else lessons.HARD
            groups = lessons.groups(pool, f"{self.seed}/{self.rank}/{step}", self.groups, self.pairs, often)
            yield batch([*groups], prompts, self.sizes)


@lru_cache(maxsize=1)
def _pool(seed: str) -> Pool:
    return Pool(photographs.pool(seed), held_out=False)


def batch(groups: Sequence[Group], prompts: Prompts, sizes: Sizes) -> Batch:
    pictures: list[Image.Image] = []
    pairs: list[Pair] = []
    for group in groups:
        start = len(pictures)
        pictures += group.pictures
        pairs += [pair._replace(source=pair.source + start, edited=pair.edited + start) for pair in group.pairs]
    pixels = np.stack([patches(picture, sizes.patch) for picture in pictures])
    rows = stacked([prompts.row(pair) for pair in pairs], WIDTH_STEP)
    numbers = np.array([(pair.source, pair.edited) for pair in pairs])
    seen = _seen(*(pixels[numbers[:, which]].reshape(len(pairs), sizes.tokens, -1) for which in (0, 1)))
    centres = [(*pair.meant, *centre(pictures[pair.source], pictures[pair.edited])) for pair in pairs]
    matched = [MATCHED.get(pair.outcome, UNKNOWN) for pair in pairs]
    learned = (seen, np.array(centres, np.float32), np.array(matched, np.float32))
    return Batch(*map(torch.from_numpy, (pixels, numbers, *rows, *learned)))


def patches(picture: Image.Image, patch: int) -> np.ndarray:
    """(patches, 3 * patch ** 2), bytes: what the image processor makes of it, without the repetition along time."""
    side = SIDE // patch // MERGE
    cells = np.asarray(picture).reshape(side, MERGE, patch, side, MERGE, patch, 3).transpose(0, 3, 1, 4, 6, 2, 5)
    return cells.reshape((side * MERGE) ** 2, -1)


def _seen(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(rows, tokens, values) twice, to (rows, tokens, SEEN). The share that changed counts fourfold: a small thing counts
    in full."""
    apart = np.abs(before.astype(np.int16) - after) > CHANGED
    share = (4 * apart.mean(-1, dtype=np.float32, keepdims=True)).clip(max=1)
    # A patch has its channels one after the other.
    split = (*before.shape[:2], MERGE**2, 3, -1)
    colours = [part.reshape(split).mean((2, 4), dtype=np.float32) / 127.5 - 1 for part in (before, after)]
    return np.concatenate([share, *colours], -1)
