"""How long edits made elsewhere take to come in and go out again, and how much memory: 100,000 pictures of 128 x 128.

python tests/benchmarks/layouts.py
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import commands
import synthetic
from figures import Figure, said
from PIL import Image

from editbench import images
from editbench.benchmarks.benchmark import Benchmark

MEMORY_AIM = 500.0
SIDE = 128


def layouts(work: Path, *, samples: int) -> Iterator[Figure]:
    """Raises RuntimeError when a command fails."""
    bench, sent, edits, out = (work / name for name in ("bench", "sent", "edits", "out"))
    synthetic.benchmark(bench, samples)
    _pictures(bench, sent)
    about = ["--layout", "files", "--out"]
    steps = {
        "import-edits": ["import-edits", str(bench), str(sent), "--name", "model", *about, str(edits)],
        "the same again": ["import-edits", str(bench), str(sent), "--name", "model", *about, str(edits)],
        "export": ["export", str(edits), *about, str(out)],
    }
    for name, arguments in steps.items():
        yield from commands.command(f"{name}, {samples:,} pictures", arguments, memory_aim=MEMORY_AIM)


def _pictures(bench: Path, sent: Path) -> None:
    """One picture under the names of all samples: reading and decoding each costs what it costs."""
    sent.mkdir()
    (sent / "first").write_bytes(images.encode_png(Image.effect_noise((SIDE, SIDE), 90).convert("RGB")))
    for sample in Benchmark.open(bench).samples:
        (sent / f"{sample.key}.png").symlink_to("first")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        said(layouts(Path(folder), samples=100_000))
