from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from editbench import files, identity
from editbench.manifests import EditsFacts, Named, ScoreManifest
from editbench.paths import ScorePaths
from editbench.records import Judgement

from .small import PATHS, write_bench


@pytest.fixture(params=PATHS)
def layout(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def bench(tmp_path: Path, layout: str) -> Path:
    return write_bench(tmp_path / "bench", [*PATHS[layout]])


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """The samples cat, dog and emu."""
    return write_bench(tmp_path / "bench", [*PATHS["files"]])


@pytest.fixture
def make_scores(tmp_path: Path) -> Callable[..., Path]:
    """A finished folder of scores with these rows."""

    def make(rows: Sequence[Judgement]) -> Path:
        paths = ScorePaths(tmp_path / "scores")
        paths.root.mkdir()
        about = EditsFacts(digest="e", benchmark=Named(name="bench"), model=Named(name="editor"))
        there = identity.make("score", edits=about.to_dict(), model={"name": "judge-7b"}, rubric={"name": "viescore"})
        identity.settle(paths.identity, there)
        data = b"".join(row.to_json() + b"\n" for row in rows)
        paths.scores.write_bytes(data)
        statuses = {status: sum(row.status == status for row in rows) for status in {row.status for row in rows}}
        facts: dict[str, Any] = {"samples": len(rows), "statuses": statuses, "mean": None, "min": None, "max": None}
        manifest = ScoreManifest(**facts, edits=about, identity=there["digest"], sha256=hashlib.sha256(data).hexdigest())
        replace(manifest, digest=manifest.own_digest()).dump(paths.manifest)
        files.dump(paths.environment, {"edits": "../edits"})
        return paths.root

    return make
