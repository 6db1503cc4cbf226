"""What a reader must know before believing the numbers: a judge that may not have answered, or can't tell."""

from __future__ import annotations

from collections.abc import Iterator

from editbench.records import FORCED, OK, PARTIAL, SHORT_OF_MEMORY
from editbench.report.statistics.aggregate import RunSummary
from editbench.report.statistics.audit import SAME
from editbench.wording import counted

LEAST_COVERAGE = 0.9
LEAST_MASS = 0.5
MOST_FORCED = 0.05

_LOOK = "the judge may not be answering the question; look at the responses in scores.jsonl"
_BITS = "the last bits of their scores may differ from another run's; a smaller --batch-size keeps runs equal"


def diagnose(run: RunSummary) -> list[str]:
    """Warnings about the numbers of one run."""
    micro = run.micro
    warnings = [*([_uncovered(run)] if micro.scored < LEAST_COVERAGE * micro.n else []), *_even(run)]
    if run.mean_mass is not None and run.mean_mass < LEAST_MASS:
        warnings.append(f"the judge gave allowed answers a probability of only {run.mean_mass:.2f} on average: {_LOOK}")
    if (forced := run.reads.get(FORCED, 0)) > MOST_FORCED * micro.scored:
        warnings.append(f"{forced} of {micro.scored} scores were forced, after replies without a readable one: {_LOOK}")
    if partial := run.flags.get(PARTIAL, 0):
        left_out = "leave out criteria that could not be read, as the rubric says (partial)"
        warnings.append(f"{partial} of {micro.scored} scores {left_out}")
    if short := run.flags.get(SHORT_OF_MEMORY, 0):
        warnings.append(f"{counted(short, 'sample')} judged in smaller batches than planned, for lack of memory: {_BITS}")
    if micro.scored and run.macro.left_out:
        names = ", ".join(run.macro.left_out)
        others = counted(run.macro.categories, "other category", "other categories")
        warnings.append(f"no sample of {names} has a score: the macro mean is over the {others}")
    return [*warnings, *(run.audit.verdicts if run.audit else ()), *_shifted(run)]


def _even(run: RunSummary) -> Iterator[str]:
    """Edits of a control may well deserve one and the same score."""
    micro = run.micro
    if run.facts.control or micro.scored < 2 or micro.min is None or micro.max is None:
        return
    if micro.max - micro.min < SAME:
        yield f"all {micro.scored} scores are {_score(micro.min)}: {_LOOK}"


def _shifted(run: RunSummary) -> Iterator[str]:
    if run.anchors is None or run.anchors.shift.value is None or run.anchors.shift.interval is None:
        return
    shift, (low, high) = run.anchors.shift.value, run.anchors.shift.interval
    if low > 0 or high < 0:
        by = f"{abs(shift):.2f} {'higher' if shift > 0 else 'lower'} than in {run.anchors.reference}"
        yield f"the judge's scale moved: it scores the same {run.anchors.n} anchor edits {by} ({low:+.2f} to {high:+.2f})"


def _uncovered(run: RunSummary) -> str:
    failures = ", ".join(f"{count} {status}" for status, count in run.micro.statuses.items() if status != OK)
    if not run.micro.scored:
        return f"none of the {counted(run.micro.n, 'sample')} has a score ({failures}): there is nothing to report on"
    share = f"{run.micro.scored} of {run.micro.n} samples ({run.micro.coverage:.1%})"
    return f"only {share} have a score ({failures}): the means leave out the rest"


def _score(value: float) -> str:
    return f"{value:.1f}" if round(value, 1) == value else f"{value:.2f}"
