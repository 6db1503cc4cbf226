"""`editbench edit`: check, plan, run the fleet, seal.

Everything that can be checked without the weights is checked before torch is even imported.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from editbench import console, identity, images, manifests, models, run_folder
from editbench.benchmarks.benchmark import Benchmark
from editbench.edit import model_index, size
from editbench.edit.editors import CONTROLS
from editbench.edit.settings import PUBLISHED, EditSettings
from editbench.edit.spool import Spool
from editbench.edits import flagged
from editbench.errors import Incomplete, UserError
from editbench.fleet import drive
from editbench.fleet.devices import Devices
from editbench.fleet.devices import choose as choose_devices
from editbench.fleet.drive import Run, Work
from editbench.manifests import EditManifest, Named
from editbench.models import Kind, Model
from editbench.paths import SOURCE, EditPaths


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is checked and settled before anything is written."""

    benchmark: Benchmark
    model: Model
    settings: EditSettings
    identity: dict[str, Any]
    paths: EditPaths
    devices: Devices

    @property
    def spool(self) -> Spool:
        return Spool(self.paths, [sample.key for sample in self.benchmark.samples], self.settings.shard_size)


def edit(benchmark: Path, model: str, out: Path, settings: EditSettings, run: Run) -> None:
    """Edit every sample of the benchmark that has no edit in `out` yet.

    Raises:
        UserError: bad input or settings, or a folder of another run; before any weights load.
        Incomplete: more samples failed than `run.max_failures` allows.
        Interrupted, StageError: see `fleet.launch.run`.
    """
    allowed = drive.parse_max_failures(run.max_failures)
    run.check()
    plan = _check(benchmark, model, out, settings, run)
    if run.dry_run:
        run_folder.check(plan.paths, plan.identity, fresh=run.fresh)
        _explain(plan)
        return
    if not run.nodes.head:
        _join(plan, run, allowed)
        return
    run_folder.check(plan.paths, plan.identity, fresh=run.fresh)
    with run_folder.taken(plan.paths, plan.identity, fresh=run.fresh):
        manifest = _already(plan, allowed) or _run(plan, run)
    _summarise(plan, manifest)
    if manifest.failed > allowed(manifest.samples):
        remedy = f"They are in {plan.paths.failures}. The same command tries them again; --max-failures allows some."
        raise Incomplete(f"{manifest.failed} of {manifest.samples} samples have no edit", remedy)


def _join(plan: _Plan, run: Run, allowed: drive.Allowed) -> None:
    """This node's part of a run that the head node plans and finishes."""
    run_folder.await_head(plan.paths, plan.identity)
    if (manifest := _manifest(plan)) is not None and manifest.failed <= allowed(manifest.samples):
        console.say(f"{plan.paths.root} is complete; nothing to do")
        return
    drive.join(plan.paths, plan.devices, _work(plan), run)


def _check(benchmark: Path, name: str, out: Path, settings: EditSettings, run: Run) -> _Plan:
    size.parse(settings.size)
    opened = Benchmark.open(benchmark).select(settings.categories, settings.limit)
    model = models.resolve(name, controls=CONTROLS)
    if model.kind == Kind.HUB and not run.dry_run:
        model = models.fetch(model, model_index.DOWNLOAD, model_index.DOWNLOAD_NOT)
    devices = choose_devices(run.nproc, run.devices)
    settings = _settle(settings, model, devices)
    wanted = identity.make(
        "edit",
        benchmark={"name": opened.name, "digest": opened.digest},
        model=model.identity,
        settings=settings.to_dict(),
    )
    return _Plan(opened, model, settings, wanted, EditPaths(out), devices)


def _settle(settings: EditSettings, model: Model, devices: Devices) -> EditSettings:
    """The settings as they take effect: defaults of the model filled in, what it can't use left out."""
    if model.kind == Kind.CONTROL:
        return replace(settings, steps=None, cfg=None, negative_prompt=None, size="source", dtype="float32")
    settings = replace(settings, dtype=devices.dtype(settings.dtype))
    if model.kind == Kind.CLASS or not Path(model.location).is_dir():
        return settings
    name = model_index.pipeline_class(Path(model.location))
    steps, cfg = PUBLISHED.get(name, (None, None))
    settings = replace(
        settings,
        steps=settings.steps if settings.steps is not None else steps,
        cfg=settings.cfg if settings.cfg is not None else cfg,
    )
    if name.startswith("QwenImage") and settings.cfg is not None and settings.cfg > 1 and settings.negative_prompt is None:
        return replace(settings, negative_prompt=" ")  # without one the pipeline leaves CFG out and only logs a warning
    return settings


def _manifest(plan: _Plan) -> EditManifest | None:
    """None where no run has finished."""
    return manifests.load(plan.paths.manifest, EditManifest) if plan.paths.manifest.exists() else None


def _already(plan: _Plan, allowed: drive.Allowed) -> EditManifest | None:
    """The manifest of a run that is finished, has no more failures than allowed, and whose shards are all there."""
    if (manifest := _manifest(plan)) is None:
        return None
    if lost := plan.spool.lost(manifest):
        console.warn(f"{plan.paths.root} has lost {', '.join(lost)}; its samples are edited again")
    if lost or manifest.failed > allowed(manifest.samples):
        plan.paths.manifest.unlink()
        return None
    plan.spool.clear()
    console.say(f"{plan.paths.root} is complete; nothing to do")
    return manifest


def _run(plan: _Plan, run: Run) -> EditManifest:
    plan.paths.spool.mkdir(exist_ok=True)
    plan.spool.forget_failures()
    plan.spool.set_aside_damaged()
    if missing := plan.spool.missing():
        _check_space(plan, missing)
        drive.drive(plan.paths, plan.devices, _work(plan), run)
    benchmark = Named(name=plan.benchmark.name, digest=plan.benchmark.digest)
    return plan.spool.finish(benchmark, Named(**plan.model.identity), plan.identity["digest"])


def _work(plan: _Plan) -> Work:
    spool = plan.spool
    settings = {
        "benchmark": str(plan.benchmark.root.resolve()),
        "out": str(plan.paths.root.resolve()),
        "model": asdict(plan.model),
        "settings": plan.settings.to_dict(),
    }
    return Work(
        stage="edit",
        title=f"edit {plan.model.name}",
        worker="editbench.edit.worker:EditWorker",
        settings=settings,
        identity=plan.identity["digest"],
        pending=lambda: sorted(spool.pending(), key=lambda place: -_cost(plan, place)),
        samples=len,
        total=len(spool.keys),
    )


def _cost(plan: _Plan, place: int) -> int:
    """Pixels the model has to go through: longest first, so that no rank starts a long one last. Only sizes and inputs
    differ."""
    stored = plan.benchmark.stored[place]
    inputs = stored.images(SOURCE)
    if plan.settings.size != "source":
        return len(inputs)
    width, height = images.size(stored.read(inputs[0]), f"{stored.key}.{inputs[0]}")
    return width * height * (1 + len(inputs))


def _check_space(plan: _Plan, missing: list[int]) -> None:
    """Refuse to start a run that the disk can't hold.

    An edit takes its sources' bytes again, and at least a byte a pixel where its size is known.
    A disk that fills up all the same loses nothing.
    """
    sources = sum(sum(span.size for span in plan.benchmark.stored[place].spans.values()) for place in missing)
    width, height = size.parse(plan.settings.size)((1024, 1024))
    known = plan.model.kind in (Kind.FOLDER, Kind.HUB) and plan.settings.size != "source"
    needed = sources + (len(missing) * width * height if known else sources)
    free = shutil.disk_usage(plan.paths.root).free
    if needed > free:
        message = (
            f"{plan.paths.root}: {len(missing)} edits take at least {needed / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free"
        )
        raise UserError(message, "Make room, choose another --out, or edit fewer samples with --limit.")


def _explain(plan: _Plan) -> None:
    """--dry-run: what would be done."""
    missing = plan.spool.missing() if plan.paths.root.exists() else range(len(plan.spool.keys))
    rows = [("model", plan.model.name), ("benchmark", f"{plan.benchmark.name}, {len(plan.spool.keys)} samples")]
    settings = plan.settings.to_dict()
    rows += [
        (name, "the model's own" if settings[name] is None else identity.shown(settings[name]))
        for name in ("steps", "cfg", "negative_prompt")
    ]
    rows += [(name, settings[name]) for name in ("seed", "size", "dtype")]
    rows += [("shards", plan.spool.shard_count), ("to edit", len(missing)), ("out", plan.paths.root)]
    rows += [("seconds a sample, so far", f"{seconds:.1f}") for seconds in drive.pace(plan.paths)]
    console.show(console.escaped_table(("edit, dry run", ""), rows))


def _summarise(plan: _Plan, manifest: EditManifest) -> None:
    counts = "".join(f", {count} {reason}" for reason, count in manifest.failures.items())
    console.say(f"{manifest.edited} of {manifest.samples} samples edited{counts}{flagged(manifest)}: {plan.paths.root}")
