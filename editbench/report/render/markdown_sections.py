"""The parts of report.md that only some runs have: comparisons, protocol numbers, audit, anchors, agreement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from editbench.report.render.formats import AGREEMENT, estimate, number, p_value, share, signed, span
from editbench.report.render.markdown_text import bold, bullets, escape, table
from editbench.report.statistics.aggregate import Macro, SubsetSummary, Summary
from editbench.report.statistics.agreement import ALPHAS, STATISTICS, Agreement, Reliability
from editbench.report.statistics.anchors import Anchors
from editbench.report.statistics.audit import Audit
from editbench.report.statistics.clustered import Estimate
from editbench.report.statistics.comparison import Comparison, Difference
from editbench.report.statistics.protocol import Cells, Protocol, ProtocolMean, ProtocolPart, ProtocolSubset
from editbench.report.statistics.raters import RaterPair, RaterSet, scales
from editbench.wording import counted

COMPARISON_NOTES = (
    "A difference is the second run minus the first, over the samples that both scored; win, tie and loss are the second's. "
    "p is from a sign-flip permutation test over groups, p (Holm) is corrected over the categories. Effect: the mean "
    "difference over its standard deviation. Detectable: the smallest true difference that so many samples show, at p = 0.05, "
    "four times out of five."
)
AGREEMENT_NOTES = (
    "Agreement is over the samples that both raters rated, with 95 % intervals by bootstrap over groups of samples of "
    "one source picture. Krippendorff's alpha is given for interval and for ordinal data, of all raters together over the "
    "samples that at least two of them rated. Pairwise accuracy is the share of pairs of samples "
    "that both order alike or both tie; a pair that only one ties counts against it (acc_eq, Deutsch, Foster and Freitag "
    "2023), so that a rater whose scores never tie can't reach 1 beside one whose scores do. Scores are tied when they "
    "are equal to six decimals. Where scales differ, alphas and differences are on scores taken linearly from each "
    "rater's scale to 0..1; an observed scale spans the scores that the rater gave. Undefined (`-`): a rater who gives "
    "everyone the same has no ranks to correlate."
)
AUDIT_PASSED = "Nothing is wrong: the judge tells its controls from the edits, and repeats itself."
AUDIT_FAILED = "What is wrong stands among the warnings above."
AUDIT_NOTES = "Win rate: the share of samples whose edit scores above its own control, ties counting one half; 0.50 is chance."
POOL_NOTES = (
    "A pool takes all values of all criteria of its samples alike; the means of the scores, above, take each sample's mean "
    "first. Published summaries differ in just this."
)
_MOST_COLUMNS = 8
_DIFFERENCES = (
    *("n", "groups", "first", "second", "difference", "95 % interval", "win/tie/loss"),
    *("p", "p (Holm)", "effect", "detectable"),
)


def comparisons(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """The differences of every two runs that were compared."""
    if not comparisons:
        return
    yield "## Comparisons"
    for comparison in comparisons:
        differences = comparison.rows
        first, second = map(escape, comparison.runs)
        rows = [_difference(name, row) for name, row in differences.categories.items()]
        rows += [_difference(bold("overall"), differences.overall), _difference(bold("macro"), differences.macro)]
        yield f"### {second} against {first}"
        yield table(("category", *_DIFFERENCES), rows)
        yield _detectable([*differences.categories.items(), ("all together", differences.overall)])
    yield COMPARISON_NOTES


def _detectable(rows: Iterable[tuple[str, Difference]]) -> str:
    """How small a difference so many samples can't show, in sentences."""
    small, few = [], []
    for name, row in rows:
        if row.detectable is None:
            few.append(f"{escape(name)} ({row.groups})")
        else:
            small.append(f"{counted(row.n, 'sample')} of {escape(name)} can't show less than {number(row.detectable)}")
    sentences = [f"Small differences: {', '.join(small)}."] if small else []
    sentences += [f"Too few source pictures for p = 0.05, however large the difference: {', '.join(few)}."] if few else []
    return " ".join(sentences)


def _difference(name: str, row: Difference) -> tuple[str, ...]:
    counts = (name, str(row.n), str(row.groups))
    means = (number(row.first_mean), number(row.second_mean), signed(row.difference), span(row.interval))
    record = f"{row.wins}/{row.ties}/{row.losses}"
    return (*counts, *means, record, p_value(row.p), p_value(row.p_holm), signed(row.effect), number(row.detectable))


def cells(summaries: Mapping[str, Mapping[str, Summary]], parts: Cells, among: str = "") -> Iterator[str]:
    """Categories by language, with the rubric's steps; nothing for a single language."""
    if len(summaries) < 2:
        return
    steps = list(dict.fromkeys(name for row in parts.values() for part in row.values() for name in part.steps))
    columns = [(language, step) for language in summaries for step in (None, *steps)]
    names = dict.fromkeys(name for row in summaries.values() for name in row)
    header = (f"category{among}", *(" ".join(filter(None, column)) for column in columns))
    yield table(header, [(name, *(_cell(summaries, parts, name, *column) for column in columns)) for name in names])


def _cell(summaries: Mapping[str, Mapping[str, Summary]], parts: Cells, category: str, language: str, step: str | None) -> str:
    summary = summaries[language].get(category)
    if summary is None:
        return "-"
    if step is None:
        return estimate(Estimate(summary.mean, summary.interval))
    mean = parts[language][category].steps.get(step)
    return number(mean.mean if mean else None)


def subset(name: str, summary: SubsetSummary, parts: ProtocolSubset) -> Iterator[str]:
    """The macro means of a subset, of the score and of the rubric's steps, by language; and its cells."""
    steps = list(parts.whole.steps)
    languages = parts.languages.items() if len(parts.languages) > 1 else ()
    rows = [("all", summary.macro, parts.whole)]
    rows += [(language, summary.language_macros[language], part) for language, part in languages]
    if steps or languages:
        header = (f"macro means in {name}", "score", "95 % interval", *steps)
        yield table(header, [_macros(label, macro, part, steps) for label, macro, part in rows])
    yield from cells(summary.cells, parts.cells, f" in {name}")


def _macros(label: str, macro: Macro, part: ProtocolPart, steps: Sequence[str]) -> tuple[str, ...]:
    means = (number(part.steps[name].macro if name in part.steps else None) for name in steps)
    return (label, number(macro.mean), span(macro.interval), *means)


def protocol(protocol: Protocol) -> Iterator[str]:
    """The rubric's own numbers; nothing where they are just the score."""
    kinds = [("criterion", protocol.criteria), ("step", protocol.steps), ("pool", protocol.pools)]
    rows = [_mean(f"{kind} {name}", mean) for kind, means in kinds for name, mean in means.items()]
    if accuracy := protocol.accuracy:
        interval = f"{share(accuracy.interval[0])} to {share(accuracy.interval[1])}" if accuracy.interval else "-"
        rows.append(("accuracy", str(accuracy.n), share(accuracy.mean), interval, "", ""))
        if accuracy.mean_failures_lowest != accuracy.mean:
            rows.append(("accuracy, failures below the top", "", share(accuracy.mean_failures_lowest), "", "", ""))
    if len(rows) < 2:
        return
    yield table(("by the rubric's protocol", "n", "mean", "95 % interval", "macro mean", "percent"), rows)
    if protocol.pools:
        yield POOL_NOTES
    columns = [*protocol.criteria, *protocol.steps]
    if len(columns) <= _MOST_COLUMNS:
        header = ("means by category", *columns, *(["percent"] if protocol.percent else []))
        header += ("accuracy",) if accuracy else ()
        languages = protocol.languages if len(protocol.languages) > 1 else {}
        parts = [*protocol.categories.items(), *languages.items()]
        yield table(header, [_part(name, part, columns, protocol) for name, part in parts])


def _mean(name: str, mean: ProtocolMean) -> tuple[str, ...]:
    return (name, str(mean.n), number(mean.mean), span(mean.interval), number(mean.macro), number(mean.percent))


def _part(name: str, part: ProtocolPart, columns: Sequence[str], whole: Protocol) -> tuple[str, ...]:
    means = {**part.criteria, **part.steps}
    cells = [number(means[column].mean) if column in means else "-" for column in columns]
    cells += [number(part.percent)] if whole.percent else []
    cells += [share(part.accuracy.mean if part.accuracy else None)] if whole.accuracy else []
    return (name, *cells)


def audit(audit: Audit | None) -> Iterator[str]:
    """What the controls say of the judge; nothing without an audit."""
    if audit is None:
        return
    yield f"### Audit of the judge, on {counted(audit.samples, 'sample')}"
    yield AUDIT_FAILED if audit.verdicts else AUDIT_PASSED
    undefined = Estimate(None, None)
    rates = {name: control.win_rate or undefined for name, control in audit.controls.items()}
    rows = [
        (name, control.n, *map(number, (control.edit_mean, control.mean, rates[name].value)), span(rates[name].interval))
        for name, control in audit.controls.items()
    ]
    yield table(("control", "n", "mean of the edits", "mean of the control", "win rate of the edits", "95 % interval"), rows)
    yield AUDIT_NOTES
    facts = [f"{share(audit.unread_share)} of the controls' replies could not be read"]
    if audit.repeat:
        same, apart = share(audit.repeat.same_share), number(audit.repeat.mean_difference)
        facts.append(f"asked again, {counted(audit.repeat.n, 'sample')}: {same} got the same score, {apart} apart on average")
    if audit.mean_mass is not None:
        facts.append(f"mean probability of allowed answers {number(audit.mean_mass)}")
    yield bullets(facts)


def anchors(anchors: Anchors | None) -> Iterator[str]:
    """How far the judge's scale lies from the reference's; nothing without anchors."""
    if anchors is None:
        return
    shift = f"{signed(anchors.shift.value)} ({span(anchors.shift.interval)})"
    against = f"against {anchors.reference}; correlation {number(anchors.correlation)}"
    yield bullets([f"Anchors: {shift} over {counted(anchors.n, 'anchor edit')} {against}"])


def agreement(pairs: Sequence[RaterPair], sets: Sequence[RaterSet]) -> Iterator[str]:
    """How far raters of the same edits agree, and what they dispute most."""
    if not pairs:
        return
    yield "## Agreement"
    yield bullets(scales(pairs))
    if sets:
        yield _estimates("all raters", ALPHAS, [(raters, raters.reliability) for raters in sets])
    yield _estimates("raters", STATISTICS, [(pair, pair.agreement) for pair in pairs])
    for pair in pairs:
        if pair.disputed:
            names = [rater.name for rater in pair.raters]
            header = ("key", "category", *(f"{name} wrote" for name in names), *names, "difference on 0..1")
            yield f"### Most disputed: {escape(pair)}"
            texts = ((dispute.key, dispute.category, *dispute.responses) for dispute in pair.disputed)
            numbers = (map(number, (*dispute.scores, dispute.difference)) for dispute in pair.disputed)
            yield table(header, [(*text, *cells) for text, cells in zip(texts, numbers, strict=True)], texts=4)
    yield AGREEMENT_NOTES


def _estimates(
    heading: str, names: Sequence[str], rated: Sequence[tuple[RaterPair | RaterSet, Agreement | Reliability]]
) -> str:
    """A table of the statistics of those names, a row a pair or set of raters."""
    rows = [(raters, raters.n, *(estimate(getattr(values, name)) for name in names)) for raters, values in rated]
    return table((heading, "n", *map(AGREEMENT.get, names)), rows)
