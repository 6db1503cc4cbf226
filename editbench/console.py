"""The one module that prints.

Results and progress go to stdout, errors and warnings to stderr. Text from benchmarks, models and the file system is never
read as Rich markup: pass it through `text`, or use the functions here, which do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console, RenderableType
from rich.markup import escape as text
from rich.table import Table

from editbench.errors import EditbenchError, IdentityError

__all__ = ["escaped_table", "fail", "out", "say", "show", "text", "warn"]

out = Console(highlight=False, emoji=False)
_err = Console(stderr=True, highlight=False, emoji=False)


def say(message: str, style: str | None = None) -> None:
    """One plain line, whole however narrow the terminal is."""
    out.print(message, style=style, markup=False, soft_wrap=True)


def show(renderable: RenderableType) -> None:
    """A table, a panel, or another Rich renderable."""
    out.print(renderable)


def warn(message: str) -> None:
    _err.print(f"warning: {message}", style="yellow", markup=False, soft_wrap=True)


def fail(error: EditbenchError) -> None:
    """What is wrong, where, and what to do."""
    _err.print(f"error: {error}", style="bold red", markup=False, soft_wrap=True)
    if isinstance(error, IdentityError):
        _err.print(escaped_table(("setting", "there", "asked"), error.differences))
    if error.remedy:
        _err.print(error.remedy, markup=False, soft_wrap=True)


def escaped_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> Table:
    """A table of plain cells; the first column is left-aligned and numbers are right-aligned."""
    table = Table(title=title, title_justify="left")
    rows = [list(row) for row in rows]
    for number, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[number], int | float) or row[number] in ("", "-") for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(text(str(cell)) for cell in row))
    return table
