"""Colours of the small world: their names, and the shades that each name stands for."""

from __future__ import annotations

RGB = tuple[int, int, int]

ZH = {
    "red": "红色",
    "orange": "橙色",
    "yellow": "黄色",
    "green": "绿色",
    "blue": "蓝色",
    "purple": "紫色",
    "white": "白色",
    "black": "黑色",
}
"""The colours by their English names, with their Chinese ones."""

SHADES: dict[str, tuple[RGB, ...]] = {
    "red": ((225, 30, 35), (200, 25, 45), (240, 60, 50)),
    "orange": ((250, 140, 20), (240, 120, 35), (255, 155, 50)),
    "yellow": ((250, 225, 40), (240, 210, 30), (255, 240, 90)),
    "green": ((40, 165, 60), (30, 140, 45), (80, 185, 70)),
    "blue": ((35, 75, 220), (30, 100, 235), (50, 60, 180)),
    "purple": ((145, 45, 185), (125, 60, 170), (165, 70, 205)),
    "white": ((250, 250, 250), (240, 240, 235), (255, 252, 245)),
    "black": ((20, 20, 22), (35, 32, 30), (8, 8, 12)),
}
"""Of scenes to learn from, each moved by up to JITTER a channel."""
HELD_OUT: dict[str, RGB] = {
    "red": (214, 46, 64),
    "orange": (232, 138, 48),
    "yellow": (236, 226, 68),
    "green": (56, 148, 78),
    "blue": (62, 88, 202),
    "purple": (152, 64, 168),
    "white": (238, 244, 250),
    "black": (30, 22, 36),
}
"""Of the committed benchmark: scenes to learn from have no shade within APART of one."""
JITTER = 14
APART = 7


def is_held_out(shade: RGB) -> bool:
    """Whether a shade is too close to one of the committed benchmark: all channels within APART."""
    return any(max(abs(a - b) for a, b in zip(shade, kept, strict=True)) <= APART for kept in HELD_OUT.values())
