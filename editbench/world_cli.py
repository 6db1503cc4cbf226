"""`editbench world ...`: what the small world's edits deserve, and how far a judge agrees with that."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from editbench.errors import UserError
from editbench.options import PathArgument
from editbench.wording import counted

if TYPE_CHECKING:
    from editbench.report.statistics.agreement import Estimate

app = typer.Typer(
    help="The small world, whose truth is known: how good is a judge?", no_args_is_help=True, rich_markup_mode=None
)


@app.command()
def truth(
    edits: Annotated[Path, PathArgument(help="Folder of edits of shards/world by one of its controls, or by copy.")],
    out: Annotated[Path, PathArgument(metavar="FILE.csv", help="File to write, for `editbench report --ratings`.")],
) -> None:
    """Write what each of these edits deserves, 0 to 10, by the sample's key."""
    from editbench import atomic, console
    from editbench.calibration import deserved
    from editbench.edits import Edits

    if not out.parent.is_dir():
        raise UserError(f"no folder {out.parent}", "Make it, or choose another one.")
    opened = Edits.open(edits, verify=False)
    keys = [entry.sample.key for entry in opened.entries if entry.stored]
    scores = deserved(edits, opened.manifest.model.name, keys)
    atomic.write(out, "\n".join(("key,score", *(f"{key},{score}" for key, score in scores.items()), "")).encode())
    console.say(f"{out}: what {counted(len(keys), 'edit')} by {opened.manifest.model.name} deserve")


@app.command()
def accuracy(
    scores: Annotated[list[Path], PathArgument(help="Folders of one judge's scores, one a control, of edits of shards/world.")],
) -> None:
    """Print how far a judge's scores agree with the truth, with 95 % intervals over source pictures."""
    from editbench import console
    from editbench.calibration import measure

    measured = measure(scores)
    console.say(f"{measured.judge}: {counted(measured.edits, 'edit')}, {measured.unscored} without a score")
    parts = (measured.everything, *measured.languages, *measured.families)
    rows = [(part.name, part.edits, *_cells(part.spearman, 3)) for part in parts]
    console.show(console.escaped_table(("edits", "n", "Spearman with the truth", "95 % interval"), rows))
    means = [(mean.editor, f"{mean.truth:.2f}", *_cells(mean.mean, 2)) for mean in measured.editors]
    console.show(console.escaped_table(("editor", "truth", "mean score", "95 % interval"), means))
    if measured.wins is not None:
        share, interval = _cells(measured.wins, 3)
        console.say(f"A right edit scores higher than no edit in a share of {share} ({interval}).")


def _cells(estimate: Estimate, decimals: int) -> Iterable[str]:
    """A value and its interval, "-" for what is not known."""
    low_high = estimate.interval and " to ".join(f"{end:.{decimals}f}" for end in estimate.interval)
    return ("-" if estimate.value is None else f"{estimate.value:.{decimals}f}", low_high or "-")
