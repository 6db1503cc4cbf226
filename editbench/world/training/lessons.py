"""Pairs of pictures to learn from, with what was asked and what became of it.

The pairs of a group share their source, so that pictures which differ in one thing alone are shown side by side. Some pairs
are wrong on purpose: the two pictures exchanged, another instruction, another picture.
"""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from PIL import Image

from editbench.world import task
from editbench.world.benchmark import LANGUAGES
from editbench.world.chance import Chance, Pool
from editbench.world.families import NAMES
from editbench.world.scene import SIDE, kept
from editbench.world.task import Task
from editbench.world.truth import Outcome

OFTEN: dict[Outcome, float] = {
    Outcome.RIGHT: 0.2,
    Outcome.OVER: 0.14,
    Outcome.HALF: 0.14,
    Outcome.VALUE: 0.14,
    Outcome.PLACE: 0.14,
    Outcome.ELSE: 0.07,
    Outcome.NOTHING: 0.1,
    Outcome.STRANGER: 0.07,
}
"""How often each outcome is shown at first."""
HARD: dict[Outcome, float] = {
    Outcome.RIGHT: 0.3,
    Outcome.OVER: 0.09,
    Outcome.HALF: 0.09,
    Outcome.VALUE: 0.18,
    Outcome.PLACE: 0.22,
    Outcome.ELSE: 0.05,
    Outcome.NOTHING: 0.04,
    Outcome.STRANGER: 0.03,
}
"""The same, once a judge sees what changed and is still to learn which thing was meant: after 2,000 steps 98 % of the halves
were told as such, and 43 % of the right edits."""
EXCHANGED, MISASKED = 0.08, 0.05
"""How many edits are shown before their source; how many with another family's instruction. Neither is what was asked."""
CHANGED = 25
"""Difference in a channel, 0..255, from which a pixel counts as changed."""
NOISE = 0.2
"""Of the strangers, how many show nothing at all."""


Point = tuple[float, float]
"""Across and down, -1 to 1."""


class Pair(NamedTuple):
    """`source`, `edited`: numbers of the group's pictures. `meant`: the middle of what the right edit would change."""

    source: int
    edited: int
    instruction: str
    language: str
    outcome: Outcome
    meant: Point


@dataclass(frozen=True, slots=True)
class Group:
    pictures: list[Image.Image]
    pairs: list[Pair]


def groups(pool: Pool, seed: str, count: int, pairs: int, often: Mapping[Outcome, float] = OFTEN) -> Iterator[Group]:
    """`count` groups of so many `pairs`, half in each language."""
    before = _group(pool, f"{seed}/first", pairs, None, often)
    for number in range(count):
        group = _group(pool, f"{seed}/{number}", pairs, before, often)
        yield group
        before = group


def _group(pool: Pool, seed: str, size: int, before: Group | None, often: Mapping[Outcome, float]) -> Group:
    chance, ask = random.Random(f"{seed}/what"), Chance(pool, f"{seed}/ask")
    family = chance.choice(NAMES)
    made = task.make(family, Chance(pool, f"{seed}/draw"), ask)
    strangers = before.pictures if before else []
    outcomes = _outcomes(chance, size, {each: share for each, share in often.items() if strangers or each != Outcome.STRANGER})
    source, meant = made.source.render(), _meant(made)
    given = _compressed(source, chance.randint(75, 95)) if chance.random() < 0.7 else source
    pictures, pairs = [given], []
    for number, outcome in enumerate(outcomes):
        language = LANGUAGES[number % len(LANGUAGES)]
        if outcome == Outcome.STRANGER:
            pictures.append(_noise(chance) if chance.random() < NOISE else chance.choice(strangers))
        else:
            pictures.append(_edited(chance, made, outcome, source, given))
        sentence = made.sentence(language, ask)
        pairs.append(_pair(chance, Pair(0, number + 1, sentence, language, outcome, meant), family, pool, f"{seed}/{number}"))
    return Group(pictures, pairs)


def _outcomes(chance: random.Random, size: int, left: dict[Outcome, float]) -> list[Outcome]:
    """So many different ones of those that are `left`."""
    chosen: list[Outcome] = []
    for _ in range(size):
        chosen += chance.choices([*left], [*left.values()])
        del left[chosen[-1]]
    return chosen


def _edited(chance: random.Random, made: Task, outcome: Outcome, source: Image.Image, given: Image.Image) -> Image.Image:
    """As an editor might save it: the untouched as it was given, or all of it drawn, compressed or scaled afresh."""
    picture = made.outcomes[outcome].render()
    kind = chance.random()
    if kind < 0.6:
        return kept(source, picture, given)
    if kind < 0.8:
        return _compressed(picture, chance.randint(50, 95))
    return _blurred(picture, chance.randint(SIDE // 2, SIDE)) if kind < 0.9 else picture


def _blurred(picture: Image.Image, side: int) -> Image.Image:
    """Made smaller and larger again, as a model's own coding of pictures does."""
    small = picture.resize((side, side), Image.Resampling.BILINEAR)
    return small.resize(picture.size, Image.Resampling.BICUBIC)


def _noise(chance: random.Random) -> Image.Image:
    """One colour, blots or grains."""
    side = chance.choice((1, 4, 16, 64, SIDE))
    image = Image.frombytes("RGB", (side, side), chance.randbytes(3 * side * side))
    return image.resize((SIDE, SIDE), chance.choice((Image.Resampling.NEAREST, Image.Resampling.BICUBIC)))


def _compressed(picture: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def _pair(chance: random.Random, pair: Pair, family: str, pool: Pool, seed: str) -> Pair:
    """The pair, or a false one made of it."""
    kind = chance.random()
    if pair.outcome in _DONE and kind < EXCHANGED:
        return pair._replace(source=pair.edited, edited=pair.source, outcome=Outcome.ELSE)
    if pair.outcome in _CHANGED and kind > 1 - MISASKED:
        other = chance.choice([name for name in NAMES if name != family])
        ask = Chance(pool, f"{seed}/ask")
        made = task.make(other, Chance(pool, f"{seed}/draw"), ask)
        return pair._replace(instruction=made.sentence(pair.language, ask), outcome=Outcome.ELSE, meant=_meant(made))
    return pair


def _meant(made: Task) -> Point:
    return centre(made.source.render(), made.outcomes[Outcome.RIGHT].render())


def centre(before: Image.Image, after: Image.Image) -> Point:
    """The middle of what plainly differs; (0, 0) where nothing does."""
    down, across = np.nonzero((np.abs(np.asarray(before, np.int16) - np.asarray(after)) > CHANGED).any(-1))
    return (across.mean() * 2 / SIDE - 1, down.mean() * 2 / SIDE - 1) if len(down) else (0.0, 0.0)


_DONE = (Outcome.RIGHT, Outcome.OVER, Outcome.HALF)
"""Outcomes that are undone when they are shown before their source."""
_CHANGED = (Outcome.RIGHT, Outcome.HALF, Outcome.VALUE, Outcome.PLACE)
"""Outcomes that show an edit, and nothing that nobody would ask for."""
