"""The document of report.json as the page's template takes it: runs by leaderboard, axes, the words of the head."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from editbench.report.render.html import charts
from editbench.report.render.html.charts import Axis

RunDocument = Mapping[str, Any]
"""A run in report.json."""

FACTS = (("editor", "Editor"), ("benchmark", "Benchmark"), ("judge", "Judge"), ("rubric", "Rubric"), ("readout", "Readout"))
MARKS = 4
"""Shapes that tell runs apart in a chart; a fifth run starts over."""
FOLDED = 4
"""Warnings and verdicts shown; those beyond are folded away."""
CONTROLS = {
    "unedited": "the source shown as its own edit",
    "stranger": "another sample's edit",
    "swapped": "source and edit exchanged",
}
"""What the judge was shown in place of the edit."""


@dataclass(frozen=True, slots=True)
class Board:
    """Runs that can be compared, in the report's order, and what their charts share."""

    number: int
    runs: Sequence[RunDocument]
    standings: Sequence[Mapping[str, Any]]
    """Rows of the leaderboard."""
    categories: Sequence[str]
    """The category in which the leader scores lowest comes first."""
    axis: Axis
    """The rubric's whole scale."""
    headline_axis: Axis
    """The part of the scale that the leaderboard's intervals span."""
    largest_share: float
    """The largest share of a run's samples that a bar of its distributions stands for."""

    def run(self, label: str) -> RunDocument:
        return next(run for run in self.runs if run["label"] == label)

    def mark(self, label: str) -> int:
        """The shape and shade that stand for a run."""
        return next(index for index, run in enumerate(self.runs) if run["label"] == label) % MARKS


def notices(document: Mapping[str, Any], missing: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """(labels of the runs it is about, text) of each warning. `missing`: (label, text) of the pictures that can't be shown."""
    about: dict[str, list[str]] = {}
    for text in document["warnings"]:
        about.setdefault(text, [])
    for label, text in [*((run["label"], text) for run in document["runs"] for text in run["warnings"]), *missing]:
        about.setdefault(text, []).append(label)
    return [(", ".join(labels), text) for text, labels in about.items()]


def boards(document: Mapping[str, Any]) -> list[Board]:
    numbers = dict.fromkeys(run["board"] for run in document["runs"])
    return [_board(document, number) for number in sorted(numbers)]


def facts(runs: Sequence[RunDocument]) -> list[tuple[str, list[str]]]:
    """(title, values) of what made these scores; one value where the runs agree."""
    return [(title, list(dict.fromkeys(named(run[name]) for run in runs))) for name, title in FACTS]


def named(value: Mapping[str, Any] | str) -> str:
    """A model, benchmark or rubric with the start of what fixes it."""
    if isinstance(value, str):
        return value
    version = str(value["version"] or "")
    return f"{value['name']} {'v' + version if len(version) < 7 else version[:12]}" if version else value["name"]


def leader(runs: Sequence[RunDocument], board: Board) -> int:
    """Index into `runs` of the first run of a leaderboard."""
    return next(index for index, run in enumerate(runs) if run["label"] == board.standings[0]["label"])


def title(runs: Sequence[RunDocument]) -> str:
    if len(runs) <= 2:
        return " and ".join(run["label"] for run in runs)
    return f"{len(runs)} runs on {' and '.join(dict.fromkeys(run['benchmark']['name'] for run in runs))}"


def difference_axis(rows: Sequence[tuple[str, Any]], run: RunDocument) -> Axis:
    """The axis of differences; `rows`: (name, DIFFERENCE), `run`: one of the two."""
    return Axis.about_zero(
        (value for _, row in rows for value in _values(row["difference"], row["interval"])), run["rubric"]["scale"]
    )


def differences(comparison: Mapping[str, Any]) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
    """(name, DIFFERENCE) of the whole, and by category; those that can be computed."""
    rows = comparison["rows"]
    return _known((name, rows[name]) for name in ("overall", "macro")), _known(rows["categories"].items())


def _known(rows: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [(name, row) for name, row in rows if row and row["difference"] is not None]


def protocol(runs: Sequence[RunDocument]) -> list[tuple[str, list[tuple[str, list[Mapping[str, Any] | None]]]]]:
    """(group, [(name, a MEAN a run)]) of the numbers that the rubric's protocol has beside the headline."""
    groups = []
    for name, heading in (("criteria", "Criteria"), ("steps", "Steps"), ("pools", "Pools")):
        names = dict.fromkeys(entry for run in runs for entry in run["protocol"][name])
        if name == "criteria" and len(names) == 1:
            continue  # it is the score
        rows = [(entry, [run["protocol"][name].get(entry) for run in runs]) for entry in names]
        groups.append((heading, rows))
    spoken = languages(runs)
    if len(spoken) > 1:
        groups.append(
            ("Languages, macro mean", [(name, [run["language_macros"].get(name) for run in runs]) for name in spoken])
        )
    subsets = dict.fromkeys(name for run in runs for name in run["subsets"])
    groups += [(f"Subset {name}", _subset(name, runs)) for name in subsets]
    return [(heading, rows) for heading, rows in groups if rows]


def _subset(name: str, runs: Sequence[RunDocument]) -> list[tuple[str, list[Mapping[str, Any] | None]]]:
    """The means of a subset, those of its languages, and the macro means of the rubric's steps."""
    by_run = [_means(run["subsets"].get(name), run["protocol"]["subsets"].get(name)) for run in runs]
    kinds = dict.fromkeys(kind for means in by_run for kind in means)
    return [(kind, [means.get(kind) for means in by_run]) for kind in kinds]


def _means(subset: Mapping[str, Any] | None, parts: Mapping[str, Any] | None) -> dict[str, Mapping[str, Any]]:
    if subset is None or parts is None:
        return {}
    several = len(parts["languages"]) > 1
    scores = {f"macro, {name}": macro for name, macro in subset["language_macros"].items() if several}
    sides = {"": parts["whole"], **({f", {name}": part for name, part in parts["languages"].items()} if several else {})}
    steps = {
        f"{step} macro{side}": {"mean": mean["macro"], "interval": None, "n": mean["n"]}
        for side, part in sides.items()
        for step, mean in part["steps"].items()
    }
    return {"micro": subset["micro"], "macro": subset["macro"], **scores, **steps}


def cells(runs: Sequence[RunDocument]) -> list[tuple[str, str, str, list[Mapping[str, Any] | None]]]:
    """(subset or "all", category, label, a SUMMARY a language) where a run has several languages."""
    if len(languages(runs)) < 2:
        return []
    sets = [("all", [run["cells"] for run in runs])]
    subsets = dict.fromkeys(name for run in runs for name in run["subsets"])
    sets += [(name, [run["subsets"].get(name, {}).get("cells", {}) for run in runs]) for name in subsets]
    return [
        (name, category, run["label"], [cells.get(language, {}).get(category) for language in languages(runs)])
        for name, each in sets
        for category in sorted({category for cells in each for parts in cells.values() for category in parts})
        for run, cells in zip(runs, each, strict=True)
    ]


def languages(runs: Sequence[RunDocument]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in run["languages"]))


def _board(document: Mapping[str, Any], number: int) -> Board:
    runs = [run for run in document["runs"] if run["board"] == number]
    scale = runs[0]["rubric"]["scale"]
    headlines = [value for run in runs for value in _values(run["headline"]["value"], run["headline"]["interval"])]
    summaries = [summary for run in runs for summary in run["categories"].values()]
    standings = [standing for standing in document["leaderboards"] if standing["board"] == number]
    leader = next(run for run in runs if run["label"] == standings[0]["label"])
    return Board(
        number,
        runs,
        standings,
        sorted({name for run in runs for name in run["categories"]}, key=lambda name: _by_mean(leader, name)),
        Axis.full(scale, [value for summary in summaries for value in _values(summary["mean"], summary["interval"])]),
        Axis.around(headlines, scale),
        charts.largest_share(run["histogram"] for run in runs if run["histogram"]),
    )


def _by_mean(run: RunDocument, category: str) -> tuple[bool, float, str]:
    """Sorts categories by their mean; those without one come first, those that the run does not have last."""
    summary = run["categories"].get(category)
    return summary is None, -math.inf if summary is None or summary["mean"] is None else summary["mean"], category


def _values(mean: float | None, interval: Sequence[float] | None) -> Iterator[float]:
    """A mean and the ends of its interval, as far as there are any."""
    if mean is not None:
        yield mean
    if interval is not None:
        yield from interval
