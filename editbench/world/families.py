"""The families of the small world: three kinds of edits in each of five categories, and how each can go wrong.

A family is a function of two chances: the first draws what the source shows, the second what is asked of it. So one source
picture can be asked about twice, as in public benchmarks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from editbench.world.chance import Chance
from editbench.world.colours import RGB, ZH
from editbench.world.referents import SHAPES, Phrase, other_one, sided, sized
from editbench.world.scene import SIDE, Band, Scene, Window
from editbench.world.sprites import LAMPS, LIGHT, POLE, SKIN, Thing

COLUMNS = ((50, 78), (178, 206))
"""Where the left and the right thing stand."""
GROUND: RGB = (150, 118, 84)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is asked, the source, and what became of it. `request`: a table of wordings.toml."""

    request: str
    source: Scene
    right: Scene
    half: Scene
    value: Scene
    wrong_place: Scene
    phrases: dict[str, Phrase] = field(default_factory=dict)


def _put(scene: Scene, side: int, **changes: Any) -> Scene:
    """The scene with one of its things changed."""
    things = list(scene.things)
    things[side] = replace(things[side], **changes)
    return replace(scene, things=tuple(things))


def _without(scene: Scene, side: int) -> Scene:
    return replace(scene, things=(*scene.things[:side], *scene.things[side + 1 :]))


def _on_ground(chance: Chance) -> Scene:
    """A backdrop with ground at the bottom; nothing stands on it yet."""
    return Scene(chance.backdrop(), bands=(Band((0, chance.between(204, 220), SIDE, SIDE), GROUND),))


def _ground(scene: Scene) -> int:
    """The height of the ground's upper rim."""
    return scene.bands[0].box[1]


def recolour(draw: Chance, ask: Chance) -> Draft:
    """Paint the star blue."""
    shapes, colours = draw.others([*SHAPES], 2), draw.others([*ZH], 2)
    things = tuple(
        Thing(shape, draw.between(*column), draw.between(100, 170), draw.between(30, 40), draw.shade(colour))
        for shape, colour, column in zip(shapes, colours, COLUMNS, strict=True)
    )
    source, side = Scene(draw.backdrop(), things), ask.pick((0, 1))
    wanted, other = ask.others([*ZH], 2, colours)
    new, wrong = ask.shade(wanted), ask.shade(other)
    noun = shapes[side]
    return Draft(
        request="recolour",
        phrases={"it": {"en": f"the {noun}", "zh": SHAPES[noun]}, "colour": {"en": wanted, "zh": ZH[wanted]}},
        source=source,
        right=_put(source, side, colour=new),
        half=_put(source, side, lower=new),
        value=_put(source, side, colour=wrong),
        wrong_place=_put(source, 1 - side, colour=new),
    )


def remove(draw: Chance, ask: Chance) -> Draft:
    """Remove the larger star."""
    shape, colours, large = draw.pick([*SHAPES]), draw.others([*ZH], 2), draw.pick((0, 1))
    things = tuple(
        Thing(shape, draw.between(*COLUMNS[side]), draw.between(100, 170), draw.between(*size), draw.shade(colours[side]))
        for side, size in enumerate(((20, 25), (40, 46)) if large else ((40, 46), (20, 25)))
    )
    source, side = Scene(draw.backdrop(), things), ask.pick((0, 1))
    wrong = ask.shade(*ask.others([*ZH], 1, colours))
    return Draft(
        request="remove",
        phrases={"it": sized(shape, side == large, ask)},
        source=source,
        right=_without(source, side),
        half=_put(source, side, faded=True),
        value=_put(source, side, colour=wrong),
        wrong_place=_without(source, 1 - side),
    )


def same(draw: Chance, ask: Chance) -> Draft:
    """Give the left star the colour of the right one."""
    shape, colours = draw.pick([*SHAPES]), draw.others([*ZH], 2)
    things = tuple(
        Thing(shape, draw.between(*column), draw.between(100, 170), draw.between(30, 40), draw.shade(colour))
        for colour, column in zip(colours, COLUMNS, strict=True)
    )
    source, side = Scene(draw.backdrop(), things), ask.pick((0, 1))
    own, wanted = things[side].colour, things[1 - side].colour
    wrong = ask.shade(*ask.others([*ZH], 1, colours))
    return Draft(
        request="same",
        phrases={"it": sided(shape, side, ask), "other": other_one(1 - side)},
        source=source,
        right=_put(source, side, colour=wanted),
        half=_put(source, side, lower=wanted),
        value=_put(source, side, colour=wrong),
        wrong_place=_put(source, 1 - side, colour=own),
    )


def fall(draw: Chance, ask: Chance) -> Draft:
    """Let the left ball fall to the ground."""
    scene = _on_ground(draw)
    things = tuple(
        Thing("ball", draw.between(*column), draw.between(84, 110), draw.between(24, 32), draw.shade(colour))
        for colour, column in zip(draw.others([*ZH], 2), COLUMNS, strict=True)
    )
    source, side = replace(scene, things=things), ask.pick((0, 1))

    def landed(which: int) -> int:
        return _ground(scene) - things[which].size

    return Draft(
        request="fall",
        phrases={"it": sided("ball", side, ask)},
        source=source,
        right=_put(source, side, y=landed(side)),
        half=_put(source, side, y=(things[side].y + landed(side)) // 2),
        value=_put(source, side, y=things[side].size + 6),
        wrong_place=_put(source, 1 - side, y=landed(1 - side)),
    )


def fill(draw: Chance, ask: Chance) -> Draft:
    """Fill the left glass to the top."""
    scene = _on_ground(draw)
    drinks = [name for name in ZH if name not in ("white", "black")]
    things = tuple(
        Thing("glass", draw.between(*column), _ground(scene), draw.between(26, 32), draw.shade(colour), state=4)
        for colour, column in zip(draw.others(drinks, 2), COLUMNS, strict=True)
    )
    source, side = replace(scene, things=things), ask.pick((0, 1))
    request, full, half, wrong = ask.pick((("fill", 8, 6, 0), ("empty", 0, 2, 8)))
    return Draft(
        request=request,
        phrases={"it": sided("glass", side, ask)},
        source=source,
        right=_put(source, side, state=full),
        half=_put(source, side, state=half),
        value=_put(source, side, state=wrong),
        wrong_place=_put(source, 1 - side, state=full),
    )


def grow(draw: Chance, ask: Chance) -> Draft:
    """Blow up the left balloon to twice its size."""
    things = tuple(
        Thing("balloon", draw.between(*column), draw.between(90, 160), draw.between(23, 26), draw.shade(colour), state=30)
        for colour, column in zip(draw.others([*ZH], 2), COLUMNS, strict=True)
    )
    source, side = Scene(draw.backdrop(), things), ask.pick((0, 1))
    size = things[side].size
    return Draft(
        request="grow",
        phrases={"it": sided("balloon", side, ask)},
        source=source,
        right=_put(source, side, size=size * 2),
        half=_put(source, side, size=size * 3 // 2),
        value=_put(source, side, size=size // 2),
        wrong_place=_put(source, 1 - side, size=things[1 - side].size * 2),
    )


AIRS = ("night", "snow", "fog", "dusk")


def outside(draw: Chance, ask: Chance) -> Draft:
    """Make it night outside the window."""
    left, top = draw.between(32, 56), draw.between(40, 64)
    box = (left, top, left + draw.between(136, 168), top + draw.between(128, 160))
    window = Window(box, draw.backdrop())
    source = Scene(draw.backdrop(), window=window)
    wanted, other = ask.others(AIRS, 2)
    lower = (box[0], (box[1] + box[3]) // 2, box[2], box[3])
    return Draft(
        request=wanted,
        source=source,
        right=replace(source, window=replace(window, air=wanted)),
        half=replace(source, window=replace(window, air=wanted, within=lower)),
        value=replace(source, window=replace(window, air=other)),
        wrong_place=replace(source, air=wanted),
    )


SEASONS: dict[str, RGB] = {
    "spring": (250, 165, 205),
    "summer": (50, 150, 60),
    "autumn": (225, 120, 35),
    "winter": (245, 248, 252),
}
"""A tree's crown: in blossom, in leaf, in autumn, under snow."""


def season(draw: Chance, ask: Chance) -> Draft:
    """Show the left tree in autumn."""
    now, ground = draw.pick([*SEASONS]), draw.between(212, 228)
    things = tuple(Thing("tree", draw.between(*column), ground, draw.between(36, 44), SEASONS[now]) for column in COLUMNS)
    source, side = Scene(draw.backdrop(), things), ask.pick((0, 1))
    wanted, other = ask.others([*SEASONS], 2, [now])
    return Draft(
        request=wanted,
        phrases={"it": sided("tree", side, ask)},
        source=source,
        right=_put(source, side, colour=SEASONS[wanted]),
        half=_put(source, side, lower=SEASONS[wanted]),
        value=_put(source, side, colour=SEASONS[other]),
        wrong_place=_put(source, 1 - side, colour=SEASONS[wanted]),
    )


COVERS: dict[str, RGB] = {
    "snowy": (246, 249, 253),
    "grassy": (62, 150, 58),
    "sandy": (232, 204, 138),
    "flooded": (58, 118, 200),
}


def ground(draw: Chance, ask: Chance) -> Draft:
    """Cover the ground with snow."""
    band = Band((0, draw.between(164, 184), SIDE, SIDE), GROUND)
    source = Scene(draw.backdrop(), bands=(band,))
    wanted, other = ask.others([*COVERS], 2)
    half = replace(band, box=(0, band.box[1], SIDE // 2, SIDE), colour=COVERS[wanted])
    above = Band((0, 0, SIDE, SIDE - band.box[1]), COVERS[wanted])
    return Draft(
        request=wanted,
        source=source,
        right=replace(source, bands=(replace(band, colour=COVERS[wanted]),)),
        half=replace(source, bands=(band, half)),
        value=replace(source, bands=(replace(band, colour=COVERS[other]),)),
        wrong_place=replace(source, bands=(band, above)),
    )


SIGNALS = ("stop", "wait", "drive")
"""What a traffic light says, by its lit lamp from the top."""


def traffic(draw: Chance, ask: Chance) -> Draft:
    """Let the left traffic light tell the cars to stop."""
    now = draw.pick(range(len(LAMPS)))
    things = tuple(Thing("traffic light", draw.between(*column), draw.between(100, 160), state=1 << now) for column in COLUMNS)
    source, side = Scene(draw.backdrop(), things), ask.pick((0, 1))
    wanted, other = ask.others(range(len(LAMPS)), 2, [now])
    return Draft(
        request=SIGNALS[wanted],
        phrases={"it": sided("traffic light", side, ask)},
        source=source,
        right=_put(source, side, state=1 << wanted),
        half=_put(source, side, state=1 << wanted | 1 << now),
        value=_put(source, side, state=1 << other),
        wrong_place=_put(source, 1 - side, state=1 << wanted),
    )


def mood(draw: Chance, ask: Chance) -> Draft:
    """Cheer up the left face."""
    now = draw.pick((1, 2))
    things = tuple(
        Thing("face", draw.between(*column), draw.between(100, 160), draw.between(42, 48), SKIN, state=now)
        for column in COLUMNS
    )
    source, side = Scene(draw.backdrop(), things), ask.pick((0, 1))
    wanted = 3 - now
    return Draft(
        request=("cheer", "sadden")[wanted - 1],
        phrases={"it": sided("face", side, ask)},
        source=source,
        right=_put(source, side, state=wanted),
        half=_put(source, side, state=0),
        value=_put(source, side, state=3),
        wrong_place=_put(source, 1 - side, state=wanted),
    )


FULL, LOWEST = 0, POLE - 50
"""How far a flag hangs below the top, in pixels."""


def flag(draw: Chance, ask: Chance) -> Draft:
    """Lower the left flag to half-mast."""
    now, foot = draw.pick((FULL, LOWEST)), draw.between(214, 230)
    things = tuple(
        Thing("flag", draw.between(low - 26, high - 26), foot, colour=draw.shade(colour), state=now)
        for colour, (low, high) in zip(draw.others([*ZH], 2), COLUMNS, strict=True)
    )
    source, side = Scene(draw.backdrop(), things), ask.pick((0, 1))
    request, wanted, wrong = ("mourn", LOWEST // 2, LOWEST) if now == FULL else ("celebrate", FULL, LOWEST // 4)
    half = (now + wanted) // 2
    wrong_flag: dict[str, Any] = {"state": wrong}
    if now == LOWEST:
        wrong_flag = {"colour": ask.shade("black" if things[side].colour[0] > 127 else "white")}
    return Draft(
        request=request,
        phrases={"it": sided("flag", side, ask)},
        source=source,
        right=_put(source, side, state=wanted),
        half=_put(source, side, state=half),
        value=_put(source, side, **wrong_flag),
        wrong_place=_put(source, 1 - side, state=wanted),
    )


def lamp(draw: Chance, ask: Chance) -> Draft:
    """Somebody switches off the left lamp: its light goes as well."""
    now, foot = draw.pick((0, 3)), draw.between(196, 220)
    things = tuple(Thing("lamp", draw.between(*column), foot, colour=LIGHT, state=now) for column in COLUMNS)
    source, side = Scene(draw.backdrop(), things), ask.pick((0, 1))
    wrong = {"state": 3, "colour": ask.pick(((120, 160, 255), (255, 110, 200)))}
    return Draft(
        request="off" if now else "on",
        phrases={"it": sided("lamp", side, ask)},
        source=source,
        right=_put(source, side, state=3 - now),
        half=_put(source, side, state=2 if now else 1),
        value=_put(source, side, **wrong),
        wrong_place=_put(source, 1 - side, state=3 - now),
    )


def cut(draw: Chance, ask: Chance) -> Draft:
    """The string of the left balloon is cut: it flies up."""
    scene = _on_ground(draw)
    ground_at = _ground(scene)
    heights = [draw.between(116, 136) for _ in COLUMNS]
    things = tuple(
        Thing("balloon", draw.between(*column), y, 28, draw.shade(colour), state=ground_at - y - 32)
        for colour, column, y in zip(draw.others([*ZH], 2), COLUMNS, heights, strict=True)
    )
    source, side = replace(scene, things=things), ask.pick((0, 1))
    free = {"y": 38, "state": 0}
    return Draft(
        request="cut",
        phrases={"it": sided("balloon", side, ask)},
        source=source,
        right=_put(source, side, **free),
        half=_put(source, side, state=0),
        value=_put(source, side, y=ground_at - 36, state=0),
        wrong_place=_put(source, 1 - side, **free),
    )


def melt(draw: Chance, ask: Chance) -> Draft:
    """The sun has melted the left block of ice."""
    scene = _on_ground(draw)
    things = tuple(Thing("ice", draw.between(*column), _ground(scene), draw.between(66, 78)) for column in COLUMNS)
    source, side = replace(scene, things=things), ask.pick((0, 1))
    return Draft(
        request="melt",
        phrases={"it": sided("block of ice", side, ask)},
        source=source,
        right=_put(source, side, size=0),
        half=_put(source, side, size=things[side].size // 2),
        value=_put(source, side, size=104),
        wrong_place=_put(source, 1 - side, size=0),
    )


FAMILIES: dict[str, dict[str, Callable[[Chance, Chance], Draft]]] = {
    "referential": {"recolour": recolour, "remove": remove, "same": same},
    "physical": {"fall": fall, "fill": fill, "grow": grow},
    "environmental": {"outside": outside, "season": season, "ground": ground},
    "social": {"traffic": traffic, "mood": mood, "flag": flag},
    "causal": {"lamp": lamp, "cut": cut, "melt": melt},
}
"""By category and name."""

NAMES: Sequence[str] = [name for families in FAMILIES.values() for name in families]
