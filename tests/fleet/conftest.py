from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from processes import edit

from editbench import images
from editbench.benchmarks import folder
from editbench.records import Sample

CATEGORIES = ("physical", "environmental", "social", "causal", "referential")


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight samples whose instruction is their key."""
    root = tmp_path_factory.mktemp("bench") / "eight"
    picture = images.encode_png(Image.new("RGB", (32, 24), "teal"))
    keys = [f"s{number}" for number in range(8)]
    samples = [
        Sample(key=key, id=key, instruction=key, category=CATEGORIES[place % 5], group=key) for place, key in enumerate(keys)
    ]
    folder.write(root, "eight", ((sample, {"source.png": picture}) for sample in samples))
    return root


@pytest.fixture(scope="session")
def undisturbed(bench: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An edit run that nothing disturbed, with one rank."""
    out = tmp_path_factory.mktemp("undisturbed") / "edits"
    status, said = edit(bench, out).run()
    assert status == 0, said
    return out
