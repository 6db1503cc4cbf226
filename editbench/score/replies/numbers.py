"""A number as a score: `8`, `8.5`, `8/10`, `８分`; and what follows it that makes it none.

`7 to 8`, `7～8`, `7 or higher`, `10 - no, 3`, `7, maybe 8`, `8 if the shadow counts`, `80%`, `8th`: one number read out of them
is a made-up score.

Every pattern of this package has bounded or possessive repeats, so a reply is read in time linear in its length.
"""

from __future__ import annotations

import math
import re

NUMBER = r"[-+]?[0-9]++(?:\.[0-9]++)?+"
DECOR = r"""[*_`"'\ \t]{0,8}"""
_UNIT = r"(?:\ {0,2}(?:分|points?\b))?"
_TOP = r"(?:[*_\ ]{0,4}[,(]?\ ?(?:/|out\ of|满分)[为是:\ ]{0,3}[*_]{0,2}(?P<top>[0-9]++(?:\.[0-9]++)?+)\)?)?"
VALUE = rf"(?P<value>(?P<number>{NUMBER}){_UNIT}{_TOP}{_UNIT})"
"""To be read by `value`."""

_GAP = r"[*_`\ \t]{0,4}"
_SPELLED = {
    word: float(number)
    for number, words in enumerate(
        ("two二两", "three三", "four四", "five五", "six六", "seven七", "eight八", "nine九", "ten十"), 2
    )
    for word in re.findall(r"[a-z]+|.", words)
}
ANY = rf"(?P<number>{NUMBER}|(?:{'|'.join(_SPELLED)}))"
"""A number in a sentence, in digits or spelled out; to be read by `spelled`. "One" is as often a thing as a number."""
BARE = r"""(?=(?:\ ?(?:/|out\ of)\ ?[0-9]{1,3})?\ ?(?:分|points?)?[*_`"']{0,4}\ {0,2}(?:
    [.,;!?)\]}。、|] | \n | \Z | (?:if|is|at|or|to|instead|seems?|feels?|fits?|may|might|overall|really|then|though)\b
))"""
"""Behind a number that stands for itself: no word follows that it would count, as in `3 cats`."""
SMALL = r"""(?:
    the|an?|it|it's|this|that|is|be|to|of|at|as|on|with|my|score|rating|final|overall|edit|edited|image|picture|result|down|up
  | back|should|would|could|might|also|will|i|i'd|i'll|give|rate|say|think|in|fact|more|like|about|around|closer|even|just|only
  | strictly|now|rather|maybe|perhaps|probably|actually
)"""
"""Words that may stand between a word of doubt and the number that it brings."""
OTHER = rf"(?:[\s,:;.…*_`\"'()—–-]{{1,4}}{SMALL}\b){{0,8}}[\s,:;.…*_`\"'()—–-]{{1,4}}(?<!image\ )(?<!picture\ )\[?{ANY}{BARE}"

CHINESE_GAP = r"[^0-9\n。扣减满差加每各第]"
"""A character between a Chinese word of doubt and its number; none that takes points off, or tells the most there are."""

_RANGE = rf"""{_GAP}(?:
    (?:[-,~/–—…→±&^·]|->|=>|\+/-|\.{{2,3}})?[\ \t]{{0,3}}[\d¼-¾⅐-⅞]
  | (?:(?:to|or|through|thru|till|until|and|vs\.?|versus|point|plus|minus)\b|到|至|或者?|和|与|及|、|还是){_GAP}
    (?:\d|(?:a\ )?half\b|one\b|一|{"|".join(_SPELLED)})
)"""
_BOUND = rf"""{_GAP}(?:
    [+?±]
  | [/%] | percent
  | (?:or|and)\ (?:so|more|less|fewer|higher|lower|above|below|up|better|worse)\b
  | at\ (?:most|best|least)\b | -?ish\b | 左右|以上|以下|上下
)"""
_CONDITION = r",?\ {0,2}(?:(?:if|unless|assuming|provided)\b|如果|假如|若|除非)"
_WAVER = rf"""[\s*_`"'.,;:!…()\[\]—–。-]{{0,6}}(?:
    (?:no|nope|wait|hm{{1,4}}|well|actually|correction|rather|sorry|maybe|perhaps|possibly|probably|almost|nearly|but|though|or
      |i\ mean|make\ (?:that|it)|scratch\ that|bordering|leaning\ towards?|could|would|might)\b(?:{OTHER})
  | (?:不对|不,|应为|应该是|改为|改成|更正|修正|其实|也许|或许|可能|大概|还是|或){CHINESE_GAP}{{0,4}}\[?{NUMBER}
)"""
_RUNS_ON = re.compile(rf"{_RANGE}|{_BOUND}|{_CONDITION}|[^\W_]|\.[0-9]|{_WAVER}", re.IGNORECASE | re.VERBOSE)

# One character for one, so that nothing moves: full-width forms, and typographic quotes, dashes and spaces, to plain ones.
_ODD = {"'": "‘’", '"': "“”", "-": "−‐‑‒―", "~": "〜∼", "/": "⁄∕", " ": "\r\u00a0\u202f\u205f\u2060\u3000\ufeff"}
_PLAIN = (
    {ord(odd): usual for usual, odds in _ODD.items() for odd in odds}
    | {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
    | dict.fromkeys(range(0x2000, 0x2010), " ")
)


def pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.VERBOSE)


def plain(text: str) -> str:
    """The text in plain signs, character for character."""
    return text.translate(_PLAIN)


def value(match: re.Match[str], highest: int) -> float | None:
    """The score that a match of VALUE gives; None for one that can't be read: what follows makes it no score, or it is a
    fraction of something else than the scale's top."""
    if match["top"] is not None and float(match["top"]) != highest:
        return None
    return None if runs_on(match.string, match.end("value")) else float(match["number"])


def spelled(number: str) -> float:
    """The value of ANY's number. NaN, which no score equals, where re takes an odd letter for the like of it: a dotless i."""
    return float(number) if number[-1] in "0123456789" else _SPELLED.get(number.lower(), math.nan)


def runs_on(text: str, end: int) -> bool:
    """Whether what follows a number's end makes it no score."""
    return _RUNS_ON.match(text, end) is not None
