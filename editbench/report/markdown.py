"""report.md: the report as text that pastes well into GitHub."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from editbench.records import STATUSES
from editbench.report.aggregate import Macro, RunSummary, Summary, ranked
from editbench.report.agreement import STATISTICS, Estimate
from editbench.report.raters import Dispute, Pair

NOTES = (
    "Means, spread and intervals are over the scored samples (status `ok`); coverage is their share. "
    "The last column counts every failure as the lowest score of the rubric's scale. "
    "Micro: every sample counts alike. Macro: every category counts alike. "
    "Intervals hold the mean with 95 % confidence and treat samples of one source picture as one draw "
    "(cluster-robust, Student's t); `-` stands for what can't be computed."
)
AGREEMENT_NOTES = (
    "Agreement is over the samples that both raters scored, with 95 % intervals by bootstrap over groups of samples of "
    "one source picture. Krippendorff's alpha is for interval data. Pairwise accuracy is the share of pairs of samples "
    "that both order alike or both tie; a pair that only one ties counts against it (acc_eq, Deutsch, Foster and Freitag "
    "2023), so that a rater whose scores never tie can't reach 1 beside one whose scores do. Scores are tied when they "
    "are equal to six decimals. Where scales differ, alpha and differences are on scores taken linearly from each "
    "rater's scale to 0..1; an observed scale spans the scores that the rater gave. Undefined (`-`): a rater who gives "
    "everyone the same has no ranks to correlate."
)
_COLUMNS = ("n", "scored", "coverage", "mean", "95 % interval", "std", "median", "min", "max", "mean, failures lowest")


def render(
    runs: Sequence[RunSummary],
    warnings: Sequence[str],
    run_warnings: Mapping[str, Sequence[str]],
    agreement: Sequence[Pair] = (),
) -> str:
    """The whole file. `run_warnings` are by label."""
    blocks = ["# Image-editing benchmark report", *_warnings(warnings)]
    if len(runs) > 1:
        blocks += ["## Leaderboard", _leaderboard(runs)]
    for run in runs:
        blocks += _run(run, run_warnings[run.label])
    if agreement:
        blocks += _agreement(agreement)
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
    if run.reads:
        told["Scores read"] = ", ".join(f"{count} {read}" for read, count in run.reads.items())
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


def _agreement(pairs: Sequence[Pair]) -> Iterator[str]:
    yield "## Agreement"
    raters = dict.fromkeys(rater for pair in pairs for rater in pair.raters)
    yield "\n".join(f"- {escape(rater)}" for rater in raters)
    header = ("raters", "n", *(name.replace("_", " ") for name in STATISTICS))
    yield _table(header, [_agreement_row(pair) for pair in pairs])
    for pair in pairs:
        if pair.disputed:
            names = [escape(rater.name) for rater in pair.raters]
            header = ("key", "category", *(f"{name} wrote" for name in names), *names, "difference on 0..1")
            yield f"### Most disputed: {_names(pair)}"
            yield _table(header, [_dispute(each) for each in pair.disputed], texts=4)
    yield AGREEMENT_NOTES


def _agreement_row(pair: Pair) -> tuple[str, ...]:
    return (_names(pair), str(pair.n), *(_estimate(getattr(pair.agreement, name)) for name in STATISTICS))


def _names(pair: Pair) -> str:
    return " and ".join(escape(rater.name) for rater in pair.raters)


def _estimate(found: Estimate) -> str:
    return number(found.value) + (f" ({span(found.interval)})" if found.interval else "")


def _dispute(dispute: Dispute) -> tuple[str, ...]:
    texts = map(escape, (dispute.key, dispute.category, *dispute.responses))
    return (*texts, *map(number, (*dispute.scores, dispute.difference)))


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
