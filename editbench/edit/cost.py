"""What edits will take, told before anything is loaded: calls of the model, and bytes on disk."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from tarfile import BLOCKSIZE

from editbench import images
from editbench.benchmarks.benchmark import Benchmark
from editbench.edit import size
from editbench.edit.settings import EditSettings
from editbench.errors import UserError
from editbench.models import Kind
from editbench.paths import SOURCE

BYTES_A_PIXEL = 1.34
"""Of a photograph as `images.encode_png` writes it: mean of the sample benchmark's sources
(`python tests/benchmarks/run.py --part verify`)."""
LOOKED_AT = 200
"""Sources whose size is looked up, where there are more: enough for their mean, and 10,000 would take seconds."""


def model_calls(samples: int, kind: Kind, settings: EditSettings) -> str:
    """A pipeline calls its denoiser once a step, and with true CFG (a guidance scale and a negative prompt) twice."""
    if kind == Kind.CONTROL:
        return "0"
    if kind == Kind.CLASS:
        return f"{samples:,}"
    passes = 2 if (settings.cfg or 0) > 1 and settings.negative_prompt is not None else 1
    if settings.steps is None:
        return f"{samples * passes:,} times the model's own steps"
    return f"{samples * settings.steps * passes:,} ({settings.steps} steps{' and true CFG' if passes > 1 else ''} a sample)"


def disk_bytes(benchmark: Benchmark, samples: Sequence[int], settings: EditSettings) -> int:
    """About what the edits of these samples take: their members again, and the edited pictures."""
    if not samples:
        return 0
    inputs = sum(_in_tar(span.size) for index in samples for span in benchmark.stored[index].spans.values())
    every = -(-len(samples) // LOOKED_AT)
    areas = [*_areas(benchmark, samples[::every], settings)]
    edited = round(BYTES_A_PIXEL * sum(areas) / len(areas)) if areas else 0
    return inputs + len(samples) * _in_tar(edited)


def _in_tar(size: int) -> int:
    """A member has a header of one block, and fills whole blocks."""
    return BLOCKSIZE * (1 - size // -BLOCKSIZE)


def _areas(benchmark: Benchmark, samples: Sequence[int], settings: EditSettings) -> Iterator[int]:
    """Pixels of the edits, of sources that can be read."""
    sizer = size.parse(settings.size)
    for index in samples:
        stored = benchmark.stored[index]
        with contextlib.suppress(UserError):
            name = stored.images(SOURCE)[0]
            source = images.size(stored.read(name), name)
            width, height = sizer(source) or source
            yield width * height
