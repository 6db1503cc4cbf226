"""The samples of the gallery: the rows of every run's scores.jsonl, side by side, each with its instruction and pictures.

Of very large runs some samples are drawn (see MOST); the numbers of the report are over all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from editbench.errors import UserError
from editbench.paths import EDITED, REFERENCE, SOURCE, ScorePaths
from editbench.records import EDIT_FAILED, Judgement, Sample
from editbench.report.records import rows
from editbench.report.render.html.pictures import Picture, RunPictures, Shelf, counted, open_shelf
from editbench.shards import Stored

MOST = 100_000
"""Samples that a page shows, about. Of a run with more, those are shown whose keys' sha256 is low enough: a draw that
has nothing to do with scores and is the same in every run."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one run made of a sample."""

    judgement: Judgement
    edited: Picture | None = None


@dataclass(slots=True)
class Shown:
    """A sample and its results, by the number of the run. The texts and pictures are those of the first run that has them."""

    name: str
    """Its key; with a number behind it where another benchmark in the report has the same key."""
    category: str
    language: str
    instruction: str | None = None
    """None when the shards are not there."""
    reference: str = ""
    sources: list[Picture] = field(default_factory=list)
    references: list[Picture] = field(default_factory=list)
    results: dict[int, Result] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gallery:
    samples: Sequence[Shown]
    """In the order of the first run's rows; what only later runs have comes behind."""
    warnings: Sequence[str]
    """What is missing and where it was looked for."""
    notices: Sequence[tuple[str, str]]
    """(label of the run, text): the same for the page, which names no folder, as other machines have others."""
    drawn_of: int | None = None
    """Rows of the largest run, when not all of them are shown."""


def collect(
    runs: Sequence[RunPictures],
    facts: Sequence[Mapping[str, Any]],
    *,
    pictures: bool = True,
    wanted: Collection[str] = (),
    most: int = MOST,
) -> Gallery:
    """Read the runs' rows and, with `pictures`, find what they are about.

    Args:
        facts: the runs of report.json, in the same order: `benchmark`, `edits` and `overall` of each are used.
        wanted: keys that are shown whatever is drawn.

    Raises:
        UserError: a score folder without scores, or with a row that is none.
    """
    samples: dict[tuple[str, str], Shown] = {}
    names: set[str] = set()
    largest = max(about["overall"]["micro"]["n"] for about in facts)
    keep = _draw(largest, most, wanted)
    shelves = [open_shelf(run, about["edits"]) for run, about in zip(runs, facts, strict=True)]
    for number, (run, about, shelf) in enumerate(zip(runs, facts, shelves, strict=True)):
        benchmark = about["benchmark"]["version"] or about["benchmark"]["name"]
        for row in filter(keep, rows.entries(ScorePaths(run.scores).scores, Judgement)):
            if (shown := samples.get((benchmark, row.key))) is None:
                shown = Shown(_unique(row.key, names), row.category, row.language)
                samples[benchmark, row.key] = shown
            shown.results[number] = _result(row, shown, shelf if pictures else None)
    warnings = [warning for shelf in shelves for warning in shelf.warnings()]
    notices = [_notice(shelf) for shelf in shelves if shelf.missing]
    return Gallery(list(samples.values()), warnings, notices, None if keep is None else largest)


def _draw(n: int, most: int, wanted: Collection[str]) -> Callable[[Judgement], bool] | None:
    """Whether a row is shown; None when all are."""
    if n <= most:
        return None
    bound, always = (2**64 * most // n).to_bytes(8, "big"), frozenset(wanted)
    return lambda row: hashlib.sha256(row.key.encode()).digest() < bound or row.key in always


def _notice(shelf: Shelf) -> tuple[str, str]:
    folder = f"folder of edits {shelf.name}".rstrip()
    where = f"shards of their {folder} are" if shelf.root else f"their {folder} is"
    missing = f"pictures of {counted(shelf.missing.total())} are missing"
    return shelf.label, f"{missing}, because {where} not where this page was made"


def _unique(key: str, names: set[str]) -> str:
    name, number = key, 2
    while name in names:
        name, number = f"{key}~{number}", number + 1
    names.add(name)
    return name


def _result(row: Judgement, shown: Shown, shelf: Shelf | None) -> Result:
    if shelf is None or (row.shard is None and row.status == EDIT_FAILED):
        return Result(row)
    stored = shelf.find(row.shard or "", row.key)
    if stored is None:
        return Result(row)
    if shown.instruction is None:
        _describe(shown, stored)
    return Result(row, Picture(stored, EDITED) if EDITED in stored.spans else None)


def _describe(shown: Shown, stored: Stored) -> None:
    try:
        record = Sample.from_dict(stored.record())
    except (UserError, TypeError):  # the pictures are shown without it
        record = Sample(key=stored.key, id="", instruction="", category="")
    shown.instruction, shown.reference = record.instruction, record.reference_text
    shown.sources = [Picture(stored, extension) for extension in stored.images(SOURCE)]
    shown.references = [Picture(stored, extension) for extension in stored.images(REFERENCE)]
