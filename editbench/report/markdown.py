"""report.md: the report as text that pastes well into GitHub."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from editbench.records import STATUSES
from editbench.report.aggregate import Macro, RunSummary, Summary, ranked

NOTES = (
    "Means, spread and intervals are over the scored samples (status `ok`); coverage is their share. "
    "The last column counts every failure as the lowest score of the rubric's scale. "
    "Micro: every sample counts alike. Macro: every category counts alike. "
    "Intervals hold the mean with 95 % confidence and treat samples of one source picture as one draw "
    "(cluster-robust, Student's t); `-` stands for what can't be computed."
)
_COLUMNS = ("n", "scored", "coverage", "mean", "95 % interval", "std", "median", "min", "max", "mean, failures lowest")


def render(runs: Sequence[RunSummary], warnings: Sequence[str], run_warnings: Mapping[str, Sequence[str]]) -> str:
    """The whole file. `run_warnings` are by label."""
    blocks = ["# Image-editing benchmark report", *_warnings(warnings)]
    if len(runs) > 1:
        blocks += ["## Leaderboard", _leaderboard(runs)]
    for run in runs:
        blocks += _run(run, run_warnings[run.label])
    return "\n\n".join([*blocks, NOTES]) + "\n"


def escape(value: object) -> str:
    """Text from outside as one line of plain text: no table cell, tag, link or emphasis in it takes effect."""
    line = " ".join(str(value).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", line)


def _run(run: RunSummary, warnings: Sequence[str]) -> Iterator[str]:
    facts = run.facts
    yield f"## {escape(run.label)}"
    yield from _warnings(warnings)
    told = {
        "Editor": facts.editor,
        "Judge": facts.judge,
        "Rubric": facts.rubric,
        "Readout": facts.readout,
        "Benchmark": facts.benchmark,
    }
    if run.flags:
        told["Flagged edits"] = ", ".join(f"{count} {flag}" for flag, count in run.flags.items())
    yield "\n".join(f"- {name}: {escape(value)}" for name, value in told.items())
    overall = [_row("**overall, micro**", run.micro), _macro_row(run.macro)]
    yield _table(("category", *_COLUMNS), [*_rows(run.categories), *overall])
    if len(run.languages) > 1:
        yield _table(("language", *_COLUMNS), _rows(run.languages))
    yield _statuses(run)


def _leaderboard(runs: Sequence[RunSummary]) -> str:
    names = sorted({name for run in runs for name in run.categories})
    header = ("rank", "run", "coverage", "micro mean", "95 % interval", "macro mean", *map(escape, names))
    rows = []
    for rank, run in ranked(runs):
        overall = (f"{run.micro.coverage:.1%}", number(run.micro.mean), span(run.micro.interval), number(run.macro.mean))
        means = [number(run.categories[name].mean) if name in run.categories else "-" for name in names]
        rows.append((str(rank), escape(run.label), *overall, *means))
    return _table(header, rows, texts=2)


def _statuses(run: RunSummary) -> str:
    present = [status for status in STATUSES if status in run.micro.statuses]
    parts = [*run.categories.items(), ("overall", run.micro)]
    rows = [(escape(name), *(str(part.statuses.get(status, 0)) for status in present)) for name, part in parts]
    return _table(("samples by status", *present), rows)


def _rows(parts: Mapping[str, Summary]) -> Iterator[tuple[str, ...]]:
    return (_row(escape(name), part) for name, part in parts.items())


def _row(name: str, part: Summary) -> tuple[str, ...]:
    spread = map(number, (part.std, part.median, part.min, part.max, part.mean_failures_lowest))
    return (name, str(part.n), str(part.scored), f"{part.coverage:.1%}", number(part.mean), span(part.interval), *spread)


def _macro_row(macro: Macro) -> tuple[str, ...]:
    name = f"**overall, macro** over {macro.categories}"
    lowest = number(macro.mean_failures_lowest)
    return (name, "", "", "", number(macro.mean), span(macro.interval), "", "", "", "", lowest)


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def span(interval: tuple[float, float] | None) -> str:
    return "-" if interval is None else f"{interval[0]:.2f} to {interval[1]:.2f}"


def _warnings(warnings: Iterable[str]) -> list[str]:
    lines = [f"> - {escape(warning)}" for warning in warnings]
    return ["\n".join(["> [!WARNING]", *lines])] if lines else []


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """`texts`: how many columns, from the left, are aligned as text; the others as numbers."""
    rule = ["---" if place < texts else "---:" for place in range(len(header))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))
