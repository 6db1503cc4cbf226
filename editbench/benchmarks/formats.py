"""The formats that can be imported, and which of them a source is of."""

from __future__ import annotations

from editbench.benchmarks import folder, gedit, imgedit, kris, rise, table
from editbench.benchmarks.format import Format, Source
from editbench.errors import UserError

_ALL = (gedit.FORMAT, imgedit.FORMAT, kris.FORMAT, rise.FORMAT, folder.FORMAT, table.FORMAT)
"""In the order in which a source is held against them: what fits a public benchmark would fit `table`, too."""

FORMATS: dict[str, Format] = {each.name: each for each in _ALL} | {"jsonl": table.FORMAT}
"""By name; `jsonl` is an older name of `table`."""


def recognise(source: Source) -> tuple[Format, str]:
    """The format of a source, and by what it was recognised. Raises UserError for one of no format."""
    for each in _ALL:
        if evidence := each.recognise(source):
            return each, evidence
    raise UserError(f"{source.path} is of no format that is known", f"Say which one with --format: {', '.join(FORMATS)}.")


def named(name: str) -> Format:
    """Raises UserError for a format that there is not."""
    if name not in FORMATS:
        raise UserError(f"no benchmark format {name}", f"Known: {', '.join(FORMATS)}.")
    return FORMATS[name]
