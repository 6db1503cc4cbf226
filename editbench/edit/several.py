"""Samples with several input pictures, and pipelines that take one."""

from __future__ import annotations

from pathlib import Path

from editbench.benchmarks.benchmark import Benchmark
from editbench.edit import index, pipelines
from editbench.edit.settings import FAIL, FIRST, EditSettings
from editbench.errors import UserError
from editbench.models import Model
from editbench.paths import SOURCE
from editbench.shards import Stored
from editbench.wording import counted


def inputs(stored: Stored, settings: EditSettings) -> list[str]:
    """The members of a sample that the editor is shown."""
    return stored.images(SOURCE)[: 1 if settings.extra_images == FIRST else None]


def check(benchmark: Benchmark, model: Model, settings: EditSettings) -> None:
    """Make sure that the model takes as many pictures as the samples have, or that it is settled what becomes of the others.

    Raises:
        UserError: some samples have several pictures, the pipeline takes one, and `--extra-images` was not given.
    """
    if settings.extra_images != FAIL or not model.is_checkpoint:
        return
    name = index.load(Path(model.location)).class_name
    keys = [stored.key for stored in benchmark.stored if len(stored.images(SOURCE)) > 1]
    if keys and name not in pipelines.SEVERAL:
        count = f"several pictures in {len(keys):,} of {counted(len(benchmark.stored), 'sample')}, such as {keys[0]}"
        remedy = "--extra-images first edits the first of them; --extra-images all passes them all the same."
        raise UserError(f"{count}, and a {name} takes one", remedy)
