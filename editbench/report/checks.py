"""What a reader must know before believing the numbers: a judge that may not have answered, runs that can't be compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from editbench.records import OK
from editbench.report.aggregate import RunSummary
from editbench.report.runs import Run

LEAST_COVERAGE = 0.9
LEAST_MASS = 0.5
MOST_FORCED = 0.05
SAME = 1e-3
"""Scores that differ by less look alike in every table."""

_LOOK = "the judge may not be answering the question; look at the responses in scores.jsonl"


def diagnose(run: RunSummary) -> list[str]:
    """Warnings about the numbers of one run."""
    whole = run.micro
    found = []
    if whole.scored < LEAST_COVERAGE * whole.n:
        found.append(_uncovered(run))
    if whole.scored > 1 and whole.max - whole.min < SAME:
        found.append(f"all {whole.scored} scores are {_score(whole.median)}: {_LOOK}")
    if run.mean_mass is not None and run.mean_mass < LEAST_MASS:
        found.append(f"the judge gave allowed answers a probability of only {run.mean_mass:.2f} on average: {_LOOK}")
    if (forced := run.reads.get("forced", 0)) > MOST_FORCED * whole.scored:
        found.append(f"{forced} of {whole.scored} scores were forced, after replies without a readable one: {_LOOK}")
    if whole.scored and run.macro.left_out:
        names = ", ".join(run.macro.left_out)
        found.append(f"no sample of {names} has a score: the macro mean is over the other {run.macro.categories} categories")
    return found


def compare(runs: Mapping[str, Run]) -> list[str]:
    """Warnings about runs (by label) side by side: what differs between them besides the edits."""
    asked = {label: _asked(run) for label, run in runs.items()}
    names = dict.fromkeys(name for values in asked.values() for name in values)
    found = []
    for name in names:
        values = {label: there.get(name) for label, there in asked.items()}
        if len(set(values.values())) > 1:
            each = ", ".join(f"{label}: {value or '-'}" for label, value in values.items())
            found.append(f"the runs can't be compared: they differ in {name} ({each})")
    if not found and len({frozenset(run.rows.keys) for run in runs.values()}) > 1:
        each = ", ".join(f"{label}: {len(run.rows.keys)}" for label, run in runs.items())
        found.append(f"the runs can't be compared: they are not over the same samples ({each})")
    return found


def _uncovered(run: RunSummary) -> str:
    failures = ", ".join(f"{count} {status}" for status, count in run.micro.statuses.items() if status != OK)
    if not run.micro.scored:
        return f"none of the {run.micro.n} samples has a score ({failures}): there is nothing to report on"
    share = f"{run.micro.scored} of {run.micro.n} samples ({run.micro.coverage:.1%})"
    return f"only {share} have a score ({failures}): the means leave out the rest"


def _score(value: float) -> str:
    return f"{value:.1f}" if round(value, 1) == value else f"{value:.2f}"


def _asked(run: Run) -> dict[str, str]:
    """What decides the scores of given edits, in words."""
    facts = run.facts
    rubric = f"{facts.rubric} ({facts.rubric.digest[:12]})" if facts.rubric.digest else str(facts.rubric)
    fixed = {"benchmark": str(facts.benchmark), "judge": str(facts.judge), "rubric": rubric, "readout": facts.readout}
    return fixed | {name: _text(value) for name, value in sorted(run.settings.items())}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
