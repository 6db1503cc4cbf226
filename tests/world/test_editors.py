"""Editors of known quality do what their truth says, through the edit stage's own protocol."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from editbench.edit.editor import Request
from editbench.edit.editors import Control
from editbench.errors import UserError
from editbench.world.benchmark import WorldSample, samples
from editbench.world.editors import outcome_of, truth
from editbench.world.truth import EDITORS, Outcome


def edited(editor: str, sample: WorldSample, picture: Image.Image | None = None) -> np.ndarray:
    picture = picture or sample.task.source.render()
    request = Request(images=[picture], instruction=sample.instruction, seed=0, size=picture.size)
    return np.asarray(Control(editor).edit(request, lambda *_: None).image)


def test_truths_order_the_editors() -> None:
    means = {editor: np.mean([*truth(editor).values()]) for editor in (*EDITORS, "copy")}
    assert means.pop("mixed") > 0
    assert sorted(means, key=means.get) == ["copy", "wrong-place", "half-hearted", "over-editing", "perfect"]
    assert (means["perfect"], means["copy"]) == (10, 0)
    assert len({*truth("mixed").values()}) > 5


@pytest.mark.parametrize("editor", [*EDITORS])
def test_an_editor_draws_its_outcome(editor: str) -> None:
    for sample in samples()[::9]:
        outcome = outcome_of(editor, sample)
        if outcome != Outcome.STRANGER:
            assert (edited(editor, sample) == np.asarray(sample.task.outcomes[outcome].render())).all()


def test_what_an_edit_does_not_touch_stays_as_it_was_given() -> None:
    sample = samples()[0]
    source = sample.task.source.render()
    given = source.point(lambda value: min(value + 3, 255))
    after, right = edited("perfect", sample, given), np.asarray(sample.task.outcomes[Outcome.RIGHT].render())
    touched = (np.asarray(source) != right).any(-1)
    assert (after[~touched] == np.asarray(given)[~touched]).all()
    assert (after[touched] == right[touched]).all()


def test_a_stranger_is_a_picture_of_another_family() -> None:
    sample = next(sample for sample in samples() if outcome_of("mixed", sample) == Outcome.STRANGER)
    after = edited("mixed", sample)
    assert any(
        (after == np.asarray(other.task.outcomes[Outcome.RIGHT].render())).all()
        for other in samples()
        if other.family != sample.family
    )


@pytest.mark.parametrize("size", [(256, 256), (64, 48)])
def test_a_picture_that_is_not_the_benchmarks_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UserError, match="shards/world alone"):
        edited("perfect", samples()[0], Image.new("RGB", size))
