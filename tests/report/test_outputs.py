"""Every number in the report's tables, whatever the file, is that of report.json."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from rich.console import Console

from editbench.records import Judgement
from editbench.report.document import Report
from editbench.report.options import ReportOptions
from editbench.report.render import terminal
from editbench.report.stage import report

from .conftest import judgement

Values = Mapping[str, float | None]
Part = tuple[str, str]
"""A run and one of its categories or languages, `micro` or `macro`; or `pair` and a part of the comparison."""

RUNS, CATEGORIES, LANGUAGES = ("old", "new"), ("causal", "physical", "social"), ("en", "zh")
SUMMARIES = {(run, part) for run in RUNS for part in (*CATEGORIES, "micro")}
MACROS = {(run, "macro") for run in RUNS}
DIFFERENCES = {("pair", part) for part in (*CATEGORIES, "overall", "macro")}
BESIDE = "± half of the 95 % interval, by micro mean"
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?%?|(?<!\S)-(?!\S)")


def _rows(seed: int) -> Iterator[Judgement]:
    chance = np.random.default_rng(seed)
    for index in range(90):
        score = None if chance.random() < 0.1 else round(float(np.clip(chance.normal(5 + seed, 3), 0, 10)), 2)
        yield judgement(f"k{index}", CATEGORIES[index % 3], f"g{index // 4}", score, language=LANGUAGES[index % 2])


@pytest.fixture
def made(make_scores: Callable[..., Path], tmp_path: Path) -> Report:
    folders = [make_scores(name, editor=name, judgements=list(_rows(seed))) for seed, name in enumerate(RUNS)]
    options = ReportOptions(names=RUNS, latex=True, figures=False, pictures=False, resamples=500)
    return report(folders, tmp_path / "out", options)


@pytest.fixture
def truth(made: Report) -> dict[Part, Values]:
    document = orjson.loads(made.paths.json.read_bytes())
    truths = {}
    for run in document["runs"]:
        parts = run["categories"] | run["languages"] | run["overall"]
        truths |= {(run["label"], name): part for name, part in parts.items()}
    rows = document["comparisons"][0]["rows"]
    truths |= {("pair", name): part for name, part in (rows.pop("categories") | rows).items()}
    return {name: part | _of_interval(*part["interval"]) for name, part in truths.items()}


def _of_interval(low: float, high: float) -> dict[str, float]:
    return {"low": low, "high": high, "half": (high - low) / 2}


def _read(columns: str, lines: Iterable[tuple[Part, str]]) -> dict[Part, dict[str, str]]:
    """The numbers of each line by column; `_` is a number that stands nowhere in report.json."""
    return {of: dict(zip(columns.split(), _NUMBER.findall(line), strict=True)) for of, line in lines}


def _check(told: Mapping[Part, Mapping[str, str]], parts: set[Part], truth: Mapping[Part, Values]) -> None:
    assert told.keys() == parts
    for of, columns in told.items():
        assert {name: text for name, text in columns.items() if not _shows(text, truth[of][name])} == {}, of


def _shows(text: str, value: float | None) -> bool:
    """Whether a text is the number, to as many digits as it has."""
    if value is None or text == "-":
        return value is None and text == "-"
    number, factor = text.rstrip("%"), 100 if text.endswith("%") else 1
    return abs(float(number) - factor * value) <= 0.51 * 10 ** -len(number.partition(".")[2])


def _all_show(texts: Iterable[str], values: Iterable[float | None]) -> bool:
    return all(_shows(text, value) for text, value in zip(texts, values, strict=True))


def test_leaderboard_csv_tells_the_same_numbers_to_the_last_digit(made: Report) -> None:
    document = orjson.loads(made.paths.json.read_bytes())
    runs = {run["label"]: run for run in document["runs"]}
    rows = list(csv.DictReader(io.StringIO(made.paths.leaderboard.read_text(encoding="utf-8"))))
    for row, standing in zip(rows, document["leaderboards"], strict=True):
        run = runs[row["label"]]
        micro, macro, headline = run["overall"]["micro"], run["overall"]["macro"], run["headline"]
        assert (row["label"], row["headline_name"]) == (standing["label"], headline["name"])
        ranks = (row[name] for name in ("rank", "rank_best", "rank_worst"))
        assert [*map(int, ranks)] == [standing["rank"], *standing["rank_range"]]
        names = ("n", "scored", "coverage", "mean_failures_lowest")
        assert [float(row[name]) for name in names] == [micro[name] for name in names]
        ends = [float(row[name]) for name in ("micro_mean", "ci_low", "ci_high", "headline", "headline_low", "headline_high")]
        assert ends == [micro["mean"], *micro["interval"], headline["value"], *headline["interval"]]
        means = {name: float(row[f"mean:{name}"]) for name in CATEGORIES}
        assert means == {name: part["mean"] for name, part in run["categories"].items()}
        assert (float(row["macro_mean"]), standing["macro"], standing["micro"]) == (macro["mean"], macro["mean"], micro["mean"])


def test_markdown_tells_the_same_numbers(made: Report, truth: dict[Part, Values]) -> None:
    lines: dict[Part, str] = {}
    for section in made.paths.markdown.read_text(encoding="utf-8").replace("**", "").split("\n## "):
        title = section.partition("\n")[0]
        owner = "pair" if title == "Comparisons" else title
        for name, rest in (line[2:].split(" | ", 1) for line in section.splitlines() if line.startswith("| ")):
            lines.setdefault((owner, name.removeprefix("overall, ").removesuffix(" over 3")), rest.replace("/", " "))
    spread = "n scored coverage mean low high std min q1 median q3 max top_share mean_failures_lowest"
    spoken = {(run, language) for run in RUNS for language in LANGUAGES}
    compared = "n groups first_mean second_mean difference low high wins ties losses p p_holm effect detectable"
    macro = "mean low high mean_failures_lowest"
    for parts, columns in ((SUMMARIES | spoken, spread), (MACROS, macro), (DIFFERENCES, compared)):
        _check(_read(columns, ((of, lines[of]) for of in parts)), parts, truth)


@pytest.fixture
def spoken(make_scores: Callable[..., Path], tmp_path: Path) -> Report:
    """A run in two languages, with a step and a subset."""
    rows = [
        replace(row, steps=None if row.score is None else {"sc": row.score / 2}, subsets=["both"] if index % 5 < 3 else [])
        for index, row in enumerate(_rows(3))
    ]
    folder = make_scores(judgements=rows, rubric={"headline": {"aggregate": "macro"}})
    return report([folder], tmp_path / "out", ReportOptions(figures=False, pictures=False, resamples=200))


def _cells(made: Report) -> Iterator[tuple[str, str, list[float | None], list[float | None]]]:
    """(samples, category, mean and interval by language, mean of the step by language) of report.json."""
    (run,) = orjson.loads(made.paths.json.read_bytes())["runs"]
    both = run["subsets"]["both"]["cells"], run["protocol"]["subsets"]["both"]["cells"]
    for samples, (cells, parts) in {"all": (run["cells"], run["protocol"]["cells"]), "both": both}.items():
        for name in CATEGORIES:
            scores = [cells[language][name] for language in LANGUAGES]
            steps = [parts[language][name]["steps"]["sc"]["mean"] for language in LANGUAGES]
            yield samples, name, [value for part in scores for value in (part["mean"], *part["interval"])], steps


def test_markdown_tells_the_same_categories_by_language(spoken: Report) -> None:
    text = spoken.paths.markdown.read_text(encoding="utf-8")
    for samples, name, scores, steps in _cells(spoken):
        header = f"| category{' in both' if samples == 'both' else ''} | en | en sc | zh | zh sc |"
        (line,) = re.findall(rf"^\| {name} \| (.*)$", text.partition(header)[2].partition("\n\n")[0], re.MULTILINE)
        assert _all_show(_NUMBER.findall(line), [*scores[:3], steps[0], *scores[3:], steps[1]]), line


def test_the_page_tells_the_same_categories_by_language(spoken: Report) -> None:
    rows = re.findall("<tr>(.*?)</tr>", spoken.paths.html.read_text(encoding="utf-8"), re.DOTALL)
    told = {tuple(re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)[:2]): row.partition("</td>")[2] for row in rows}
    for samples, name, scores, _ in _cells(spoken):
        (each,) = [re.sub("<[^>]+>", " ", row) for of, row in told.items() if of == (name, samples)]
        numbers = re.findall(r"\d+\.\d+", each)
        assert _all_show(numbers, scores), each


def test_markdown_and_page_tell_the_same_macro_means_of_a_subset(spoken: Report) -> None:
    (run,) = orjson.loads(spoken.paths.json.read_bytes())["runs"]
    subset, parts = run["subsets"]["both"], run["protocol"]["subsets"]["both"]
    text, page = (path.read_text(encoding="utf-8") for path in (spoken.paths.markdown, spoken.paths.html))
    sides = {"all": (subset["macro"], parts["whole"])}
    sides |= {name: (subset["language_macros"][name], parts["languages"][name]) for name in LANGUAGES}
    for name, (macro, part) in sides.items():
        step = f"{part['steps']['sc']['macro']:.2f}"
        assert f"| {name} | {macro['mean']:.2f} | {'{:.2f} to {:.2f}'.format(*macro['interval'])} | {step} |" in text
        assert f'<th scope="row">sc macro{"" if name == "all" else f", {name}"}</th><td><b>{step}</b>' in page


def test_the_terminal_tells_the_same_numbers(made: Report, truth: dict[Part, Values]) -> None:
    console = Console(width=80, file=io.StringIO(), highlight=False)
    console.print(terminal.render(made))
    owners = {"old": "old", "new": "new", "new minus old": "pair", f"mean {BESIDE}": "beside"}
    lines, owner = {}, ""
    for line in console.file.getvalue().splitlines():
        owner = owners.get(line.rstrip(), owner)
        name, _, rest = line.removeprefix("language ").partition(" ")
        lines.setdefault((owner, name), rest.replace("/", " "))
    macro, compared = "mean low high mean_failures_lowest", "n difference low high wins ties losses p p_holm"
    spread = "n coverage mean low high std median min max mean_failures_lowest"
    for parts, columns in ((SUMMARIES, spread), (MACROS, macro), (DIFFERENCES, compared)):
        _check(_read(columns, ((of, lines[of]) for of in parts)), parts, truth)
    labels = lines["beside", "run"].split()
    pairs = {(label, name): lines["beside", name] for label in labels for name in (*CATEGORIES, "micro", "macro")}
    told = {of: _NUMBER.findall(rest)[2 * labels.index(of[0]) :][:2] for of, rest in pairs.items()}
    _check({of: dict(zip(("mean", "half"), texts, strict=True)) for of, texts in told.items()}, SUMMARIES | MACROS, truth)


def test_the_latex_table_tells_the_same_numbers(made: Report, truth: dict[Part, Values]) -> None:
    rows = [line.split(" & ") for line in made.paths.latex.read_text(encoding="utf-8").splitlines() if " & " in line]
    told = {
        (row[0], name): cell for row in rows[1:] for name, cell in zip(rows[0], row, strict=True) if (row[0], name) in truth
    }
    _check(_read("mean half", told.items()), SUMMARIES | MACROS, truth)


def test_the_page_tells_the_same_numbers(made: Report, truth: dict[Part, Values]) -> None:
    text = made.paths.html.read_text(encoding="utf-8")
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall("<tr>(.*?)</tr>", text, re.DOTALL)]
    spread = "mean low high scored n std median q1 q3 top_share mean_failures_lowest"
    categories = {(row[1], row[0]): _spaced(row[2:]) for row in rows if len(row) == 10 and row[1] in RUNS}
    _check(_read(spread, categories.items()), {(run, name) for run in RUNS for name in CATEGORIES}, truth)
    compared = "n groups first_mean second_mean difference low high wins ties losses p p_holm effect detectable"
    differences = {("pair", row[0]): _spaced(row[1:]) for row in rows if len(row) == 14 and ("pair", row[0]) in truth}
    _check(_read(compared, differences.items()), DIFFERENCES, truth)
    (leaders,) = re.findall('<ol class="leaderboard.*?</ol>', text, re.DOTALL)
    for run in RUNS:
        micro = truth[run, "micro"]
        shown = (f"<strong>{micro['mean']:.2f}</strong>", f"{micro['low']:.2f} to {micro['high']:.2f}")
        assert all(text in leaders for text in (*shown, f"macro {truth[run, 'macro']['mean']:.2f}"))


def _spaced(cells: Iterable[str]) -> str:
    return " ".join(cells).replace("/", " ").replace("\N{NO-BREAK SPACE}%", "%")
