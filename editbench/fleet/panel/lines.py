"""Lines of styled text as a Rich renderable, and bars. Never wraps, never reads markup; a 64-rank frame takes well under a
millisecond to turn into segments, where a Rich table takes tens."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions
from rich.segment import Segment

from editbench.fleet.panel.words import fit
from editbench.printable import printable

Piece = tuple[str, str]
"""Text, and the name of its Rich style."""
Line = list[Piece]

FULL, HALF, EMPTY = "━", "╸", "─"
_ASCII = str.maketrans({FULL: "#", HALF: "-", EMPTY: ".", "…": "~", "·": "|", "°": " ", "×": "x"})


class Lines:
    """Lines to print one below the other, of printable characters only; each is cut at the console's width."""

    def __init__(self, lines: list[Line]) -> None:
        self.lines = [[(printable(text), style) for text, style in line] for line in lines]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for line in self.lines:
            for text, style in cut(line, options.max_width):
                plain = text.translate(_ASCII).encode("ascii", "replace").decode() if options.ascii_only else text
                yield Segment(plain, console.get_style(style) if style else None)
            yield Segment.line()

    def __str__(self) -> str:
        return "\n".join("".join(text for text, _ in line).rstrip() for line in self.lines)


def width_of(line: Line) -> int:
    return sum(cell_len(text) for text, _ in line)


def cut(line: Line, width: int) -> Line:
    """The line in at most `width` cells, with an ellipsis where something is missing."""
    kept: Line = []
    for text, style in line:
        length = cell_len(text)
        if length > width:
            return [*kept, (fit(text, width), style)]
        kept.append((text, style))
        width -= length
    return kept


def spread(left: Line, right: Line, width: int) -> Line:
    """`left` and `right` at the two ends of a line; `left` is cut when both don't fit."""
    left = cut(left, max(0, width - width_of(right) - 2))
    return [*left, (" " * max(0, width - width_of(left) - width_of(right)), ""), *right]


def joined(parts: list[Line], between: Piece = ("  ·  ", "dim")) -> Line:
    line: Line = []
    for part in filter(None, parts):
        line += [between, *part] if line else part
    return line


def bar(width: int, whole: int, parts: list[tuple[int, str]]) -> Line:
    """A bar of `width` cells for parts of `whole`, each a number and a style.

    Full only when everything is there, and empty only when nothing is: a part that has begun shows at least half a cell.
    """
    parts = [(count, style) for count, style in parts if count]
    line, at, reached = [], 0, 0
    for place, (count, style) in enumerate(parts):
        reached += count
        last = place == len(parts) - 1
        end = 2 * width if reached >= whole else min(2 * width * reached // whole, 2 * width - 1)
        end = min(max(end if last else end - end % 2, at + (1 if last else 2)), 2 * width)
        line.append((FULL * (end // 2 - at // 2) + HALF * (end % 2), style))
        at = end
    return [*line, (EMPTY * (width - (at + 1) // 2), "bright_black")]
