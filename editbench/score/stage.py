"""`editbench score`: check, plan, run the fleet, gather the rows.

Everything that can be checked without the weights is checked before torch is even imported.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from editbench import console, identity, manifests, models, run_folder
from editbench.edits import Edits
from editbench.errors import Incomplete, UserError
from editbench.fleet import drive
from editbench.fleet.devices import Devices
from editbench.fleet.devices import choose as choose_devices
from editbench.fleet.drive import Run, Work
from editbench.manifests import EditsFacts, ScoreManifest
from editbench.models import Kind, Model
from editbench.paths import ScorePaths
from editbench.records import ERROR, OUT_OF_RANGE, REFUSED, UNPARSED
from editbench.score import batching, rubric
from editbench.score.chunks import Chunks
from editbench.score.items import Cases
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
    anchors: Edits | None
    cases: Cases
    starts: batching.Starts

    @property
    def chunks(self) -> Chunks:
        return batching.chunks(self.paths, self.cases, self.starts, self.anchors.manifest.digest if self.anchors else "")


def score(
    edits: Path,
    model: str,
    rubric_name: str,
    out: Path,
    settings: ScoreSettings,
    run: Run,
    retry: Collection[str] = (),
    anchors: Path | None = None,
) -> None:
    """Judge every edit that has no row in `out` yet; when all have one, those again whose status is in `retry`.

    `anchors`: another finished folder of edits, judged along.

    Raises:
        UserError: bad input or settings, or a folder of another run; before any weights load.
        Incomplete: more samples ended in `error` than `run.max_failures` allows.
        Interrupted, StageError: see `fleet.launch.run`.
    """
    allowed = drive.parse_max_failures(run.max_failures)
    run.check()
    if unknown := [status for status in retry if status not in RETRIED]:
        raise UserError(f"--retry {unknown[0]} is no status to ask again for", f"Choose among {', '.join(RETRIED)}.")
    plan = _check(edits, model, rubric_name, out, settings, run, anchors)
    if retry and plan.model.kind != Kind.CLASS:
        console.warn("the judge answers as it did, draws included: --retry changes nothing, unless a version or device did")
    if run.dry_run:
        run_folder.check(plan.paths, plan.identity, fresh=run.fresh)
        _explain(plan, range(len(plan.chunks)) if run.fresh else _owed(plan, allowed, retry))
        return
    if not run.nodes.head:
        _join(plan, run, allowed, retry)
        return
    run_folder.check(plan.paths, plan.identity, fresh=run.fresh)
    with run_folder.taken(plan.paths, plan.identity, fresh=run.fresh):
        manifest = _already(plan, allowed, retry) or _run(plan, run)
    _summarise(plan, manifest)
    errors, rows = plan.chunks.statuses(manifest)[ERROR], plan.chunks.row_count
    if errors > allowed(rows):
        named = " and ".join(str(file.path) for file in plan.chunks.files)
        remedy = f"Their rows in {named} say why. The same command asks again for them; --max-failures allows some."
        counted = "rows" if len(plan.chunks.files) > 1 else "samples"
        raise Incomplete(f"{errors} of {rows} {counted} ended in an error", remedy)


def _join(plan: _Plan, run: Run, allowed: drive.Allowed, retry: Collection[str]) -> None:
    """This node's part of a run that the head node plans and finishes."""
    run_folder.await_head(plan.paths, plan.identity)
    if plan.paths.manifest.exists() and not _owed(plan, allowed, retry):
        console.say(f"{plan.paths.root} is complete; nothing to do")
        return
    drive.join(plan.paths, plan.devices, _work(plan), run)


def _check(
    edits: Path, name: str, rubric_name: str, out: Path, settings: ScoreSettings, run: Run, anchors: Path | None = None
) -> _Plan:
    chosen = rubric.load(rubric_name)
    opened, others = Edits.open(edits), Edits.open(anchors) if anchors else None
    entries, anchored = opened.entries, others.entries if others else ()
    chosen.check_samples(entry.sample for entry in (*entries, *anchored))
    _check_settings(settings, chosen)
    model = models.resolve(name)
    if model.kind == Kind.HUB and not run.dry_run:
        model = models.fetch(model, DOWNLOAD)
    if model.kind != Kind.CLASS and Path(model.location).is_dir():
        check_local(Path(model.location))
    devices = choose_devices(run.nproc, run.devices)
    settings = replace(settings, dtype=devices.dtype(settings.dtype))
    parts = {
        "edits": _facts(opened).to_dict(),
        "anchors": _facts(others).to_dict() if others else None,
        "model": model.identity,
        "rubric": {**chosen.identity(), "text": chosen.text},
        "settings": settings.to_dict(),
    }
    cases = Cases.of(entries, anchored, chosen, percent=settings.audit, seed=settings.seed)
    return _Plan(
        edits=opened,
        model=model,
        rubric=chosen,
        settings=settings,
        identity=identity.make("score", **parts),
        paths=ScorePaths(out),
        devices=devices,
        anchors=others,
        cases=cases,
        starts=batching.starts(cases, chosen, settings),
    )


def _facts(edits: Edits) -> EditsFacts:
    manifest = edits.manifest
    return EditsFacts(digest=manifest.digest, benchmark=manifest.benchmark, model=manifest.model)


def _check_settings(settings: ScoreSettings, chosen: Rubric) -> None:
    if settings.language is not None and settings.language not in chosen.languages:
        known = ", ".join(chosen.languages)
        raise UserError(f"rubric {chosen.name} has no language {settings.language}", f"It has: {known}.")
    settings.check()


def _manifest(plan: _Plan) -> ScoreManifest | None:
    """None where no run has finished."""
    return manifests.load(plan.paths.manifest, ScoreManifest) if plan.paths.manifest.exists() else None


def _already(plan: _Plan, allowed: drive.Allowed, retry: Collection[str] = ()) -> ScoreManifest | None:
    """The manifest of a run that is finished, has nothing to ask again for, and whose rows are as they were."""
    if (manifest := _manifest(plan)) is None:
        return None
    damaged = plan.chunks.damaged(manifest)
    for file in damaged:
        console.warn(f"{file.path} is missing or has been changed; all of it is judged again")
    again = _again(plan, manifest, allowed, retry)
    if damaged or again:
        plan.chunks.reopen(again, damaged)
        return None
    plan.chunks.clear()
    console.say(f"{plan.paths.root} is complete; nothing to do")
    return manifest


def _again(plan: _Plan, manifest: ScoreManifest, allowed: drive.Allowed, retry: Collection[str]) -> set[str]:
    """The statuses that a finished run is to be asked again for."""
    statuses = plan.chunks.statuses(manifest)
    wanted = statuses[ERROR] > allowed(plan.chunks.row_count) or any(statuses[status] for status in retry)
    return {ERROR, *retry} if wanted else set()


def _owed(plan: _Plan, allowed: drive.Allowed, retry: Collection[str]) -> Sequence[int]:
    """The chunks that a run would judge now."""
    if (manifest := _manifest(plan)) is None:
        return plan.chunks.missing()
    return plan.chunks.owed(_again(plan, manifest, allowed, retry), plan.chunks.damaged(manifest))


def _run(plan: _Plan, run: Run) -> ScoreManifest:
    plan.paths.chunks.mkdir(exist_ok=True)
    if plan.chunks.missing():
        drive.drive(plan.paths, plan.devices, _work(plan), run)
    return plan.chunks.finish(_facts(plan.edits), plan.identity["digest"])


def _work(plan: _Plan) -> Work:
    chunks = plan.chunks
    settings = {
        "edits": str(plan.edits.root.resolve()),
        "out": str(plan.paths.root.resolve()),
        "model": asdict(plan.model),
        "rubric_text": plan.rubric.text,
        "settings": plan.settings.to_dict(),
        "anchors": str(plan.anchors.root.resolve()) if plan.anchors else None,
        # Told, not found again by every rank, where pictures had to be looked at.
        "starts": plan.starts if plan.settings.batch_tokens else None,
    }
    inputs = {"edits": plan.edits, "anchors": plan.anchors}
    return Work(
        stage="score",
        title=f"score {plan.model.name}",
        worker="editbench.score.worker:ScoreWorker",
        settings=settings,
        identity=plan.identity["digest"],
        pending=chunks.missing,
        samples=partial(_count, chunks),
        total=chunks.row_count,
        scores=chunks.scores(),
        scale=list(plan.rubric.scale),
        environment={name: _relative(edits.root, plan.paths.root) for name, edits in inputs.items() if edits},
    )


def _relative(path: Path, start: Path) -> str:
    return os.path.relpath(path.resolve(), start.resolve())


def _explain(plan: _Plan, owed: Sequence[int]) -> None:
    """--dry-run: what would be done."""
    failed = sum(entry.stored is None for entry in plan.edits.entries)
    rows = [
        ("judge", plan.model.name),
        ("rubric", plan.rubric.name),
        ("edits", f"{plan.edits.root}, {len(plan.edits.entries)} samples"),
    ]
    anchors = f"{plan.anchors.root}, {len(plan.cases.anchors)} samples" if plan.anchors else "none"
    rows += [("without an edit", failed), *plan.settings.to_dict().items()]
    rows += [("controls", len(plan.cases.controls)), ("anchors", anchors), ("chunks", len(plan.chunks))]
    rows += [("chunks to judge", len(owed)), ("rows to judge", _count(plan.chunks, owed)), ("out", plan.paths.root)]
    rows += [("seconds a sample, so far", f"{seconds:.2f}") for seconds in drive.pace(plan.paths)]
    console.show(console.escaped_table(("score, dry run", ""), rows))


def _count(chunks: Chunks, numbers: Sequence[int]) -> int:
    return sum(len(chunks.rows_of(number)) for number in numbers)


def _summarise(plan: _Plan, manifest: ScoreManifest) -> None:
    mean, low, high = manifest.mean, manifest.min, manifest.max
    spread = "no sample has a score" if mean is None else f"mean {mean:.3f}, min {low:.2f}, max {high:.2f}"
    counts = ", ".join(f"{count} {status}" for status, count in manifest.statuses.items())
    console.say(f"{manifest.samples} samples scored: {spread}; {counts}: {plan.paths.scores}")
    for file in plan.chunks.files[1:]:
        console.say(f"{len(file)} rows of {file.title}: {file.path}")
