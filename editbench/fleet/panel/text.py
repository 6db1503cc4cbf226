"""Numbers, foreign text and bars for a terminal: one line each, of a known width, with nothing that moves the cursor."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.segment import Segment
from rich.text import Text

from editbench.fleet.status import Event, Gpu
from editbench.printable import clean
from editbench.records import EDIT_FAILED, ERROR

FULL, HALF, EMPTY = "━", "╸", "─"
_ASCII = str.maketrans({FULL: "#", HALF: "-", EMPTY: ".", "…": "~", "·": "|", "°": " ", "×": "x"})


class Frame(Group):
    """Renderables one below the other, whose lines never wrap; in ASCII where the terminal has no Unicode."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        options = options.update(no_wrap=True, overflow="ellipsis")
        for renderable in self.renderables:
            for text, style, control in console.render(renderable, options):
                if options.ascii_only and not control:
                    text = text.translate(_ASCII).encode("ascii", "replace").decode()
                yield Segment(text, style, control)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """`text` in exactly `width` cells: padded, or cut with an ellipsis. A number is there whole or not at all."""
    length = cell_len(text)
    if length > width > 0:
        kept = set_cell_size(text, width - 1)
        if re.match(r"[.,:/]?\d", text[len(kept) :]):
            kept = re.sub(r"\d[\d.,:/]*$", "", kept)
        text, length = f"{kept}…", cell_len(kept) + 1
    elif length > width:
        return ""
    return " " * (width - length) + text if right else text + " " * (width - length)


def fit_middle(text: str, width: int) -> str:
    """As `fit`, but what is cut is in the middle: names of samples differ at their ends."""
    if cell_len(text) <= width or width < 5:
        return fit(text, width)
    tail = (width - 1) // 2
    return fit(set_cell_size(text, width - 1 - tail) + "…" + text[-tail:], width)


def cut(line: Text, width: int) -> Text:
    """The line in at most `width` cells, cut as `fit` does."""
    if line.cell_len <= width or width < 1:
        return line if width > 0 else Text()
    kept = fit(line.plain, width).rstrip()[:-1].rstrip()  # a blank at the end may stand for half of a wide letter
    return line[: len(kept)] + "…"


def bar(width: int, whole: float, parts: Sequence[tuple[float, str]]) -> Text:
    """A bar of `width` cells for parts of `whole`, each a number and a style.

    Full only when the parts are the whole, and empty only when there are none: a part shows at least half a cell.
    """
    parts = [(count, style) for count, style in parts if count]
    line, start, reached = Text(), 0, 0.0  # positions are in half cells
    for index, (count, style) in enumerate(parts):
        reached += count
        last = index == len(parts) - 1
        end = 2 * width if reached >= whole else min(int(2 * width * reached / whole), 2 * width - 1)
        end = min(max(end if last else end - end % 2, start + (1 if last else 2)), 2 * width)
        line.append(FULL * (end // 2 - start // 2) + HALF * (end % 2), style)
        start = end
    return line.append(EMPTY * (width - (start + 1) // 2), "bright_black")


def duration(seconds: float) -> str:
    """`0:07`, `12:31`, `3:04:05`."""
    minutes, second = divmod(max(0, int(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def short(value: float) -> str:
    """Three digits of a number that is not negative."""
    if value < 9.995:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def per_second(rate: float, unit: str, units: str) -> str:
    """`3.1 it/s`; below one a second the other way round, `2.4 s/it`."""
    return f"{short(rate)} {units}/s" if rate >= 1 else f"{short(1 / rate)} s/{unit}"


def samples_per_second(pace: float) -> str:
    """`2.31 samples/s`, or `14.2 s/sample`."""
    return per_second(pace, "sample", "samples")


def percent(part: int, whole: int) -> str:
    """Rounded down, so that 100 % is all of it."""
    return f"{100 * part // whole if whole else 100} %"


def counts(of: dict[str, int]) -> str:
    """`out_of_memory 2, error 1`, most frequent first."""
    return ", ".join(f"{clean(name)} {count}" for name, count in sorted(of.items(), key=lambda entry: (-entry[1], entry[0])))


def device(name: str, gpu: Gpu | None) -> str:
    """`cuda:3` with a GPU named `NVIDIA H100 80GB HBM3` as `3 H100 80GB HBM3`."""
    if gpu is None:
        return clean(name)
    return clean(f"{name.partition(':')[2]} {re.sub('NVIDIA |AMD |GeForce |Tesla |Graphics Device', '', gpu.name)}")


def why(event: Event) -> str:
    """What is known of a sample without a result."""
    note = clean(event.note)
    return note if event.status in (EDIT_FAILED, ERROR) and note else f"{clean(event.status)}: {note}".rstrip(": ")
