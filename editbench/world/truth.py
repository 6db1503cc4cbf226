"""What can become of an edit in the small world, what each outcome is worth, and how it is called."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    RIGHT = "right"
    """As asked, and nothing else."""
    OVER = "over"
    """As asked, and something that nobody asked for."""
    HALF = "half"
    """Half of what was asked."""
    VALUE = "value"
    """The thing that was meant, but changed in another way: another colour, season, direction."""
    PLACE = "place"
    """What was asked, on a thing that was not meant."""
    ELSE = "else"
    """Only something that nobody asked for."""
    NOTHING = "nothing"
    """The source."""
    STRANGER = "stranger"
    """Another picture altogether."""


TRUTH: dict[Outcome, int] = {
    Outcome.RIGHT: 10,
    Outcome.OVER: 7,
    Outcome.HALF: 5,
    Outcome.VALUE: 3,
    Outcome.PLACE: 2,
    Outcome.ELSE: 1,
    Outcome.NOTHING: 0,
    Outcome.STRANGER: 0,
}
"""The right score of each outcome, 0..10; the rubric `world` tells a judge the same."""

PERFECT, COPY = "perfect", "copy"
EDITORS: dict[str, Outcome | None] = {
    PERFECT: Outcome.RIGHT,
    "over-editing": Outcome.OVER,
    "half-hearted": Outcome.HALF,
    "wrong-place": Outcome.PLACE,
    "mixed": None,
}
"""Controls beside COPY, and what each makes of every sample. `mixed` does some well and others badly, by a hash of each;
hence its scores can be correlated with the truth."""

REASONS: dict[str, dict[Outcome, str]] = {
    "en": {
        Outcome.RIGHT: "done",
        Outcome.OVER: "done, but more changed",
        Outcome.HALF: "half done",
        Outcome.VALUE: "wrong change",
        Outcome.PLACE: "wrong thing changed",
        Outcome.ELSE: "something else changed",
        Outcome.NOTHING: "nothing changed",
        Outcome.STRANGER: "another picture",
    },
    "zh": {
        Outcome.RIGHT: "完成",
        Outcome.OVER: "完成，但别处也变了",
        Outcome.HALF: "只做了一半",
        Outcome.VALUE: "改得不对",
        Outcome.PLACE: "改错了对象",
        Outcome.ELSE: "改了别的东西",
        Outcome.NOTHING: "没有变化",
        Outcome.STRANGER: "另一张图",
    },
}
"""What a judge that knows the world says of each outcome, by language."""
