"""How far a judge can be trusted: its scores of edits whose truth is known, those of the small world's controls.

>>> accuracy = measure([Path("perfect/scores"), Path("copy/scores")])
>>> accuracy.everything.spearman.value
0.9
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from editbench.errors import UserError
from editbench.report.records import runs
from editbench.report.records.runs import ScoredRun
from editbench.report.statistics import agreement
from editbench.report.statistics.agreement import Estimate
from editbench.report.statistics.bootstrap import Bootstrap
from editbench.world.benchmark import LANGUAGES, WorldSample, samples
from editbench.world.editors import truth
from editbench.world.families import NAMES
from editbench.world.truth import COPY, EDITORS, PERFECT


@dataclass(frozen=True, slots=True)
class Correlation:
    """Of the judge's scores with the truth, over the scored edits of the samples called `name`."""

    name: str
    edits: int
    spearman: Estimate


@dataclass(frozen=True, slots=True)
class EditorMean:
    editor: str
    truth: float
    """Mean of what its edits deserve, 0..10."""
    mean: Estimate
    """Of the judge's scores, on the rubric's own scale."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """All intervals are at 95 %, over source pictures."""

    judge: str
    """Its name, its rubric and its readout."""
    edits: int
    unscored: int
    everything: Correlation
    languages: Sequence[Correlation]
    families: Sequence[Correlation]
    wins: Estimate | None
    """Share of samples whose right edit scores higher than no edit; None unless both editors were judged."""
    editors: Sequence[EditorMean]
    """Best truth first."""


@dataclass(frozen=True, slots=True)
class _Judged:
    sample: WorldSample
    truth: int
    score: float


def measure(folders: Sequence[Path]) -> Accuracy:
    """The accuracy of the judge that made these score folders, one a control, of `shards/world`.

    Raises:
        UserError: a folder is not one of finished scores, its edits are no control's or not of that benchmark, there are two of
            one editor, or judge, rubric or readout differ.
    """
    loaded = [runs.load(folder) for folder in folders]
    judges = list(dict.fromkeys(_judge(run) for run in loaded))
    if len(judges) > 1:
        raise UserError(f"the scores are not of one judge, rubric and readout: {'; '.join(judges)}", "Check one at a time.")
    by_editor: dict[str, list[_Judged]] = {}
    for run in loaded:
        if run.facts.editor.name in by_editor:
            raise UserError(f"{run.root}: {run.facts.editor.name} was given already", "Give one folder of scores an editor.")
        by_editor[run.facts.editor.name] = _judged(run)
    judged = [one for edits in by_editor.values() for one in edits]
    return Accuracy(
        judge=judges[0],
        edits=len(judged),
        unscored=int(sum(np.isnan(one.score) for one in judged)),
        everything=_correlation("all", judged),
        languages=_correlations(LANGUAGES, judged, lambda sample: sample.language),
        families=_correlations(NAMES, judged, lambda sample: sample.family),
        wins=_wins(by_editor),
        editors=sorted((_mean(*entry) for entry in by_editor.items()), key=lambda mean: -mean.truth),
    )


def _judge(run: ScoredRun) -> str:
    return f"{run.facts.judge}, rubric {run.facts.rubric}, readout {run.facts.readout}"


def deserved(folder: Path, editor: str, keys: Sequence[str]) -> dict[str, int]:
    """The right score, 0..10, of each edit of a folder by its sample's key.

    Raises:
        UserError: the editor is no control of the small world, or a key is not of `shards/world`.
    """
    if editor not in (*EDITORS, COPY):
        problem = f"{folder}: what edits by {editor} deserve is not known"
        raise UserError(problem, f"Give those by {', '.join((*EDITORS, COPY))}.")
    known = truth(editor)
    if unknown := [key for key in keys if key not in known]:
        raise UserError(f"{folder}: {unknown[0]} is no sample of shards/world", "Give edits of that benchmark.")
    return {key: known[key] for key in keys}


def _judged(run: ScoredRun) -> list[_Judged]:
    known = {sample.id: sample for sample in samples()}
    right = deserved(run.root, run.facts.editor.name, run.rows.keys)
    return [_Judged(known[key], right[key], score) for key, score in zip(run.rows.keys, run.rows.score.tolist(), strict=True)]


def _correlations(names: Iterable[str], judged: Sequence[_Judged], of: Callable[[WorldSample], str]) -> list[Correlation]:
    return [_correlation(name, [one for one in judged if of(one.sample) == name]) for name in names]


def _correlation(name: str, judged: Sequence[_Judged]) -> Correlation:
    scored = [one for one in judged if not np.isnan(one.score)]
    values = np.array([(one.score, one.truth) for one in scored], float).reshape(-1, 2)
    agreed = agreement.agree(values[:, 0], values[:, 1], _groups(one.sample for one in scored))
    return Correlation(name, len(scored), agreed.spearman)


def _groups(of: Iterable[WorldSample]) -> np.ndarray:
    """An integer a source picture."""
    return np.unique([sample.source for sample in of], return_inverse=True)[1].astype(np.int64)


def _wins(by_editor: dict[str, list[_Judged]]) -> Estimate | None:
    """An edit without a score wins nothing, and nothing is higher than one."""
    if not {PERFECT, COPY} <= {*by_editor}:
        return None
    right, nothing = by_editor[PERFECT], {one.sample.id: one.score for one in by_editor[COPY]}
    won = [one.score > nothing.get(one.sample.id, np.nan) for one in right]
    return _estimate(np.array(won, float), [one.sample for one in right])


def _mean(editor: str, judged: Sequence[_Judged]) -> EditorMean:
    scored = [one for one in judged if not np.isnan(one.score)]
    mean = _estimate(np.array([one.score for one in scored]), [one.sample for one in scored])
    return EditorMean(editor, float(np.mean([one.truth for one in judged])), mean)


def _estimate(values: np.ndarray, of: Sequence[WorldSample]) -> Estimate:
    if not len(values):
        return Estimate(None, None)
    return Estimate(float(values.mean()), Bootstrap(_groups(of)).mean(values))
