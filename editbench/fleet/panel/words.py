"""Numbers and foreign text as people read them in a terminal: one line, a known width, nothing that moves the cursor."""

from __future__ import annotations

import re

from rich.cells import cell_len, set_cell_size

from editbench.fleet.status import Event
from editbench.printable import clean
from editbench.records import EDIT_FAILED, ERROR


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


def duration(seconds: float) -> str:
    """`0:07`, `12:31`, `3:04:05`."""
    minutes, second = divmod(max(0, int(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def per_second(rate: float, unit: str) -> str:
    """`3.1 it/s`; below one a second the other way round, `2.4 s/it`."""
    return f"{short(rate)} {unit}/s" if rate >= 1 or rate <= 0 else f"{short(1 / rate)} s/{unit}"


def short(value: float) -> str:
    """Three digits of a number that is not negative."""
    if value < 9.995:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def percent(part: int, whole: int) -> str:
    """Rounded down: 100 % is all of it."""
    return f"{100 * part // whole if whole else 100} %"


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def counts(of: dict[str, int]) -> str:
    """`out_of_memory 2, error 1`, most frequent first."""
    return ", ".join(f"{clean(name)} {count}" for name, count in sorted(of.items(), key=lambda entry: (-entry[1], entry[0])))


def device(name: str, driver_name: str | None) -> str:
    """`cuda:3` and `NVIDIA H100 80GB HBM3` as `3 H100 80GB HBM3`."""
    if driver_name is None:
        return clean(name)
    for maker in ("NVIDIA ", "AMD ", "GeForce ", "Tesla ", "Graphics Device"):
        driver_name = driver_name.replace(maker, "")
    return clean(f"{name.partition(':')[2]} {driver_name}")


def samples_per_second(pace: float) -> str:
    """`2.31 samples/s`, or `14.2 s/sample`."""
    return f"{short(pace)} samples/s" if pace >= 1 else f"{short(1 / pace)} s/sample"


def why(event: Event) -> str:
    """What is known of a sample without a result."""
    note = clean(event.note)
    return note if event.status in (EDIT_FAILED, ERROR) and note else f"{event.status}: {note}".rstrip(": ")
