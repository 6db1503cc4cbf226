"""Editors of known quality, for the small world's own pictures: controls whose right score is known exactly.

Each looks a picture and its instruction up among the benchmark's samples and draws the outcome that it stands for. What the
edit does not touch stays as it was given, bit for bit.

    editbench edit shards/world --model half-hearted --out EDITS
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from editbench.errors import UserError
from editbench.world.benchmark import WorldSample, samples
from editbench.world.scene import kept
from editbench.world.truth import EDITORS, TRUTH, Outcome

MOST_APART = 12.0
"""Mean difference of two pictures, 0..255 a channel, up to which they are the same but for compression."""


def outcome_of(editor: str, sample: WorldSample) -> Outcome:
    """What an editor of EDITORS, or `copy`, makes of a sample."""
    if editor not in EDITORS:
        return Outcome.NOTHING
    return EDITORS[editor] or [*Outcome][hashlib.sha256(sample.id.encode()).digest()[0] % len(Outcome)]


def truth(editor: str) -> dict[str, int]:
    """The right score, 0..10, of each edit by an editor of EDITORS or by `copy`, by the sample's key in shards/world."""
    return {sample.id: TRUTH[outcome_of(editor, sample)] for sample in samples()}


def edit(editor: str, picture: Image.Image, instruction: str) -> Image.Image:
    """A picture as one of EDITORS edits it. Raises UserError for a picture or an instruction that is not the benchmark's."""
    sample = _sample(picture, instruction)
    return render_outcome(outcome_of(editor, sample), sample, samples(), picture)


def _sample(picture: Image.Image, instruction: str) -> WorldSample:
    asked = [sample for sample in samples() if sample.instruction == instruction]
    distances = {_distance(picture, sample.task.source.render()): sample for sample in asked}
    if not asked or min(distances) > MOST_APART:
        raise UserError("this editor knows the pictures of shards/world alone", "Edit that benchmark with it.")
    return distances[min(distances)]


def _distance(one: Image.Image, other: Image.Image) -> float:
    if one.size != other.size:
        return float("inf")
    return float(np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).mean())


def render_outcome(outcome: Outcome, sample: WorldSample, known: Sequence[WorldSample], picture: Image.Image) -> Image.Image:
    """The sample's `picture` after an edit. A stranger is the right edit of another family's sample among `known`."""
    if outcome == Outcome.STRANGER:
        other = known[(known.index(sample) + len(known) // 2) % len(known)]
        return other.task.outcomes[Outcome.RIGHT].render()
    return kept(sample.task.source.render(), sample.task.outcomes[outcome].render(), picture)
