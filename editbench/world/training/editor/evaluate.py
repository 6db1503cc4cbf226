"""How near an editor's pictures of the small world come to the right ones, pixel by pixel:

    python -m editbench.world.training.editor.evaluate EDITS

A judge that is blind to a colour is of no help here: shards/README.md says which values the trained one can hardly tell.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from PIL import Image

from editbench import console, images
from editbench.edits import Edits
from editbench.world.benchmark import WorldSample, samples
from editbench.world.training.lessons import CHANGED
from editbench.world.truth import Outcome

Array = np.ndarray


class Nearness(NamedTuple):
    """Mean differences, 0..255. `within`: where the right edit plainly differs from the source; `value`: the share of edits
    that are nearer to the right edit than to one of another value, where these two differ."""

    edit_to_right: float
    source_to_right: float
    edit_to_right_within: float
    source_to_right_within: float
    edit_to_source_elsewhere: float
    value: float


def main(edits: Annotated[Path, typer.Argument(help="Folder of edits of shards/world.")]) -> None:
    known = {sample.id: sample for sample in samples()}
    families: dict[str, list[Nearness]] = {}
    for entry in Edits.open(edits).entries:
        if entry.stored is not None and entry.sample.id in known and (extension := entry.stored.edited):
            sample = known[entry.sample.id]
            picture = images.decode(entry.stored.read(extension), sample.id)
            families.setdefault(sample.family, []).append(nearness(sample, picture))
    rows = [(name, len(some), *(f"{mean:.2f}" for mean in np.mean(some, 0))) for name, some in families.items()]
    heads = [field.replace("_", " ") for field in Nearness._fields]
    console.show(console.escaped_table(("family", "edits", *heads), rows))


def nearness(sample: WorldSample, picture: Image.Image) -> Nearness:
    """`picture`: of any size."""
    outcomes = (sample.task.outcomes[outcome].render() for outcome in (Outcome.NOTHING, Outcome.RIGHT, Outcome.VALUE))
    source, right, other = (np.asarray(one, np.float32) for one in outcomes)
    edit = np.asarray(picture.resize(source.shape[1::-1], Image.Resampling.BOX), np.float32)
    within, apart = _differ(source, right), _differ(other, right)
    return Nearness(
        float(np.abs(edit - right).mean()),
        float(np.abs(source - right).mean()),
        float(np.abs(edit - right)[within].mean()),
        float(np.abs(source - right)[within].mean()),
        float(np.abs(edit - source)[~within].mean()),
        float(np.abs(edit - right)[apart].mean() < np.abs(edit - other)[apart].mean()),
    )


def _differ(one: Array, other: Array) -> Array:
    return (np.abs(one - other) > CHANGED).any(-1)


if __name__ == "__main__":
    typer.run(main)
