"""How long `editbench import` takes, and how much memory: a table of picture files, and a Parquet file that holds its pictures.

    python tests/benchmarks/import_scale.py [SAMPLES]

The pictures are JPEGs of 512 x 512 pixels (some 30 kB): 64 of them, which each row names under a name of its own.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import commands
import numpy as np
import orjson
from figures import Figure, said
from PIL import Image

SAMPLES, PICTURES, SIDE, GROUP = 100_000, 64, 512, 100
MEMORY_AIM = 500.0


def import_scale(work: Path, *, samples: int) -> Iterator[Figure]:
    """Raises RuntimeError when a command fails."""
    for name, make in (("JSON Lines", _jsonl), ("Parquet", _parquet)):
        source = make(work / name.lower().replace(" ", "-"), samples)
        arguments = ["import", str(source), "--out", str(work / f"out-{make.__name__}")]
        yield from commands.command(f"import, {samples:,} samples of {name}", arguments, memory_aim=MEMORY_AIM)


def _pictures() -> Iterator[bytes]:
    """Noise of many sizes, which compresses about as a photograph does."""
    chance = np.random.default_rng(0)
    for _ in range(PICTURES):
        coarse = Image.fromarray(chance.integers(0, 256, (64, 64, 3), dtype=np.uint8))
        buffer = io.BytesIO()
        coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
        yield buffer.getvalue()


def _jsonl(root: Path, samples: int) -> Path:
    root.mkdir()
    for number, data in enumerate(_pictures()):
        (root / f"{number}.jpg").write_bytes(data)
    with open(root / "table.jsonl", "wb") as table:
        for number in range(samples):
            folder = root / f"{number // 1000:05d}"
            folder.mkdir(exist_ok=True)
            name = f"{folder.name}/{number}.jpg"
            os.link(root / f"{number % PICTURES}.jpg", root / name)
            table.write(orjson.dumps({**_row(number), "image": name}) + b"\n")
    return root / "table.jsonl"


def _parquet(root: Path, samples: int) -> Path:
    import pyarrow
    import pyarrow.parquet

    root.mkdir()
    pictures = [*_pictures()]
    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    fields = [("id", pyarrow.string()), ("instruction", pyarrow.string()), ("category", pyarrow.string()), ("image", image)]
    schema = pyarrow.schema(fields)
    with pyarrow.parquet.ParquetWriter(root / "table.parquet", schema) as writer:
        for start in range(0, samples, GROUP):
            numbers = range(start, min(start + GROUP, samples))
            rows = [{**_row(number), "image": {"bytes": pictures[number % PICTURES]}} for number in numbers]
            writer.write_table(pyarrow.Table.from_pylist(rows, schema=schema))
    return root / "table.parquet"


def _row(number: int) -> dict[str, str]:
    return {"id": f"sample-{number:06d}", "instruction": f"Make number {number} red.", "category": f"c{number % 5}"}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        said(import_scale(Path(folder), samples=int(sys.argv[1]) if len(sys.argv) > 1 else SAMPLES))
