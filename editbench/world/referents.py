"""How the small world's instructions say which thing is meant, in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from editbench.world.chance import Chance

Phrase = dict[str, str]
"""By language."""

SHAPES = {"disc": "圆", "square": "方块", "triangle": "三角形", "star": "星星"}
NOUNS = SHAPES | {
    "ball": "球",
    "glass": "杯子",
    "balloon": "气球",
    "tree": "树",
    "traffic light": "红绿灯",
    "face": "脸",
    "flag": "旗",
    "lamp": "灯",
    "block of ice": "冰块",
}
"""What can be meant, in English and Chinese."""

Patterns = Mapping[str, Sequence[str]]
SIDED: Patterns = {
    "en": ("the {side} {noun}", "the {noun} on the {side}"),
    "zh": ("{side}边的{noun}", "{side}侧的{noun}", "{side}边那个{noun}"),
}
LARGE: Patterns = {"en": ("the larger {noun}", "the bigger {noun}"), "zh": ("较大的{noun}", "大的那个{noun}", "大{noun}")}
SMALL: Patterns = {"en": ("the smaller {noun}", "the little {noun}"), "zh": ("较小的{noun}", "小的那个{noun}", "小{noun}")}
OTHER: Patterns = {"en": ("the {side} one",), "zh": ("{side}边那个",)}
SIDES: Patterns = {"en": ("left", "right"), "zh": "左右"}


def sided(noun: str, side: int, ask: Chance) -> Phrase:
    """`side`: 0 left, 1 right."""
    return {language: ask.pick(texts) for language, texts in _filled(SIDED, noun, side).items()}


def sized(noun: str, large: bool, ask: Chance) -> Phrase:
    return {language: ask.pick(texts) for language, texts in _filled(LARGE if large else SMALL, noun).items()}


def other_one(side: int) -> Phrase:
    """The thing on that side, where its kind has been named before."""
    return {language: text for language, (text,) in _filled(OTHER, "disc", side).items()}


def everything(language: str) -> list[str]:
    """All phrases that there are."""
    texts = {
        text
        for patterns in (SIDED, LARGE, SMALL, OTHER)
        for noun in NOUNS
        for side in (0, 1)
        for text in _filled(patterns, noun, side)[language]
    }
    return sorted(texts)


def _filled(patterns: Patterns, noun: str, side: int = 0) -> dict[str, list[str]]:
    nouns = {"en": noun, "zh": NOUNS[noun]}
    return {
        language: [text.format(noun=nouns[language], side=SIDES[language][side]) for text in texts]
        for language, texts in patterns.items()
    }
