"""Score folders of made-up judgements, as the stage `score` leaves them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from editbench import identity
from editbench.paths import ScorePaths
from editbench.records import OK, Judgement

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


def write_lines(root: Path, data: bytes) -> None:
    paths = ScorePaths(root)
    paths.scores.write_bytes(data)
    paths.manifest.write_bytes(orjson.dumps({"schema": 1, "sha256": hashlib.sha256(data).hexdigest()}))


@pytest.fixture
def make_scores(tmp_path: Path) -> Callable[..., Path]:
    def make(
        name: str = "scores",
        rows: Sequence[Row] = ROWS,
        *,
        judgements: Sequence[Judgement] = (),
        editor: str = "copy",
        judge: str = "judge",
        readout: str = "generate",
        benchmark: str = "b0",
        batch_size: int = 8,
    ) -> Path:
        root = tmp_path / name
        root.mkdir()
        edits = {
            "digest": f"edits of {editor}",
            "benchmark": {"name": "sample", "digest": benchmark},
            "model": {"name": editor},
        }
        rubric = {"name": "five", "version": 1, "scale": [0, 10], "digest": "r0"}
        settings = {"readout": readout, "batch_size": batch_size}
        there = identity.make("score", edits=edits, model={"name": judge}, rubric=rubric, settings=settings)
        ScorePaths(root).identity.write_bytes(orjson.dumps(there))
        judgements = judgements or [judgement(f"k{place}", *row) for place, row in enumerate(rows)]
        write_lines(root, b"".join(row.to_json() + b"\n" for row in judgements))
        return root

    return make
