"""report.tex: each leaderboard as a LaTeX table (package booktabs), to be included in a paper with \\input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from editbench.printable import clean
from editbench.report.render.formats import number, share
from editbench.report.statistics.aggregate import Macro, RunSummary, Summary

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    **{character: f"{{{character}}}" for character in "[]*"},  # behind \\ they would be its arguments
}


def render(boards: Iterable[Sequence[RunSummary]]) -> str:
    """A table a leaderboard, of means with half of their 95 % intervals, a row a run, the best first."""
    return "\n".join(map(_table, boards))


def _table(runs: Sequence[RunSummary]) -> str:
    names = sorted({name for run in runs for name in run.categories})
    header = ("run", *names, "micro", "macro", "coverage")
    rubrics = dict.fromkeys(f"{run.facts.judge.name}, {run.facts.rubric}, {run.facts.benchmark.name}" for run in runs)
    lines = [
        *(f"% judge, rubric, benchmark: {clean(rubric)}" for rubric in rubrics),
        rf"\begin{{tabular}}{{l{'c' * (len(header) - 1)}}}",
        r"\toprule",
        _row(map(escape, header)),
        r"\midrule",
        *(_row(_cells(run, names)) for run in runs),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    """Text from outside as LaTeX prints it, on one line."""
    return "".join(_ESCAPES.get(character, character) for character in clean(text))


def _cells(run: RunSummary, names: Sequence[str]) -> Iterable[str]:
    yield escape(run.label)
    yield from map(_mean, (*map(run.categories.get, names), run.micro, run.macro))
    yield escape(share(run.micro.coverage))


def _mean(summary: Summary | Macro | None) -> str:
    """A mean and half of its interval's width."""
    if summary is None or summary.mean is None:
        return "--"
    half = rf"\,$\pm$\,{(summary.interval[1] - summary.interval[0]) / 2:.2f}" if summary.interval else ""
    return number(summary.mean) + half


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"
