"""The things of the small world, each drawn as a sticker with a dark and a white rim that stands out on any photograph.

Integer operations of Pillow alone: one version of it gives the same pixels everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from PIL import Image, ImageDraw

from editbench.world.colours import RGB

FINE = 2
"""Drawn so many times as large, then averaged: smooth rims."""
DARK: RGB = (36, 36, 40)
PALE: RGB = (250, 250, 250)
WOOD: RGB = (120, 82, 50)
SKIN: RGB = (250, 205, 80)
ICE: RGB = (170, 225, 245)
LIGHT: RGB = (255, 238, 150)
DULL: RGB = (110, 110, 110)
LAMPS: tuple[RGB, ...] = ((245, 50, 45), (250, 210, 40), (50, 215, 80))
"""Of a traffic light, from the top."""
UNLIT: RGB = (62, 62, 62)
WHITE_RIM, DARK_RIM = 5, 3  # pixels

Point = tuple[float, float]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom."""


@dataclass(frozen=True, slots=True)
class Thing:
    """`x`, `y`: its middle in pixels, or of what stands on the ground the middle of its foot. What `size` and `state` mean
    is said by the function that draws its kind."""

    kind: str
    x: int
    y: int
    size: int = 0
    colour: RGB = DULL
    state: int = 0
    lower: RGB | None = None
    """The colour of its lower half, where that is another one."""
    faded: bool = False

    def paste(self, canvas: Image.Image) -> None:
        left, top, _, _ = KINDS[self.kind][1]
        sprite = _sprite(replace(self, x=0, y=0))
        canvas.paste(sprite, (self.x + left, self.y + top), sprite)


class _Pen:
    """Draws around (0, 0) on a sheet that shows a box, in the picture's pixels."""

    def __init__(self, box: Box) -> None:
        self._left, self._top, right, bottom = box
        self._sheet = Image.new("RGBA", ((right - self._left) * FINE, (bottom - self._top) * FINE))
        self._draw = ImageDraw.Draw(self._sheet)

    def ellipse(self, x: float, y: float, across: float, down: float, fill: Sequence[int]) -> None:
        self._draw.ellipse([*self._at(x - across, y - down), *self._at(x + across, y + down)], fill=tuple(fill))

    def box(self, left: float, top: float, right: float, bottom: float, fill: Sequence[int]) -> None:
        self._draw.rectangle([*self._at(left, top), *self._at(right, bottom)], fill=tuple(fill))

    def polygon(self, points: Sequence[Point], fill: Sequence[int]) -> None:
        self._draw.polygon([self._at(x, y) for x, y in points], fill=tuple(fill))

    def arc(self, x: float, y: float, across: float, down: float, ends: tuple[int, int], width: int) -> None:
        box = [*self._at(x - across, y - down), *self._at(x + across, y + down)]
        self._draw.arc(box, *ends, fill=DARK, width=width * FINE)

    def done(self) -> Image.Image:
        return self._sheet.reduce(FINE)

    def _at(self, x: float, y: float) -> tuple[int, int]:
        return round((x - self._left) * FINE), round((y - self._top) * FINE)


Shape = Callable[[_Pen, float, Sequence[int]], None]
"""Draws a shape that is so many pixels wider all around, in a colour."""


def _sticker(pen: _Pen, shape: Shape, colour: RGB) -> None:
    for rim, fill in ((WHITE_RIM, PALE), (DARK_RIM, DARK), (0, colour)):
        shape(pen, rim, fill)


@lru_cache(maxsize=256)
def _sprite(thing: Thing) -> Image.Image:
    sprite = _drawn(thing)
    if thing.lower is not None:
        below = _drawn(replace(thing, colour=thing.lower, lower=None))
        waist = -KINDS[thing.kind][1][1] - (_CROWN if thing.kind == "tree" else 0)
        half = (0, waist, sprite.width, sprite.height)
        sprite.paste(below.crop(half), half[:2])
    if thing.faded:
        sprite.putalpha(sprite.getchannel("A").point([value // 2 for value in range(256)]))
    return sprite


def _drawn(thing: Thing) -> Image.Image:
    draw, box = KINDS[thing.kind]
    pen = _Pen(box)
    draw(pen, thing)
    return pen.done()


def _round(x: float, y: float, across: float, down: float) -> Shape:
    return lambda pen, rim, fill: pen.ellipse(x, y, across + rim, down + rim, fill)


def _block(left: float, top: float, right: float, bottom: float) -> Shape:
    return lambda pen, rim, fill: pen.box(left - rim, top - rim, right + rim, bottom + rim, fill)


def _pointed(radii: Sequence[float]) -> Shape:
    """A polygon whose corners lie at these distances, at equal angles, the first one on top."""
    angles = [math.radians(360 * index / len(radii) - 90) for index in range(len(radii))]

    def shape(pen: _Pen, rim: float, fill: Sequence[int]) -> None:
        out = rim * 2 if len(radii) == 3 else rim * 1.5
        pen.polygon([((r + out) * math.cos(a), (r + out) * math.sin(a)) for r, a in zip(radii, angles, strict=True)], fill)

    return shape


def _disc(pen: _Pen, thing: Thing) -> None:
    """`size`: radius."""
    _sticker(pen, _round(0, 0, thing.size, thing.size), thing.colour)


def _square(pen: _Pen, thing: Thing) -> None:
    """`size`: half a side, and a bit."""
    half = thing.size * 7 / 8
    _sticker(pen, _block(-half, -half, half, half), thing.colour)


def _triangle(pen: _Pen, thing: Thing) -> None:
    """`size`: a bit less than from the middle to a corner."""
    _sticker(pen, _pointed([thing.size * 1.2] * 3), thing.colour)


def _star(pen: _Pen, thing: Thing) -> None:
    """`size`: a bit less than from the middle to a point."""
    _sticker(pen, _pointed([thing.size * 1.15, thing.size * 0.5] * 5), thing.colour)


def _balloon(pen: _Pen, thing: Thing) -> None:
    """`size`: half its width. `state`: length of the string, 0 for none."""
    bottom = thing.size * 1.15
    if thing.state:
        pen.box(-3.5, bottom, 3.5, bottom + thing.state, PALE)
        pen.box(-2, bottom, 2, bottom + thing.state, DARK)
    pen.polygon([(0, bottom - 2), (-7, bottom + 8), (7, bottom + 8)], DARK)
    _sticker(pen, _round(0, 0, thing.size, thing.size * 1.15), thing.colour)


def _glass(pen: _Pen, thing: Thing) -> None:
    """`size`: half its width; it is 100 pixels high. `state`: its level in eighths. `colour`: of the drink."""
    half, top = thing.size, -100
    _sticker(pen, _block(-half, top, half, 0), (222, 236, 240))
    level = top * 92 * thing.state // 800
    if thing.state:
        pen.box(-half + 4, level - 4, half - 4, -4, thing.colour)


def _tree(pen: _Pen, thing: Thing) -> None:
    """`size`: radius of its crown, of its `colour`."""
    _sticker(pen, _block(-8, -60, 8, 0), WOOD)
    _sticker(pen, _round(0, -_CROWN, thing.size, thing.size), thing.colour)


def _traffic_light(pen: _Pen, thing: Thing) -> None:
    """`state`: the lamps that are lit, one bit each from the top."""
    _sticker(pen, _block(-22, -58, 22, 58), DARK)
    for index, colour in enumerate(LAMPS):
        pen.ellipse(0, 37 * (index - 1), 16, 16, colour if thing.state >> index & 1 else UNLIT)


def _face(pen: _Pen, thing: Thing) -> None:
    """`size`: radius. `state`: 0 neutral, 1 happy, 2 sad, 3 surprised."""
    radius = thing.size
    _sticker(pen, _round(0, 0, radius, radius), thing.colour)
    for side in (-1, 1):
        pen.ellipse(side * radius * 0.36, -radius * 0.3, 5, 7, DARK)
    across, width = radius * 0.5, 6
    if thing.state == 1:
        pen.arc(0, radius * 0.1, across, radius * 0.5, (0, 180), width)
    elif thing.state == 2:
        pen.arc(0, radius * 0.68, across, radius * 0.5, (180, 360), width)
    elif thing.state == 3:
        pen.ellipse(0, radius * 0.45, radius * 0.24, radius * 0.3, DARK)
    else:
        pen.box(-across, radius * 0.38, across, radius * 0.38 + width, DARK)


def _flag(pen: _Pen, thing: Thing) -> None:
    """`state`: how far it hangs below the top of its pole, in pixels."""
    _sticker(pen, _block(-4, -POLE, 4, 0), (215, 215, 220))
    top = 4 - POLE + thing.state
    _sticker(pen, _block(8, top, 62, top + 38), thing.colour)


def _lamp(pen: _Pen, thing: Thing) -> None:
    """`state`: 1 its bulb is lit, 2 its light falls around, 3 both. `colour`: of its light."""
    if thing.state & 2:
        for reach, veil in ((62, 100), (50, 110), (38, 120)):
            pen.ellipse(0, -78, reach, reach, (*thing.colour, veil))
    _sticker(pen, _block(-5, -60, 5, 0), DULL)
    _sticker(pen, _block(-24, -6, 24, 2), DULL)
    _sticker(pen, _round(0, -78, 24, 24), thing.colour if thing.state & 1 else DULL)


def _ice(pen: _Pen, thing: Thing) -> None:
    """`size`: its height; 0 for a puddle."""
    if not thing.size:
        _sticker(pen, _round(0, -6, 46, 9), (120, 185, 235))
        return
    _sticker(pen, _block(-32, -thing.size, 32, 0), ICE)
    pen.polygon([(-24, -thing.size + 8), (-8, -thing.size + 8), (-24, -thing.size + 24)], PALE)


POLE = 170
"""Height of a flagpole in pixels."""
_CROWN = 88
"""Height of a tree up to the middle of its crown."""

_AROUND = (-60, -60, 60, 60)
KINDS: dict[str, tuple[Callable[[_Pen, Thing], None], Box]] = {
    "disc": (_disc, _AROUND),
    "square": (_square, _AROUND),
    "triangle": (_triangle, _AROUND),
    "star": (_star, _AROUND),
    "ball": (_disc, _AROUND),
    "balloon": (_balloon, (-56, -64, 56, 180)),
    "glass": (_glass, (-40, -108, 40, 8)),
    "tree": (_tree, (-52, -140, 52, 8)),
    "traffic light": (_traffic_light, (-30, -66, 30, 66)),
    "face": (_face, _AROUND),
    "flag": (_flag, (-12, -178, 70, 6)),
    "lamp": (_lamp, (-64, -142, 64, 10)),
    "ice": (_ice, (-54, -112, 54, 10)),
}
"""How each kind is drawn, and the box around its middle or foot that holds it."""
