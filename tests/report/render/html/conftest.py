"""Score folders of the five edits of `make_edits`, and the page made of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from editbench import identity, manifests
from editbench.manifests import EditManifest, EditsFacts
from editbench.paths import EditPaths, ReportPaths, ScorePaths
from editbench.records import EDIT_FAILED, OK, Judgement
from editbench.report import stage
from editbench.report.options import ReportOptions
from editbench.report.render.html import page
from editbench.report.render.html.page import PageOptions
from editbench.report.render.html.pictures import RunPictures
from editbench.score.chunks import Chunks, RowFile

KEYS = ("physical", "environmental", "social", "causal", "referential")
QUICK = ReportOptions(resamples=50, figures=False, html=False)
REPLY = "</script><script>bad()</script>"


def scores(root: Path, edits: Path, *, failed: Sequence[str] = (), told: bool = True, judge: str = "judge") -> Path:
    """A finished score folder of the edits in the folder `edits`; without `told`, it does not say where they lie."""
    paths, manifest = ScorePaths(root), manifests.load(EditPaths(edits).manifest, EditManifest)
    paths.chunks.mkdir(parents=True)
    about = EditsFacts(digest=manifest.digest, benchmark=manifest.benchmark, model=manifest.model)
    rubric = {"name": "five", "version": 1, "scale": [0, 10], "digest": "r0", "criteria": {"score": [0, 10]}}
    there = identity.make(
        "score", edits=about.to_dict(), model={"name": judge}, rubric=rubric, settings={"readout": "generate"}
    )
    rows = [_row(index, key, key in failed) for index, key in enumerate(KEYS)]
    identity.settle(paths.identity, there)
    paths.environment.write_bytes(orjson.dumps({"edits": os.path.relpath(edits, root)} if told else {}))
    chunks = Chunks(paths, [RowFile(paths.scores, [(row.key, "") for row in rows], (0,))])
    chunks.put(0, rows)
    chunks.finish(about, there["digest"])
    return root


def _row(index: int, key: str, failed: bool) -> Judgement:
    shard = None if failed else EditPaths(Path()).shard(index // 2).name
    value = None if failed else 2.0 * index
    status = EDIT_FAILED if failed else OK
    return Judgement(
        key=key, id=key, category=key, language="en", group=key, status=status, score=value, shard=shard, response=REPLY
    )


@pytest.fixture
def make_page(tmp_path: Path) -> Callable[..., tuple[list[str], ReportPaths]]:
    """Write the page of score folders; returns its warnings and where it lies."""

    def make(*folders: Path, edits: Sequence[Path] = (), **options: Any) -> tuple[list[str], ReportPaths]:
        made = stage.report(folders, tmp_path / "report", QUICK)
        runs = [RunPictures(run.label, folder, edits) for run, folder in zip(made.runs, folders, strict=True)]
        return page.write(made.document(), runs, made.paths.root, PageOptions(**options)), made.paths

    return make
