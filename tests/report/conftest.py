"""Score folders of made-up judgements, as the stage `score` leaves them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson
import pytest

from editbench import identity
from editbench.manifests import EditsFacts, Named, RowsEntry, ScoreManifest
from editbench.paths import ScorePaths
from editbench.records import OK, Judgement
from editbench.report.document import Report
from editbench.report.options import ReportOptions
from editbench.report.stage import report

Row = tuple[str, str, float | None]
"""category, group, score (None: unparsed)."""

ROWS: tuple[Row, ...] = (
    ("causal", "g1", 2.0),
    ("causal", "g1", 4.0),
    ("causal", "g2", 6.0),
    ("social", "g2", 9.0),
    ("social", "g3", None),
    ("social", "g3", 7.0),
)


def judgement(key: str, category: str, group: str, score: float | None, **more: Any) -> Judgement:
    values = {"status": "unparsed" if score is None else OK, "language": "en", "id": key} | more
    return Judgement(key=key, category=category, group=group, score=score, **values)


def write_lines(root: Path, data: bytes, **further: bytes) -> None:
    """scores.jsonl, and the files of `further` by the names they have in the manifest: audit, anchors."""
    paths = ScorePaths(root)
    files = {"scores": data, **further}
    entries = {}
    for name, content in files.items():
        getattr(paths, name).write_bytes(content)
        count = content.count(b"\n")
        entries[name] = RowsEntry(rows=count, statuses={OK: count}, sha256=hashlib.sha256(content).hexdigest())
    scores = entries.pop("scores")
    edits = EditsFacts(digest="e", benchmark=Named(name="sample"), model=Named(name="copy"))
    about = {"samples": scores.rows, "statuses": scores.statuses, "mean": None, "min": None, "max": None}
    manifest = ScoreManifest(**about, edits=edits, identity="i", sha256=scores.sha256, **entries)
    replace(manifest, digest=manifest.own_digest()).dump(paths.manifest)


def lines(judgements: Sequence[Judgement]) -> bytes:
    return b"".join(row.to_json() + b"\n" for row in judgements)


def tables(scores: Sequence[Path], out: Path, **options: Any) -> Report:
    """A report without charts and page, which take ten times as long as all its numbers."""
    return report(scores, out, ReportOptions(figures=False, html=False, **options))


@pytest.fixture
def make_scores(tmp_path: Path) -> Callable[..., Path]:
    def make(
        name: str = "scores",
        rows: Sequence[Row] = ROWS,
        *,
        judgements: Sequence[Judgement] = (),
        editor: str = "copy",
        editor_kind: str = "folder",
        judge: str = "judge",
        kind: str = "folder",
        readout: str = "generate",
        benchmark: str = "b0",
        batch_size: int = 8,
        rubric: Mapping[str, Any] = MappingProxyType({}),
        audit: Sequence[Judgement] = (),
        anchors: Sequence[Judgement] = (),
    ) -> Path:
        root = tmp_path / name
        root.mkdir()
        edits = {
            "digest": f"edits of {editor}",
            "benchmark": {"name": "sample", "digest": benchmark},
            "model": {"name": editor, "kind": editor_kind},
        }
        rubric = {"name": "five", "version": 1, "scale": [0, 10], "digest": "r0", **rubric}
        settings = {"readout": readout, "batch_size": batch_size, "audit": len(audit)}
        of = {"digest": "edits of anchors"} if anchors else None
        there = identity.make(
            "score", edits=edits, model={"name": judge, "kind": kind}, rubric=rubric, settings=settings, anchors=of
        )
        ScorePaths(root).identity.write_bytes(orjson.dumps(there))
        judgements = judgements or [judgement(f"k{index}", *row) for index, row in enumerate(rows)]
        further = {"audit": lines(audit), "anchors": lines(anchors)}
        write_lines(root, lines(judgements), **{name: rows for name, rows in further.items() if rows})
        return root

    return make
