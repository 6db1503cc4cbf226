from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson
import pytest
from PIL import Image

from editbench import images, tiny
from editbench.benchmarks import folder
from editbench.edit.spool import Spool
from editbench.manifests import Named
from editbench.paths import EDITED, RECORD, EditPaths, TinyPaths
from editbench.records import Failure, Sample

# Models this small wait for each other's threads longer than they work, above all where other tests run beside them: one test
# took ten minutes. Before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

KEYS = ("physical", "environmental", "social", "causal", "referential")


def sample(key: str) -> Sample:
    return Sample(key=key, id=f"id of {key}", instruction=f"edit {key}", category=key, group="g")


def picture(size: tuple[int, int] = (48, 32), colour: str = "teal") -> bytes:
    return images.encode_png(Image.new("RGB", size, colour))


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> TinyPaths:
    """The tiny checkpoints; copy one before changing it."""
    return tiny.write(tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture
def benchmark(tmp_path: Path) -> Path:
    """Five samples, one a category of the rubric `five`, whose name is its key."""
    root = tmp_path / "five"
    folder.write(root, "five", ((sample(key), {"source.png": picture()}) for key in KEYS))
    return root


@pytest.fixture
def make_edits(tmp_path: Path) -> Callable[..., Path]:
    """A finished folder of edits of those five samples, two a shard; `edited` are other bytes for the pictures of some."""

    def make(
        failed: tuple[str, ...] = (),
        edited: Mapping[str, bytes] | None = None,
        flags: Mapping[str, list[str]] | None = None,
    ) -> Path:
        paths = EditPaths(tmp_path / "edits")
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
        spool.finish(Named(name="five", digest="b"), Named(name="copy"), "i")
        return paths.root

    return make
