"""`editbench score`: check, plan, run the fleet, gather the rows.

Everything that can be checked without the weights is checked before torch is even imported.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from editbench import console, folder, identity, models, shards
from editbench.edits import Edits
from editbench.errors import Incomplete, UserError
from editbench.fleet import drive
from editbench.fleet.devices import Devices
from editbench.fleet.devices import choose as choose_devices
from editbench.fleet.drive import Run, Work
from editbench.models import Kind, Model
from editbench.paths import ScorePaths
from editbench.records import ERROR, OUT_OF_RANGE, REFUSED, UNPARSED
from editbench.score import rubric
from editbench.score.chunks import Chunks
from editbench.score.judge import DOWNLOAD, check_local
from editbench.score.rubric import Rubric
from editbench.score.settings import ScoreSettings

RETRIED = (UNPARSED, OUT_OF_RANGE, REFUSED)
"""What `--retry` takes. Rows of status `error` need no asking for."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is checked and settled before anything is written."""

    edits: Edits
    model: Model
    rubric: Rubric
    settings: ScoreSettings
    identity: dict[str, Any]
    paths: ScorePaths
    devices: Devices

    @property
    def chunks(self) -> Chunks:
        return Chunks(self.paths, len(self.edits.entries), self.settings.batch_size)


def score(
    edits: Path,
    model: str,
    rubric_name: str,
    out: Path,
    settings: ScoreSettings,
    run: Run,
    retry: Collection[str] = (),
) -> None:
    """Judge every edit that has no row in `out` yet; when all have one, those again whose status is in `retry`.

    Raises:
        UserError: bad input or settings, or a folder of another run; before any weights load.
        Incomplete: more samples ended in `error` than `run.max_failures` allows.
        Interrupted, StageError: see `fleet.launch.run`.
    """
    allowed = drive.parse_max_failures(run.max_failures)
    run.check()
    if unknown := [status for status in retry if status not in RETRIED]:
        raise UserError(f"--retry {unknown[0]} is no status to ask again for", f"Choose among {', '.join(RETRIED)}.")
    plan = _check(edits, model, rubric_name, out, settings, run)
    if run.dry_run:
        folder.check(plan.paths, plan.identity, fresh=run.fresh)
        _explain(plan)
        return
    if not run.nodes.head:
        _join(plan, run, allowed)
        return
    folder.check(plan.paths, plan.identity, fresh=run.fresh)
    with folder.taken(plan.paths, plan.identity, fresh=run.fresh):
        manifest = _already(plan, allowed, retry) or _run(plan, run)
    _summarise(plan, manifest)
    errors = manifest["statuses"].get(ERROR, 0)
    if errors > allowed(manifest["samples"]):
        remedy = f"Their rows in {plan.paths.scores} say why. The same command asks again for them; --max-failures allows some."
        raise Incomplete(f"{errors} of {manifest['samples']} samples ended in an error", remedy)


def _join(plan: _Plan, run: Run, allowed: drive.Allowed) -> None:
    """This node's part of a run that the head node plans and finishes."""
    folder.await_head(plan.paths, plan.identity)
    if plan.paths.manifest.exists() and (manifest := identity.load(plan.paths.manifest))["statuses"].get(ERROR, 0) <= allowed(
        manifest["samples"]
    ):
        console.say(f"{plan.paths.root} is complete; nothing to do")
        return
    drive.join(plan.paths, plan.devices, _work(plan), run)


def _check(edits: Path, name: str, rubric_name: str, out: Path, settings: ScoreSettings, run: Run) -> _Plan:
    chosen = rubric.load(rubric_name)
    opened = Edits.open(edits)
    chosen.check_samples(entry.sample for entry in opened.entries)
    _check_settings(settings, chosen)
    model = models.resolve(name)
    if model.kind == Kind.HUB and not run.dry_run:
        model = models.fetch(model, DOWNLOAD)
    if model.kind != Kind.CLASS and Path(model.location).is_dir():
        check_local(Path(model.location))
    devices = choose_devices(run.nproc, run.devices)
    settings = replace(settings, dtype=devices.dtype(settings.dtype))
    about = {name: opened.manifest[name] for name in ("digest", "benchmark", "model")}
    parts = {
        "edits": about,
        "model": model.identity,
        "rubric": {**chosen.identity(), "text": chosen.text},
        "settings": settings.to_dict(),
    }
    return _Plan(opened, model, chosen, settings, identity.make("score", **parts), ScorePaths(out), devices)


def _check_settings(settings: ScoreSettings, chosen: Rubric) -> None:
    if settings.language is not None and settings.language not in chosen.languages:
        known = ", ".join(chosen.languages)
        raise UserError(f"rubric {chosen.name} has no language {settings.language}", f"It has: {known}.")
    settings.check()


def _already(plan: _Plan, allowed: drive.Allowed, retry: Collection[str] = ()) -> dict[str, Any] | None:
    """The manifest of a run that is finished, has nothing to ask again for, and whose rows are as they were."""
    if not plan.paths.manifest.exists():
        return None
    manifest = identity.load(plan.paths.manifest)
    if not plan.paths.scores.exists() or shards.sha256(plan.paths.scores) != manifest["sha256"]:
        console.warn(f"{plan.paths.scores} is missing or has been changed; everything is judged again")
        plan.paths.manifest.unlink()
        return None
    statuses = manifest["statuses"]
    if statuses.get(ERROR, 0) > allowed(manifest["samples"]) or any(status in statuses for status in retry):
        plan.chunks.reopen({ERROR, *retry})
        return None
    plan.chunks.clear()
    console.say(f"{plan.paths.root} is complete; nothing to do")
    return manifest


def _run(plan: _Plan, run: Run) -> dict[str, Any]:
    plan.paths.chunks.mkdir(exist_ok=True)
    if plan.chunks.missing():
        drive.drive(plan.paths, plan.devices, _work(plan), run)
    return plan.chunks.finish({"edits": plan.identity["edits"], "identity": plan.identity["digest"]})


def _work(plan: _Plan) -> Work:
    chunks = plan.chunks
    settings = {
        "edits": str(plan.edits.root.resolve()),
        "out": str(plan.paths.root.resolve()),
        "model": asdict(plan.model),
        "rubric_text": plan.rubric.text,
        "settings": plan.settings.to_dict(),
    }
    return Work(
        stage="score",
        title=f"score {plan.model.name}",
        worker="editbench.score.worker:ScoreWorker",
        settings=settings,
        identity=plan.identity["digest"],
        pending=chunks.missing,
        samples=lambda numbers: sum(len(chunks.places(number)) for number in numbers),
        total=chunks.samples,
        scores=chunks.scores(),
        scale=list(plan.rubric.scale),
    )


def _explain(plan: _Plan) -> None:
    """--dry-run: what would be done."""
    missing = plan.chunks.missing() if plan.paths.root.exists() else range(len(plan.chunks))
    if plan.paths.manifest.exists():
        missing = []
    failed = sum(entry.stored is None for entry in plan.edits.entries)
    rows = [
        ("judge", plan.model.name),
        ("rubric", plan.rubric.name),
        ("edits", f"{plan.edits.root}, {len(plan.edits.entries)} samples"),
    ]
    rows += [("without an edit", failed), *plan.settings.to_dict().items()]
    rows += [("chunks", len(plan.chunks)), ("chunks to judge", len(missing)), ("out", plan.paths.root)]
    rows += [("seconds a sample, so far", f"{seconds:.2f}") for seconds in drive.pace(plan.paths)]
    console.show(console.escaped_table(("score, dry run", ""), rows))


def _summarise(plan: _Plan, manifest: dict[str, Any]) -> None:
    mean = manifest["mean"]
    spread = (
        "no sample has a score" if mean is None else f"mean {mean:.3f}, min {manifest['min']:.2f}, max {manifest['max']:.2f}"
    )
    counts = ", ".join(f"{count} {status}" for status, count in manifest["statuses"].items())
    console.say(f"{manifest['samples']} samples scored: {spread}; {counts}: {plan.paths.scores}")
