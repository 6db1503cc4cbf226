"""`editbench edit`: what there is to do, and what it leaves behind. `fleet.stage` leads it through its life.

Everything that can be checked without the weights is checked before torch is even imported.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rich.filesize import decimal

from editbench import console, identity, images, manifests, models
from editbench.benchmarks.benchmark import Benchmark
from editbench.edit import acceleration, compilation, cost, defaults, lora, memory, model_index, several, size, variants
from editbench.edit.editors import CONTROLS
from editbench.edit.lora import Lora
from editbench.edit.memory import Forecast
from editbench.edit.settings import EditSettings
from editbench.edit.spool import Spool
from editbench.edits import flagged
from editbench.errors import Incomplete, UserError
from editbench.fleet import devices, stage
from editbench.fleet.attempts import FleetStage
from editbench.fleet.run_options import RunOptions
from editbench.manifests import EditManifest, Named
from editbench.models import Kind, Model
from editbench.paths import EditPaths
from editbench.wording import counted


def edit(benchmark: Path, model: str, out: Path, settings: EditSettings, options: RunOptions) -> None:
    """Edit every sample of the benchmark that has no edit in `out` yet.

    Raises:
        UserError: bad input or settings, or a folder of another run; before any weights load.
        Incomplete: more samples failed than `options.max_failures` allows.
        Interrupted, StageError: see `fleet.launch.run`.
    """
    stage.run(EditStage.plan(benchmark, model, out, settings, options))


@dataclass(frozen=True, kw_only=True)
class EditStage(FleetStage[EditManifest]):
    """An item is a sample, by its index in the benchmark."""

    name = "edit"
    worker = "editbench.edit.worker:EditWorker"

    paths: EditPaths
    benchmark: Benchmark
    settings: EditSettings
    loras: Sequence[Lora] = ()

    @classmethod
    def plan(cls, benchmark: Path, name: str, out: Path, settings: EditSettings, options: RunOptions) -> EditStage:
        """Check the input and settle the settings. Raises UserError."""
        options.check()
        settings.check()
        samples = Benchmark.open(benchmark).select(settings.categories, settings.limit)
        asked = model = models.resolve(name, controls=CONTROLS)
        settings = acceleration.in_effect(settings, model)
        pipeline = model.is_checkpoint
        if pipeline:
            model = _fetched(asked, weights=False)
            acceleration.check(settings, model)
        chosen = devices.choose(options.rank_count, options.device_indices)
        variant = variants.settle(settings, model, chosen.kind, download=not options.dry_run)
        settings = defaults.in_effect(variant.settings, model, chosen)
        defaults.overruled(variant.settings, settings)
        several.check(samples, model, settings)
        if pipeline and not options.dry_run:
            model = _fetched(asked, weights=True)
        if not options.dry_run or model.kind == Kind.FOLDER:
            variant.check_fit(model)
        model = variant.named(model)
        source = {"name": samples.name, "digest": samples.digest}
        return cls(
            paths=EditPaths(out),
            model=model,
            devices=chosen,
            options=compilation.one_rank_first(options, settings, chosen.count),
            identity=identity.make("edit", benchmark=source, model=model.identity, settings=variant.pinned(settings)),
            benchmark=samples,
            settings=settings,
            loras=variant.loras,
        )

    @cached_property
    def spool(self) -> Spool:
        return Spool(self.paths, [sample.key for sample in self.benchmark.samples], self.settings.shard_size)

    @property
    def item_count(self) -> int:
        return len(self.benchmark.samples)

    def sample_count(self, items: Sequence[int]) -> int:
        return len(items)

    @property
    def fast(self) -> bool:
        return self.settings.fast

    def worker_settings(self) -> dict[str, Any]:
        return {
            "benchmark": str(self.benchmark.root.resolve()),
            "out": str(self.paths.root.resolve()),
            "model": asdict(self.model),
            "settings": self.settings.to_dict(),
        }

    def pending(self) -> list[int]:
        return sorted(self.spool.pending(), key=self._pixels, reverse=True)

    def _pixels(self, index: int) -> int:
        """What a sample costs: longest first, so that no rank starts a long one last. Only sizes and inputs differ."""
        stored = self.benchmark.stored[index]
        inputs = several.inputs(stored, self.settings)
        if self.settings.size != "source":
            return len(inputs)
        width, height = images.size(stored.read(inputs[0]), f"{stored.key}.{inputs[0]}")
        return width * height * (1 + len(inputs))

    def finished(self) -> EditManifest | None:
        return manifests.load_finished(self.paths.manifest, EditManifest)

    def unfinished(self, manifest: EditManifest) -> list[int] | None:
        lost = self.spool.lost(manifest)
        if not lost and manifest.failed <= self.allowed_failures:
            return None
        return sorted({*self.spool.missing(), *(index for shard in lost for index in self.spool.indices(shard))})

    def reopen(self, manifest: EditManifest) -> None:
        if lost := [self.paths.shard(shard) for shard in self.spool.lost(manifest)]:
            names = ", ".join(path.name for path in lost)
            console.warn(f"{self.paths.root} has lost {names}; its samples are edited again")
            self.spool.set_aside(lost)
        self.paths.manifest.unlink()

    def begin(self) -> list[int]:
        self.paths.spool.mkdir(exist_ok=True)
        self.spool.forget_failures()
        self.spool.set_aside_damaged()
        missing = self.spool.missing()
        if missing:
            self._check_space(missing)
            if self.model.is_checkpoint:
                console.say(", ".join(f"{name} {value}" for name, value in defaults.explained(self.settings, self.model)))
            self._warn_of_memory()
        return missing

    def _check_space(self, missing: Sequence[int]) -> None:
        """Refuse to start a run that the disk can't hold.

        An edit takes its sources' bytes again, and at least a byte a pixel where its size is known.
        A disk that fills up all the same loses nothing.
        """
        sources = sum(sum(span.size for span in self.benchmark.stored[index].spans.values()) for index in missing)
        width, height = size.parse(self.settings.size)((1024, 1024)) or (0, 0)
        known = self.model.is_checkpoint and self.settings.size not in ("source", size.PIPELINE)
        needed = sources + (len(missing) * width * height if known else sources)
        free = shutil.disk_usage(self.paths.root).free
        if needed > free:
            takes = f"at least {decimal(needed)} for {counted(len(missing), 'edit')}"
            message = f"{self.paths.root}: {takes}, and {decimal(free)} are free"
            raise UserError(message, "Make room, choose another --out, or edit fewer samples with --limit.")

    def finish(self) -> EditManifest:
        benchmark = Named(name=self.benchmark.name, digest=self.benchmark.digest)
        rubric = self.benchmark.manifest.rubric
        return self.spool.finish(benchmark, Named(**self.model.identity), self.identity["digest"], rubric)

    def clear(self) -> None:
        self.spool.clear()

    def shortfall(self, manifest: EditManifest) -> Incomplete | None:
        if manifest.failed <= self.allowed_failures:
            return None
        remedy = f"They are in {self.paths.failures}. The same command tries them again; --max-failures allows some."
        return Incomplete(f"{manifest.failed:,} of {counted(manifest.samples, 'sample')} without an edit", remedy)

    def describe(self, items: Sequence[int]) -> Iterable[tuple[str, object]]:
        settings = self.settings.to_dict()
        yield from (("model", self.model.name), ("benchmark", f"{self.benchmark.name}, {counted(self.item_count, 'sample')}"))
        yield from defaults.explained(self.settings, self.model)
        plain = ("seed", "dtype", "fast", "attention", "cache", "compile")
        yield from ((name, settings[name]) for name in plain if name in settings)
        yield from (("--set", text) for text in self.settings.arguments)
        used = self.identity["settings"]
        yield from ((name, variants.shown(getattr(self.settings, name))) for name in variants.OPTIONS if name in used)
        if self.model.is_checkpoint:
            yield "memory of a rank", self._memory().text
        yield from (("shards", self.spool.shard_count), ("to edit", len(items)))

    def _memory(self) -> Forecast:
        pictures = max((len(several.inputs(stored, self.settings)) for stored in self.benchmark.stored), default=1)
        work = {"ranks": self.devices.count, "pictures": pictures, "loras": sum(each.weights for each in self.loras)}
        return memory.forecast(self.model, self.settings, self.devices.kind, **work)

    def _warn_of_memory(self) -> None:
        """Only warn: it is an estimate."""
        if self.model.is_checkpoint and (expected := self._memory()).fits is False:
            console.warn(f"{self.model.name} takes {expected.text}")

    def model_calls(self, items: Sequence[int]) -> str:
        return cost.model_calls(len(items), self.model.kind, self.settings)

    def disk_use(self, items: Sequence[int]) -> str:
        return f"{cost.disk_bytes(self.benchmark, items, self.settings):,}"

    def summary(self, manifest: EditManifest) -> Iterable[str]:
        counts = "".join(f", {count} {reason}" for reason, count in manifest.failures.items())
        edited = f"{manifest.edited:,} of {counted(manifest.samples, 'sample')} edited"
        yield f"{edited}{counts}{flagged(manifest)}: {self.paths.root}"


def _fetched(model: Model, *, weights: bool) -> Model:
    """Raises UserError as `model_index.fetch` does; where the model is a LoRA, one that says how to use it."""
    try:
        return model_index.fetch(model, weights=weights)
    except UserError as error:
        raise lora.advice(model) or error from None
