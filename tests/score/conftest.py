from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from editbench.paths import ScorePaths
from editbench.score import rubric
from editbench.score.judge import Judge
from editbench.score.settings import ScoreSettings
from editbench.score.worker import ScoreWorker

from .judges import Fixed

SHORT = """
name = "short"
version = 1
scale = [0, 10]
languages = ["en"]
any_category = true
score = "score"
[criteria.score]
range = [0, 10]
[questions.edit]
images = ["source", "edited"]
criteria = ["score"]
text.en = "Is this done: {instruction}? As it should be: {reference_text}?"
[form.en]
generate = ""
expected = ""
[answer_prefix]
generate = ""
expected = "Score: "
[headline]
aggregate = "micro"
"""


@pytest.fixture
def short_rubric() -> str:
    """A rubric of a few words: in the tiny judge's tokenizer each byte is a token."""
    return SHORT


@pytest.fixture
def work(make_edits: Callable[..., Path], tmp_path: Path):
    """A worker on five edits, all in one chunk unless told otherwise."""

    def make(
        judge: type[Judge] | Path = Fixed,
        *,
        load: bool = True,
        edits: Any = None,
        rubric_text: str = "",
        plan: Any = (0,),
        anchored: bool = False,
        **settings: Any,
    ) -> ScoreWorker:
        location = str(judge) if isinstance(judge, Path) else f"{judge.__module__}:{judge.__name__}"
        kind = "folder" if isinstance(judge, Path) else "class"
        ScorePaths(tmp_path / "scores").chunks.mkdir(parents=True)
        root = str(make_edits(**(edits or {})))
        worker = ScoreWorker(
            edits=root,
            anchors=root if anchored else None,
            out=str(tmp_path / "scores"),
            model={"kind": kind, "name": "judge", "location": location, "identity": {}},
            rubric_text=rubric_text or rubric.load("five").text,
            settings=ScoreSettings(**{"dtype": "float32", **settings}).to_dict(),
            plan=[*plan],
        )
        if load:
            worker.load("cpu")
        return worker

    return make
