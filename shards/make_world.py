"""Make the small world's benchmark, shards/world: 90 samples of 15 families, in English and Chinese, on four photographs.

    python shards/make_world.py [FOLDER]

The photographs are in editbench/world/photographs; `--photographs` makes them again from scikit-image. With the same version of
Pillow, every run gives the same bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
from PIL import Image

from editbench import console, world
from editbench.benchmarks.stage import import_benchmark
from editbench.errors import UserError
from editbench.manifests import BenchmarkManifest
from editbench.world import benchmark, photographs
from editbench.world.benchmark import WorldSample

FOLDER = Path(__file__).parent / "world"
LONGEST_SIDE = 448  # pixels
JPEG_QUALITY = 88


def make(folder: Path) -> BenchmarkManifest:
    """Write the benchmark into `folder` and return its manifest. Raises UserError as `import_benchmark` does."""
    with TemporaryDirectory() as temporary:
        table = Path(temporary) / "table.jsonl"
        rows = [_row(sample, table.parent) for sample in benchmark.samples()]
        table.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
        return import_benchmark(table, format="jsonl", out=folder, name="world")


def _row(sample: WorldSample, folder: Path) -> dict[str, str]:
    picture = f"{sample.source}.jpg"
    sample.task.source.render().save(folder / picture, quality=JPEG_QUALITY)
    return {
        "id": sample.id,
        "image": picture,
        "instruction": sample.instruction,
        "category": sample.category,
        "language": sample.language,
        "family": sample.family,  # not a column that the import knows: it goes into the sample's `extra`
    }


def save_photographs(folder: Path) -> None:
    from skimage import data

    for name in photographs.HELD_OUT:
        image = Image.fromarray(getattr(data, name)()).convert("RGB")
        image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
        image.save(folder / f"{name}.jpg", quality=JPEG_QUALITY)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[:1] == ["--photographs"]:
        save_photographs(Path(world.__file__).parent / "photographs")
        arguments = arguments[1:]
    try:
        manifest = make(Path(arguments[0]) if arguments else FOLDER)
    except UserError as error:
        console.fail(error)
        sys.exit(error.status)
    console.say(f"{manifest.samples} samples, {sum(shard.bytes for shard in manifest.shards):,} bytes")
