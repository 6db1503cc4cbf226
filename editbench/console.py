"""The one module that prints.

Results and progress go to stdout, errors and warnings to stderr. Text from benchmarks, models and the file system is never
read as Rich markup by the functions here, and no control character of it reaches a terminal, whoever prints it and as what.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any

import rich.console
from rich.console import ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from editbench.errors import EditbenchError, IdentityError
from editbench.printable import printable

LINE = 30.0
"""Seconds between two lines of progress where there is no terminal."""

__all__ = ["Console", "crashed", "escaped_table", "fail", "out", "progress", "say", "show", "warn"]


class Console(rich.console.Console):
    """A Rich console all of whose text is `printable`; what Rich itself sends to move the cursor or to colour stays."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text, lines=True), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        if isinstance(renderable, Text) and (shown := printable(renderable.plain, lines=True)) != renderable.plain:
            renderable = renderable.blank_copy(shown)  # before it is laid out, so that it keeps to its column
        for segment in super().render(renderable, options):
            text = segment.text
            if segment.control or text.isprintable() or text == "\n":
                yield segment
            else:
                yield Segment(printable(text, lines=True), segment.style)


out = Console(highlight=False, emoji=False)
_err = Console(stderr=True, highlight=False, emoji=False)


def say(message: str, style: str | None = None) -> None:
    """Print one plain line, whole however narrow the terminal is."""
    out.print(printable(message), style=style, markup=False, soft_wrap=True)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[], None]]:
    """A function to call as each of `total` is done: it moves a bar in a terminal, and says a line now and then elsewhere."""
    done, said = 0, time.monotonic()
    if not out.is_terminal:

        def advance() -> None:
            nonlocal done, said
            done += 1
            if time.monotonic() - said >= LINE:
                say(f"{what}: {done:,} of {total:,}")
                said = time.monotonic()

        yield advance
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


def show(renderable: RenderableType) -> None:
    """Print a table, a panel, or another Rich renderable."""
    out.print(renderable)


def warn(message: str) -> None:
    """Print a warning of one line on stderr."""
    _err.print(f"warning: {printable(message)}", style="yellow", markup=False, soft_wrap=True)


def fail(error: EditbenchError) -> None:
    """Print what is wrong, where, and what to do, on stderr."""
    # A line of a foreign text is indented, so it can't pass for a message of its own.
    message = str(error).replace("\n", "\n  ")
    _err.print(f"error: {message}", style="bold red", markup=False, soft_wrap=True)
    if isinstance(error, IdentityError):
        _err.print(escaped_table(("setting", "there", "asked"), error.differences))
    if error.remedy:
        _err.print(printable(error.remedy), markup=False, soft_wrap=True)


def crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of an unexpected error on stderr; fits `sys.excepthook`."""
    _err.print("".join(traceback.format_exception(kind, error, trace)), markup=False, soft_wrap=True, end="")


def escaped_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> Table:
    """A table of plain cells; the first column is left-aligned and numbers are right-aligned."""
    table = Table(title=title, title_justify="left")
    rows = [list(row) for row in rows]
    for number, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[number], int | float) or row[number] in ("", "-") for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(str(cell), lines=True)) for cell in row))
    return table
