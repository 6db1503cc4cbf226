from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from processes import edit, started

from editbench import images
from editbench.benchmarks.benchmark import write_benchmark
from editbench.records import Sample

CATEGORIES = ("physical", "environmental", "social", "causal", "referential")


def eight(root: Path) -> Path:
    """A benchmark of eight samples whose instruction is their key."""
    noise = random.Random(0).randbytes(56 * 40 * 3)
    picture = images.encode_png(Image.frombytes("RGB", (56, 40), noise))
    keys = [f"s{number}" for number in range(8)]
    samples = [
        Sample(key=key, id=key, instruction=key, category=CATEGORIES[index % 5], group=key) for index, key in enumerate(keys)
    ]
    write_benchmark(root, "eight", ((sample, {"source.png": picture}) for sample in samples))
    return root


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return eight(tmp_path_factory.mktemp("bench") / "eight")


@pytest.fixture(scope="session")
def undisturbed(bench: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An edit run that nothing disturbed, with one rank."""
    out = tmp_path_factory.mktemp("undisturbed") / "edits"
    status, said = edit(bench, out).run()
    assert status == 0, said
    return out


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The folder of a run of `edit`, not there yet."""
    return tmp_path / "edits"


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Iterator[None]:
    yield
    while started:
        process = started.pop()
        if process.poll() is None:
            process.kill()
            process.communicate()
