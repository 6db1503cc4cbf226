"""Other scores that a reply claims after the one it gives: "Score: 8 ... On reflection the final score: 6" gives none.

A claim need not stand where a score may stand, so it never counts as a score itself. What a perfect edit would get, or what
was not given, is no claim, and neither is a number that counts something, as in `3 cats`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from editbench.score.replies.labels import NOTE, OPENS_CLAUSE, ScorePatterns, preceding
from editbench.score.replies.numbers import ANY, BARE, CHINESE_GAP, DECOR, OTHER, pattern, spelled
from editbench.score.replies.prose import supposed

_LINK = r"""(?:[:=]|应为|应该是|改为|为|是|\b(?:
    is|was|of|to|at|as|becomes|(?:should|must|will)\ be | (?:drops|falls|rises|goes|moves|comes|changes)\ (?:down\ |up\ )?to
)\b:?)?"""
_NAMED = r"(?:the|my|final|overall|total)[ _]|我|最终|综合|总体|本次"
_LEADS_IN = pattern(r"(?<![a-z])(?:the|an?|my|our|its?|new|final|total|revised|corrected|updated|adjusted|actual)[ _]{1,2}\Z")
_VERB = r"""(?:
    (?:rate|give|assign|award|settle|lower|raise|change|revise|adjust|correct|reduce|downgrade|upgrade)(?:s|d|ed)?
  | (?:giv|rat|assign|award|settl|lower|rais|chang|revis|adjust|correct|reduc)ing | gave | given | scored | (?<=i\ )score
)"""
_TURN = r"""(?:
    correction | on\ (?:second\ thoughts?|reflection|closer\ (?:look|inspection)) | reconsidering | actually | wait | rather
  | sorry | scratch\ that | i\ mean | make\ (?:that|it) | maybe | perhaps | possibly | probably
  | (?:final|overall|total)(?:\ (?:answer|verdict|grade|mark|assessment))?(?=\ ?[:=]|\ is)
)"""
_REVISED = (
    pattern(rf"\b(?:{_VERB}|{_TURN})\b(?:{OTHER})"),
    pattern(
        rf"""(?:最终|最后|综合|总[分评]|修正|更正|改为|改成|应为|应该是|应该给|应给|调整为|[降升提][为到至]|提高到|给出?|打|评为
               |不对(?=[,\ ]{{0,2}}[0-9]))
             {CHINESE_GAP}{{0,8}}?{ANY}(?:\ ?分(?![钟之制])|{BARE})"""
    ),
)


def claims(plain: str, start: int, names: ScorePatterns) -> Iterator[float]:
    """The scores that a text claims from `start` on under a name, wherever in a sentence."""
    for match in _claim(names.label).finditer(plain, start):
        before = preceding(plain, match.start())
        led = match["named"] is not None or OPENS_CLAUSE.search(before) or _LEADS_IN.search(before)
        if led and not supposed(plain, match.start()):
            yield spelled(match["number"])


def revisions(plain: str, start: int) -> Iterator[float]:
    """The scores that a text claims from `start` on under no name: `I would lower it to 6`, `Correction: 6`, `改为6分`."""
    for revised in _REVISED:
        for match in revised.finditer(plain, start):
            if not supposed(plain, match.start()):
                yield spelled(match["number"])


@lru_cache(maxsize=256)
def _claim(label: str) -> re.Pattern[str]:
    return pattern(
        rf"(?=(?P<named>{_NAMED})?){label}(?:(?<![a-z])|(?![0-9])){DECOR}{NOTE}{DECOR}{_LINK}\s{{0,2}}{DECOR}"
        rf"{ANY}{BARE}"
    )
