"""Options of a report. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from typer import Option

from editbench.options import FolderOption
from editbench.report.statistics import RESAMPLES, SEED


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """As they stand on the command line: what a report is made of, and which files it has beside its tables."""

    names: Annotated[
        tuple[str, ...], Option("--name", help="A name for each folder of scores, in their order; repeatable.")
    ] = ()
    """Without them each run goes by its editor and by what tells it apart."""
    baseline: Annotated[
        Path | None, FolderOption(help="Which of the folders the others are compared with; default: each with each.")
    ] = None
    ratings: Annotated[
        tuple[str, ...],
        Option(
            metavar="[NAME[:LOW-HIGH]=]FILE.csv",
            help="Ratings of these edits by people, for the agreement: columns key and score, criteria or steps.",
        ),
    ] = ()
    """See the module `ratings`."""
    reference: Annotated[
        Path | None, FolderOption(help="Folder of scores that the anchors are measured against; default: the first given.")
    ] = None
    """See `anchors.shifts`."""
    force: Annotated[bool, Option("--force", help="Compare what can't be compared, with a warning.")] = False
    resamples: Annotated[int, Option(min=100, help="Of the bootstrap.")] = RESAMPLES
    seed: Annotated[int, Option(help="Of the bootstrap.")] = SEED
    figures: Annotated[bool, Option("--figures/--no-figures", help="Charts as SVG and PNG.")] = True
    latex: Annotated[bool, Option("--latex", help="The leaderboard as a LaTeX table too.")] = False
    html: Annotated[bool, Option("--html/--no-html", help="The page to look at.")] = True
    pictures: Annotated[bool, Option("--pictures/--no-pictures", help="Show the edits in it.")] = True
    full_pictures: Annotated[bool, Option("--full-pictures", help="Show them large too, from files beside it.")] = False
    edits: Annotated[
        tuple[Path, ...], FolderOption(help="Where the edits lie now, if they were moved since they were scored; repeatable.")
    ] = ()
