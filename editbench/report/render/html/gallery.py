"""The samples of the gallery: the rows of every run's scores.jsonl, side by side, each with its instruction and pictures.

Of very large runs some samples are drawn (see MOST); the numbers of the report are over all of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from editbench.errors import UserError
from editbench.paths import REFERENCE, SOURCE, ScorePaths
from editbench.records import EDIT_FAILED, Judgement, Sample
from editbench.report.records import rows
from editbench.report.render.html.pictures import EditShards, RunPictures, StoredPicture, open_edits
from editbench.shards import Stored
from editbench.wording import counted

MOST = 100_000
"""Samples that a page shows, about. Of a run with more, those are shown whose keys' sha256 is low enough: a draw that
has nothing to do with scores and is the same in every run."""


@dataclass(frozen=True, slots=True)
class JudgedEdit:
    """What one run made of a sample."""

    judgement: Judgement
    edited: StoredPicture | None = None


@dataclass(slots=True)
class GallerySample:
    """A sample and what the runs made of it. The texts and pictures are those of the first run that has them."""

    name: str
    """The sample's key; with a number behind it where another benchmark in the report has the same key."""
    category: str
    language: str
    instruction: str | None = None
    """None when the sample's shard was not found."""
    reference: str = ""
    sources: list[StoredPicture] = field(default_factory=list)
    references: list[StoredPicture] = field(default_factory=list)
    results: dict[int, JudgedEdit] = field(default_factory=dict)
    """What each run made of it, by the number of the run."""


@dataclass(frozen=True, slots=True)
class Gallery:
    """The samples that the page shows, and what is missing of them."""

    samples: Sequence[GallerySample]
    """In the order of the first run's rows; what only later runs have comes behind."""
    warnings: Sequence[str]
    """Which pictures are missing and where they were looked for."""
    notices: Sequence[tuple[str, str]]
    """(label of the run, text) of each warning as the page has it: it names no folder, as other machines have others."""
    sampled_from: int | None = None
    """Rows of the largest run, when not all of them are shown."""


def collect(
    runs: Sequence[RunPictures],
    facts: Sequence[Mapping[str, Any]],
    *,
    pictures: bool = True,
    wanted: Collection[str] = (),
    most: int = MOST,
) -> Gallery:
    """Read the runs' rows and, with `pictures`, find their instructions and pictures.

    Args:
        facts: the runs of report.json, in the same order: `benchmark`, `edits` and `overall` of each are used.
        wanted: keys that are shown even if they are not drawn.

    Raises:
        UserError: a score folder without scores, or with a row that is none.
    """
    samples: dict[tuple[str, str], GallerySample] = {}
    names: set[str] = set()
    largest = max(run["overall"]["micro"]["n"] for run in facts)
    is_shown = _draw(largest, most, wanted)
    sources = [open_edits(run, about["edits"]) for run, about in zip(runs, facts, strict=True)]
    for number, (run, about, edits) in enumerate(zip(runs, facts, sources, strict=True)):
        benchmark = about["benchmark"]["version"] or about["benchmark"]["name"]
        for row in filter(is_shown, rows.entries(ScorePaths(run.scores).scores, Judgement)):
            if (sample := samples.get((benchmark, row.key))) is None:
                sample = GallerySample(_unique(row.key, names), row.category, row.language)
                samples[benchmark, row.key] = sample
            sample.results[number] = _result(row, sample, edits if pictures else None)
    warnings = [warning for edits in sources for warning in edits.warnings()]
    notices = [_notice(edits) for edits in sources if edits.missing]
    return Gallery(list(samples.values()), warnings, notices, None if is_shown is None else largest)


def _draw(n: int, most: int, wanted: Collection[str]) -> Callable[[Judgement], bool] | None:
    """Whether a row is shown; None when all are."""
    if n <= most:
        return None
    bound, always = (2**64 * most // n).to_bytes(8, "big"), frozenset(wanted)
    return lambda row: hashlib.sha256(row.key.encode()).digest() < bound or row.key in always


def _notice(edits: EditShards) -> tuple[str, str]:
    folder = f"folder of edits {edits.name}".rstrip()
    where = f"shards of their {folder} are" if edits.root else f"their {folder} is"
    missing = f"pictures of {counted(edits.missing.total(), 'sample')} are missing"
    return edits.label, f"{missing}, because {where} not where this page was made"


def _unique(key: str, names: set[str]) -> str:
    name, number = key, 2
    while name in names:
        name, number = f"{key}~{number}", number + 1
    names.add(name)
    return name


def _result(row: Judgement, sample: GallerySample, edits: EditShards | None) -> JudgedEdit:
    if edits is None or (row.shard is None and row.status == EDIT_FAILED):
        return JudgedEdit(row)
    stored = edits.find(row.shard or "", row.key)
    if stored is None:
        return JudgedEdit(row)
    if sample.instruction is None:
        _describe(sample, stored)
    return JudgedEdit(row, StoredPicture(stored, stored.edited) if stored.edited else None)


def _describe(sample: GallerySample, stored: Stored) -> None:
    """Fill in the texts and pictures of a sample."""
    try:
        record = Sample.from_dict(stored.record())
    except (UserError, TypeError):  # the pictures are shown without it
        record = Sample(key=stored.key, id="", instruction="", category="")
    sample.instruction, sample.reference = record.instruction, record.reference_text
    sample.sources = [StoredPicture(stored, extension) for extension in stored.images(SOURCE)]
    sample.references = [StoredPicture(stored, extension) for extension in stored.images(REFERENCE)]
