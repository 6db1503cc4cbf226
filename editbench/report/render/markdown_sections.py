"""The parts of report.md that only some runs have: comparisons, protocol numbers, audit, anchors, agreement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from editbench.report.render.formats import AGREEMENT, estimate, number, p_value, share, signed, span
from editbench.report.render.markdown_text import bold, bullets, escape, table
from editbench.report.statistics.aggregate import Macro, SubsetSummary, Summary
from editbench.report.statistics.agreement import ALPHAS, STATISTICS
from editbench.report.statistics.anchors import Anchors
from editbench.report.statistics.audit import Audit
from editbench.report.statistics.clustered import Estimate
from editbench.report.statistics.comparison import Comparison, Difference
from editbench.report.statistics.protocol import Cells, Protocol, ProtocolMean, ProtocolPart, ProtocolSubset
from editbench.report.statistics.raters import Dispute, RaterPair, RaterSet, scales

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


def comparisons(found: Sequence[Comparison]) -> Iterator[str]:
    if not found:
        return
    yield "## Comparisons"
    for each in found:
        first, second = map(escape, each.runs)
        rows = [_difference(name, part) for name, part in each.rows.categories.items()]
        rows += [_difference(bold("overall"), each.rows.overall), _difference(bold("macro"), each.rows.macro)]
        yield f"### {second} against {first}"
        yield table(("category", *_DIFFERENCES), rows)
        yield _unseen([*each.rows.categories.items(), ("all together", each.rows.overall)])
    yield COMPARISON_NOTES


def _unseen(parts: Iterable[tuple[str, Difference]]) -> str:
    """How small a difference so many samples can't show, in plain words."""
    told, few = [], []
    for name, part in parts:
        if part.detectable is None:
            few.append(f"{escape(name)} ({part.groups})")
        else:
            told.append(f"{part.n} samples of {escape(name)} can't show less than {number(part.detectable)}")
    sentences = [f"Small differences: {', '.join(told)}."] if told else []
    sentences += [f"Too few source pictures for p = 0.05, however large the difference: {', '.join(few)}."] if few else []
    return " ".join(sentences)


def _difference(name: str, part: Difference) -> tuple[str, ...]:
    counts = (name, str(part.n), str(part.groups))
    means = (number(part.first_mean), number(part.second_mean), signed(part.difference), span(part.interval))
    record = f"{part.wins}/{part.ties}/{part.losses}"
    return (*counts, *means, record, p_value(part.p), p_value(part.p_holm), signed(part.effect), number(part.detectable))


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
    found = parts[language][category].steps.get(step)
    return number(found.mean if found else None)


def subset(name: str, found: SubsetSummary, parts: ProtocolSubset) -> Iterator[str]:
    """The macro means of a subset, of the score and of the rubric's steps, by language; and its cells."""
    steps = list(parts.whole.steps)
    languages = parts.languages.items() if len(parts.languages) > 1 else ()
    rows = [("all", found.macro, parts.whole), *((each, found.language_macros[each], part) for each, part in languages)]
    if steps or languages:
        header = (f"macro means in {name}", "score", "95 % interval", *steps)
        yield table(header, [_macros(label, macro, part, steps) for label, macro, part in rows])
    yield from cells(found.cells, parts.cells, f" in {name}")


def _macros(label: str, macro: Macro, part: ProtocolPart, steps: Sequence[str]) -> tuple[str, ...]:
    means = (number(part.steps[name].macro if name in part.steps else None) for name in steps)
    return (label, number(macro.mean), span(macro.interval), *means)


def protocol(found: Protocol) -> Iterator[str]:
    """The rubric's own numbers; nothing where they are just the score."""
    parts = [("criterion", found.criteria), ("step", found.steps), ("pool", found.pools)]
    rows = [_mean(f"{kind} {name}", part) for kind, means in parts for name, part in means.items()]
    if found.accuracy:
        accuracy = found.accuracy
        interval = f"{share(accuracy.interval[0])} to {share(accuracy.interval[1])}" if accuracy.interval else "-"
        rows.append(("accuracy", str(accuracy.n), share(accuracy.mean), interval, "", ""))
        if accuracy.mean_failures_lowest != accuracy.mean:
            rows.append(("accuracy, failures below the top", "", share(accuracy.mean_failures_lowest), "", "", ""))
    if len(rows) < 2:
        return
    yield table(("by the rubric's protocol", "n", "mean", "95 % interval", "macro mean", "percent"), rows)
    if found.pools:
        yield POOL_NOTES
    columns = [*found.criteria, *found.steps]
    if len(columns) <= _MOST_COLUMNS:
        header = ("means by category", *columns, *(["percent"] if found.percent else []))
        header += ("accuracy",) if found.accuracy else ()
        several = [found.categories, *([found.languages] if len(found.languages) > 1 else [])]
        yield table(header, [_part(name, part, columns, found) for parts in several for name, part in parts.items()])


def _mean(name: str, part: ProtocolMean) -> tuple[str, ...]:
    return (name, str(part.n), number(part.mean), span(part.interval), number(part.macro), number(part.percent))


def _part(name: str, part: ProtocolPart, columns: Sequence[str], whole: Protocol) -> tuple[str, ...]:
    means = {**part.criteria, **part.steps}
    cells = [number(means[column].mean) if column in means else "-" for column in columns]
    cells += [number(part.percent)] if whole.percent else []
    cells += [share(part.accuracy.mean if part.accuracy else None)] if whole.accuracy else []
    return (name, *cells)


def audit(found: Audit | None) -> Iterator[str]:
    if found is None:
        return
    yield f"### Audit of the judge, on {found.samples} samples"
    yield AUDIT_FAILED if found.verdicts else AUDIT_PASSED
    rows = [
        (name, str(part.n), number(part.edit_mean), number(part.mean), *_win_rate(part.win_rate))
        for name, part in found.controls.items()
    ]
    yield table(("control", "n", "mean of the edits", "mean of the control", "win rate of the edits", "95 % interval"), rows)
    yield AUDIT_NOTES
    facts = [f"{share(found.unread_share)} of the controls' replies could not be read"]
    if found.repeat:
        same, apart = share(found.repeat.same_share), number(found.repeat.mean_difference)
        facts.append(f"asked again, {found.repeat.n} samples: {same} got the same score, {apart} apart on average")
    if found.mean_mass is not None:
        facts.append(f"mean probability of allowed answers {number(found.mean_mass)}")
    yield bullets(facts)


def _win_rate(found: Estimate | None) -> tuple[str, str]:
    return (number(found.value), span(found.interval)) if found else ("-", "-")


def anchors(found: Anchors | None) -> Iterator[str]:
    if found is None:
        return
    shift = f"{signed(found.shift.value)} ({span(found.shift.interval)})"
    told = f"{found.n} anchor edits score {shift} against {found.reference}; correlation {number(found.correlation)}"
    yield bullets([f"Anchors: {told}"])


def agreement(pairs: Sequence[RaterPair], several: Sequence[RaterSet]) -> Iterator[str]:
    if not pairs:
        return
    yield "## Agreement"
    yield bullets(scales(pairs))
    if several:
        yield table(("all raters", "n", *map(AGREEMENT.get, ALPHAS)), [_reliability_row(raters) for raters in several])
    yield table(("raters", "n", *map(AGREEMENT.get, STATISTICS)), [_agreement_row(pair) for pair in pairs])
    for pair in pairs:
        if pair.disputed:
            names = [rater.name for rater in pair.raters]
            header = ("key", "category", *(f"{name} wrote" for name in names), *names, "difference on 0..1")
            yield f"### Most disputed: {escape(pair)}"
            yield table(header, [_dispute(each) for each in pair.disputed], texts=4)
    yield AGREEMENT_NOTES


def _agreement_row(pair: RaterPair) -> tuple[str, ...]:
    return (str(pair), str(pair.n), *(estimate(getattr(pair.agreement, name)) for name in STATISTICS))


def _reliability_row(raters: RaterSet) -> tuple[str, ...]:
    return (str(raters), str(raters.n), *(estimate(getattr(raters.reliability, name)) for name in ALPHAS))


def _dispute(dispute: Dispute) -> tuple[str, ...]:
    texts = (dispute.key, dispute.category, *dispute.responses)
    return (*texts, *map(number, (*dispute.scores, dispute.difference)))
