"""`editbench import-scores`: criteria that another tool has scored, from a table to a folder of scores.

The rubric makes the score of them, as it does of a judge's answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editbench import identity, shards
from editbench.benchmarks import tables
from editbench.benchmarks.rows import keys_of
from editbench.edits import Edits, Entry
from editbench.errors import UserError
from editbench.fleet import stage
from editbench.fleet.run_options import RunOptions
from editbench.manifests import EditManifest, Named
from editbench.models import Kind, Model
from editbench.records import OK, OUT_OF_RANGE, UNPARSED, Sample
from editbench.score.criteria import Criterion
from editbench.score.items import JudgedItem
from editbench.score.recorded import RecordedStage, Unrecorded, first_sample
from editbench.score.rubric import Rubric
from editbench.score.rubric.prompts import IMAGES
from editbench.score.settings import ScoreSettings
from editbench.score.stage import checked_rubric
from editbench.score.votes import Answer

UNCATEGORIZED = "uncategorized"
NAMES = ("key", "id")
"""Columns that say which sample a row is of; the first that a table has counts."""
Row = Mapping[str, Any]
"""A row of the table, by column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What a table does not say of itself."""

    model: str
    """Who made the edits."""
    judge: str
    benchmark: str = "imported"


def import_scores(
    table: Path,
    rubric_name: str,
    out: Path,
    options: RunOptions,
    about: Provenance,
    *,
    edits: Path | None = None,
    mapping: Mapping[str, str] | None = None,
    where: Mapping[str, str] | None = None,
) -> None:
    """Score the rows of a table that has a column a criterion, and one called `key` or `id`.

    `edits`: the folder that they are of; without it samples are what the columns category, language and group tell, and the
    rubric's own subsets. `mapping`: the table's columns by our names. `where`: only rows with these values in these columns.

    Raises:
        UserError: no table, a column that is missing, one sample twice, or no row that is of these edits.
        Incomplete: more samples than `options.max_failures` allows have no row.
    """
    options.check()
    rows = _rows(table, mapping or {}, where or {})
    opened = Edits.open(edits) if edits else _as_edits(table, rows, about)
    settings = ScoreSettings(forced=False, dtype="float32")
    chosen = checked_rubric(rubric_name, settings, opened)
    _check(table, rows, opened, chosen)
    facts = {"kind": Kind.RECORDED, "name": about.judge, "digest": shards.sha256(table)}
    model = Model(Kind.RECORDED, about.judge, str(table), facts)

    def answers(item: JudgedItem) -> list[list[Answer]]:
        if edits and not item.images:
            return []
        if (row := _row_of(rows, item.sample)) is None:
            raise Unrecorded(f"{table.name} has no row of it")
        asks = chosen.asks(item.sample, None, settings.readout, item.kinds or IMAGES)
        return [[_answer(ask.question, row, ask.criteria) for ask in asks]]

    stage.run(RecordedStage.of(opened, model, chosen, settings, out, options, answers))


def _rows(table: Path, mapping: Mapping[str, str], where: Mapping[str, str]) -> dict[str, Row]:
    """The rows by the name of their sample, their columns by our names."""
    ours = {column: name for name, column in mapping.items()}
    rows: dict[str, Row] = {}
    for at, cells in tables.cells(table):
        if any(str(cells.get(column)) != value for column, value in where.items()):
            continue
        row = {ours.get(column, column): value for column, value in cells.items()}
        name = next((str(row[name]).strip() for name in NAMES if row.get(name) not in (None, "")), "")
        if not name:
            raise UserError(f"{at}: no {' or '.join(NAMES)}", "Say which column names the sample: --map key=COLUMN")
        if name in rows:
            raise UserError(f"{at}: {name} comes twice", "Choose rows of one model with --where COLUMN=VALUE.")
        rows[name] = row
    if not rows:
        raise UserError(f"{table} has no rows" + (" of those asked for" if where else ""), "Name a table of scores.")
    return rows


def _check(table: Path, rows: Mapping[str, Row], edits: Edits, chosen: Rubric) -> None:
    """Raises UserError for a table that has nothing to say of these edits or by this rubric."""
    known, columns = {entry.name for entry in chosen.criteria}, {column for row in rows.values() for column in row}
    if not known & columns:
        remedy = f"Its columns: {', '.join(sorted(columns))}. Say which one it is: --map CRITERION=COLUMN"
        raise UserError(f"{table} has no criterion of rubric {chosen.name} ({', '.join(sorted(known))})", remedy)
    if not any(_row_of(rows, entry.sample) for entry in edits.entries):
        raise UserError(f"{table}: no row is of a sample of {edits.root}", first_sample(edits))


def _row_of(rows: Mapping[str, Row], sample: Sample) -> Row | None:
    return rows.get(sample.key, rows.get(sample.id))


def _as_edits(table: Path, rows: Mapping[str, Row], about: Provenance) -> Edits:
    """A folder of edits that is not here, of which the table tells the samples."""
    entries = [Entry(_sample(key, name, row), None) for key, (name, row) in zip(keys_of(rows), rows.items(), strict=True)]
    samples = identity.digest([[entry.sample.key, entry.sample.category, entry.sample.group] for entry in entries])
    nothing: dict[str, Any] = {"failures": {}, "flagged": 0, "flags": {}, "shards": []}
    manifest = EditManifest(
        samples=len(entries),
        edited=len(entries),
        failed=0,
        benchmark=Named(name=about.benchmark, digest=samples),
        model=Named(name=about.model),
        identity="",
        digest=shards.sha256(table),
        **nothing,
    )
    return Edits(table, manifest, entries)


def _sample(key: str, name: str, row: Row) -> Sample:
    texts = {column: str(row[column]).strip() for column in ("category", "language", "group") if row.get(column) is not None}
    return Sample(
        key=key,
        id=name,
        instruction="",
        category=texts.get("category") or UNCATEGORIZED,
        language=texts.get("language") or "en",
        group=texts.get("group") or key,
        extra={column: value for column, value in row.items() if column not in texts and column not in NAMES},
    )


def _answer(question: str, row: Row, criteria: Sequence[Criterion]) -> Answer:
    known = {entry: value for entry in criteria if (value := _number(row.get(entry.name))) is not None}
    inside = {entry.name: value for entry, value in known.items() if entry.lowest <= value <= entry.highest}
    status = OK if len(inside) == len(criteria) else OUT_OF_RANGE if len(known) == len(criteria) else UNPARSED
    text = "" if status == OK else ", ".join(f"{entry.name}: {row.get(entry.name)}" for entry in criteria)
    return Answer(question, status, inside if status == OK else {}, inside, text=text, reason=str(row.get("reason") or ""))


def _number(cell: Any) -> float | None:
    """None for an empty cell, and for what is no number."""
    try:
        return None if cell is None or isinstance(cell, bool) else float(cell)
    except (TypeError, ValueError):
        return None
