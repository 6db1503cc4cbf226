"""A scene of the small world as plain data, and how it becomes a picture.

A source, its right edit and every wrong one are scenes: what is true of an edit follows from what was changed in the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageChops, ImageDraw

from editbench.world.colours import RGB
from editbench.world.sprites import DARK, DARK_RIM, PALE, WHITE_RIM, Box, Thing

SIDE = 256
"""Pixels of a picture, either way."""


@dataclass(frozen=True, slots=True, eq=False)
class Backdrop:
    """A square piece of a photograph."""

    photograph: Image.Image
    x: int
    y: int
    side: int
    mirrored: bool = False

    def piece(self, size: tuple[int, int]) -> Image.Image:
        box = (self.x, self.y, self.x + self.side, self.y + self.side)
        piece = self.photograph.resize(size, Image.Resampling.BILINEAR, box)
        return piece.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if self.mirrored else piece


@dataclass(frozen=True, slots=True)
class Band:
    """A strip of one colour across the picture: the ground, or the sky."""

    box: Box
    colour: RGB


@dataclass(frozen=True, slots=True)
class Window:
    """Where one looks out. `air`: the weather or hour out there, in the part `within` of the box."""

    box: Box
    view: Backdrop
    air: str = ""
    within: Box | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """`air`: weather or hour of all but what a window shows. `wash`: a colour that lies over everything."""

    backdrop: Backdrop
    things: tuple[Thing, ...] = ()
    bands: tuple[Band, ...] = ()
    window: Window | None = None
    air: str = ""
    wash: RGB | None = None

    def render(self) -> Image.Image:
        """The RGB picture, SIDE x SIDE."""
        picture = _piece(self.backdrop, (SIDE, SIDE))
        picture = filtered(picture, self.air) if self.air else picture.copy()
        for band in self.bands:
            picture.paste(band.colour, band.box)
            ImageDraw.Draw(picture).line((0, band.box[1], SIDE, band.box[1]), DARK, 3)
        if self.window is not None:
            _look_out(picture, self.window)
        for thing in self.things:
            thing.paste(picture)
        return _washed(picture, self.wash) if self.wash else picture


@lru_cache(maxsize=16)
def _piece(backdrop: Backdrop, size: tuple[int, int]) -> Image.Image:
    return backdrop.piece(size)


def _look_out(picture: Image.Image, window: Window) -> None:
    left, top, right, bottom = window.box
    draw = ImageDraw.Draw(picture)
    for rim, fill in ((WHITE_RIM + 4, DARK), (WHITE_RIM + 2, PALE), (DARK_RIM, DARK)):
        draw.rectangle((left - rim, top - rim, right + rim - 1, bottom + rim - 1), fill=fill)
    picture.paste(_piece(window.view, (right - left, bottom - top)), window.box)
    if window.air:
        within = window.within or window.box
        picture.paste(filtered(picture.crop(within), window.air), within)


_AIRS: dict[str, tuple[tuple[int, int], ...]] = {
    "night": ((40, 0), (50, 4), (80, 34)),
    "snow": ((130, 110), (130, 114), (130, 120)),
    "fog": ((60, 150), (60, 152), (60, 154)),
    "dusk": ((190, 62), (130, 16), (80, 0)),
}
"""For each channel, how much of it stays (in 256ths) and what is added."""


def filtered(picture: Image.Image, air: str) -> Image.Image:
    """The picture in another weather or at another hour: night, snow, fog, dusk."""
    table = [min(255, value * share // 256 + more) for share, more in _AIRS[air] for value in range(256)]
    changed = picture.point(table)
    if air == "snow":
        draw = ImageDraw.Draw(changed)
        for index in range(changed.width * changed.height // 320):  # flakes, spread by multiples that share no factor
            x, y, radius = index * 89 % changed.width, index * 151 % changed.height, 2 + index % 2
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 255, 255))
    return changed


def _washed(picture: Image.Image, colour: RGB) -> Image.Image:
    return picture.point([(value + tone) // 2 for tone in colour for value in range(256)])


def kept(before: Image.Image, after: Image.Image, given: Image.Image) -> Image.Image:
    """`after`, with the pixels of `given` wherever it equals `before`."""
    apart = ImageChops.difference(before, after).point(([0] + [255] * 255) * 3)
    red, green, blue = apart.split()
    return Image.composite(after, given, ImageChops.lighter(ImageChops.lighter(red, green), blue))
