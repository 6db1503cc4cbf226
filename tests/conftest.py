from __future__ import annotations

import fcntl
import gc
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

from editbench import files, identity, images, tiny
from editbench.benchmarks.benchmark import write_benchmark
from editbench.edit.spool import Spool
from editbench.manifests import EditManifest, EditsFacts, Named
from editbench.paths import EDITED, RECORD, EditPaths, ScorePaths, TinyPaths
from editbench.records import Failure, Judgement, Sample
from editbench.score import rubric
from editbench.score.chunks import Chunks, RowFile

# Models this small wait for each other's threads longer than they work, above all where other tests run beside them: one test
# took ten minutes. Before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples every time, and few of them; HYPOTHESIS_PROFILE=long tries others, and many.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}
settings.register_profile("suite", derandomize=True, max_examples=60, database=None, **_COMMON)
settings.register_profile("long", max_examples=20_000, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

KEYS = ("physical", "environmental", "social", "causal", "referential")


def pytest_collection_finish() -> None:
    """What is imported by now stays. Where memory is full the code under test has the garbage collected, which takes a third of
    a second when all that is looked through."""
    gc.freeze()


def sample(key: str) -> Sample:
    return Sample(key=key, id=f"id of {key}", instruction=f"edit {key}", category=key, group="g")


def picture(size: tuple[int, int] = (48, 32), colour: str = "teal") -> bytes:
    return images.encode_png(Image.new("RGB", size, colour))


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> TinyPaths:
    """The tiny checkpoints, written once for all processes of the session; copy one before changing it."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    with open(root / "checkpoints.lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return tiny.write(root / "checkpoints")


def write_five(root: Path) -> None:
    write_benchmark(root, "five", ((sample(key), {"source.png": picture()}) for key in KEYS))


def write_edits(
    root: Path,
    failed: tuple[str, ...] = (),
    edited: Mapping[str, bytes] | None = None,
    flags: Mapping[str, list[str]] | None = None,
) -> EditManifest:
    paths = EditPaths(root)
    paths.spool.mkdir(parents=True)
    spool = Spool(paths, KEYS, 2)
    for index, key in enumerate(KEYS):
        if key in failed:
            about = {"key": key, "id": key, "category": key, "language": "en", "group": "g"}
            spool.put_failure(Failure(**about, index=index, reason="error", error="no", attempts=1))
        else:
            record = orjson.dumps({**sample(key).to_dict(), "edit": {"flags": (flags or {}).get(key, [])}})
            after = (edited or {}).get(key, picture(colour="red"))
            spool.put(key, {"source.png": picture(), EDITED: after, RECORD: record})
    named = {"benchmark": {"name": "five", "digest": "b"}, "model": {"name": "copy"}}
    there = identity.make("edit", **named, settings={"shard_size": spool.size})
    identity.settle(paths.identity, there)
    return spool.finish(Named(**named["benchmark"]), Named(**named["model"]), there["digest"])


def write_scores(root: Path, edits: EditManifest) -> None:
    paths = ScorePaths(root)
    paths.chunks.mkdir(parents=True)
    about = EditsFacts(digest=edits.digest, benchmark=edits.benchmark, model=edits.model)
    parts = {"model": {"name": "judge"}, "rubric": rubric.load("five").identity(), "settings": {"readout": "generate"}}
    there = identity.make("score", edits=about.to_dict(), **parts)
    identity.settle(paths.identity, there)
    files.dump(paths.environment, {"edits": "../edits"})
    chunks = Chunks(paths, [RowFile(paths.scores, [(key, "") for key in KEYS], (0,))])
    common = {"language": "en", "group": "g", "status": "ok", "shard": paths.scores.name}
    chunks.put(
        0,
        (
            Judgement(key=key, id=key, category=key, score=float(index), criteria={"score": float(index)}, **common)
            for index, key in enumerate(KEYS)
        ),
    )
    chunks.finish(about, there["digest"])


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with bench, edits (one of which failed) and scores, as the stages leave them. Copy what you change."""
    root = tmp_path_factory.mktemp("folders")
    write_five(root / "bench")
    write_scores(root / "scores", write_edits(root / "edits", failed=("social",)))
    return root


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    """Five samples, one a category of the rubric `five`, whose name is its key."""
    write_five(tmp_path / "five")
    return tmp_path / "five"


@pytest.fixture
def make_edits(tmp_path: Path) -> Callable[..., Path]:
    """A finished folder of edits of those five samples, two a shard; `edited` are other bytes for the pictures of some."""

    def make(*arguments: Any, **options: Any) -> Path:
        write_edits(tmp_path / "edits", *arguments, **options)
        return tmp_path / "edits"

    return make
