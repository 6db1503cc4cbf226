"""Runs made from arrays, without files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from editbench.records import OK, STATUSES
from editbench.report.records.rows import Rows
from editbench.report.records.runs import Facts, HeadlineFacts, RubricFacts, ScoredRun, Versioned

_FAILED = next(status for status in STATUSES if status != OK)


def run(
    scores: Sequence[float],
    *,
    groups: Sequence[int] | None = None,
    categories: Sequence[int] | None = None,
    keys: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    judge: str = "judge",
    rubric: str = "five",
    aggregate: Literal["micro", "macro", "both"] = "micro",
    edits: str = "",
    settings: Mapping[str, Any] | None = None,
) -> ScoredRun:
    """Scores of samples k0, k1, ...; NaN for a failure. Without `groups`, each is of a group of its own; `names` are theirs."""
    n, keys = len(scores), [f"k{row}" for row in range(len(scores))] if keys is None else keys
    order = sorted(range(n), key=keys.__getitem__)  # as rows of a file are
    score = np.array(scores, dtype=np.float64)[order]
    status = np.where(np.isnan(score), STATUSES.index(_FAILED), STATUSES.index(OK))
    group = (np.arange(n) if groups is None else np.array(groups))[order]
    category = np.zeros(n, dtype=np.int64) if categories is None else np.array(categories)[order]
    rows = Rows(
        keys=[keys[row] for row in order],
        score=score,
        mass=np.full(n, np.nan),
        status=status,
        group=group,
        category=category,
        language=np.zeros(n, dtype=np.int64),
        categories=[f"c{code}" for code in range(int(category.max(initial=0)) + 1)],
        languages=["en"],
        group_names=[f"g{number}" for number in range(int(group.max(initial=0)) + 1)] if names is None else names,
    )
    facts = Facts(
        editor=Versioned("editor"),
        judge=Versioned(judge),
        rubric=RubricFacts(
            name=rubric,
            version="1",
            digest=f"digest of {rubric}",
            scale=(0.0, 10.0),
            headline=HeadlineFacts(aggregate=aggregate),
        ),
        readout="expected",
        benchmark=Versioned("bench", "b0"),
        digest="",
        edits=edits,
    )
    return ScoredRun(Path("scores"), facts, settings or {}, rows)
