"""`editbench score`: what there is to do, and what it leaves behind. `fleet.stage` leads it through its life.

Everything that can be checked without the weights is checked before torch is even imported.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from editbench import console, identity, manifests, models, remote
from editbench.edits import Edits
from editbench.errors import Incomplete, UserError
from editbench.fleet import devices, stage
from editbench.fleet.attempts import FleetStage
from editbench.fleet.run_options import RunOptions
from editbench.manifests import EditsFacts, ScoreManifest
from editbench.models import Kind, Model
from editbench.paths import ScorePaths
from editbench.records import ERROR, GENERATE, OUT_OF_RANGE, REFUSED, UNPARSED, Status
from editbench.score import adapters, batching, checkpoint, cost, judges, rubric
from editbench.score.chunks import Chunks
from editbench.score.items import JudgedItem, JudgedItems
from editbench.score.rubric import Rubric
from editbench.score.settings import ScoreSettings
from editbench.wording import counted

DEFAULT_RUBRIC = "five"
RETRIED: tuple[Status, ...] = (UNPARSED, OUT_OF_RANGE, REFUSED)
"""What `--retry` takes. Rows of status `error` need no asking for."""


def score(
    edits: Path,
    model: str,
    rubric_name: str | None,
    out: Path,
    settings: ScoreSettings,
    options: RunOptions,
    retry: Collection[str] = (),
    anchors: Path | None = None,
    adapter: Path | None = None,
) -> None:
    """Judge every edit that has no row in `out` yet; when all have one, those again whose status is in `retry`.

    `anchors`: another finished folder of edits, judged along. `adapter`: a PEFT adapter of the judge.

    Raises:
        UserError: bad input or settings, or a folder of another run; before any weights load.
        Incomplete: more samples ended in `error` than `options.max_failures` allows.
        Interrupted, StageError: see `fleet.launch.run`.
    """
    planned = ScoreStage.plan(edits, model, rubric_name, out, settings, options, anchors, checked_retry(retry), adapter)
    if retry and planned.model.kind != Kind.CLASS:
        console.warn("the judge answers as it did, draws included: --retry changes nothing, unless a version or device did")
    stage.run(planned)


def checked_retry(retry: Collection[str]) -> list[Status]:
    """The statuses to ask again for. Raises UserError for one that there is not."""
    again = [status for status in RETRIED if status in retry]
    if unknown := [status for status in retry if status not in again]:
        raise UserError(f"--retry {unknown[0]} is no status to ask again for", f"Choose among {', '.join(RETRIED)}.")
    return again


@dataclass(frozen=True, kw_only=True)
class ScoreStage(FleetStage[ScoreManifest]):
    """An item is a chunk, by its number."""

    name = "score"
    worker = "editbench.score.worker:ScoreWorker"

    paths: ScorePaths
    edits: Edits
    anchors: Edits | None
    rubric: Rubric
    settings: ScoreSettings
    retry: Collection[Status]

    @classmethod
    def plan(
        cls,
        edits: Path,
        name: str,
        rubric_name: str | None,
        out: Path,
        settings: ScoreSettings,
        options: RunOptions,
        anchors: Path | None = None,
        retry: Collection[Status] = (),
        adapter: Path | None = None,
    ) -> ScoreStage:
        """Check the input and settle the settings. Raises UserError."""
        options.check()
        opened, others = Edits.open(edits), Edits.open(anchors) if anchors else None
        chosen = checked_rubric(rubric_name, settings, opened, others)
        settings.check()
        model = _judge(name, settings, options, adapter)
        ranks = devices.choose(options.rank_count, options.device_indices)
        judges.check_cuda_graph(model, settings, ranks.kind)
        paths = ScorePaths(out)
        size = _batch_size(paths, len(opened.entries), settings, options)
        settings = replace(settings, dtype=ranks.dtype(settings.dtype), batch_size=size)
        return cls(
            paths=paths,
            model=model,
            devices=ranks,
            options=options,
            identity=score_identity(opened, others, model, chosen, settings),
            edits=opened,
            anchors=others,
            rubric=chosen,
            settings=settings,
            retry=retry,
        )

    @cached_property
    def items(self) -> JudgedItems:
        anchors = self.anchors.entries if self.anchors else ()
        return JudgedItems.of(self.edits.entries, anchors, self.rubric, percent=self.settings.audit, seed=self.settings.seed)

    @cached_property
    def _rows(self) -> list[JudgedItem]:
        return [*self.items]

    @cached_property
    def starts(self) -> batching.Starts:
        return batching.starts(self.items, self.rubric, self.settings)

    @cached_property
    def chunks(self) -> Chunks:
        return batching.chunks(self.paths, self.items, self.starts, self.anchors.manifest.digest if self.anchors else "")

    @property
    def item_count(self) -> int:
        return len(self.chunks)

    def sample_count(self, items: Sequence[int]) -> int:
        return sum(len(self.chunks.rows_of(chunk)) for chunk in items)

    @property
    def fast(self) -> bool:
        return self.settings.fast

    def worker_settings(self) -> dict[str, Any]:
        return {
            "edits": str(self.edits.root.resolve()),
            "out": str(self.paths.root.resolve()),
            "model": asdict(self.model),
            "rubric_text": self.rubric.text,
            "settings": self.settings.to_dict(),
            "anchors": str(self.anchors.root.resolve()) if self.anchors else None,
            # Sent along, not worked out again by every rank, where pictures had to be looked at.
            "starts": self.starts if self.settings.batch_tokens else None,
        }

    def pending(self) -> list[int]:
        return sorted(self.chunks.missing(), key=self._tokens, reverse=True)

    def _tokens(self, chunk: int) -> int:
        """What a chunk costs, about: longest first, so that no rank starts a long one last (0.3 ms a sample)."""
        return sum(sum(self._estimate.by_ask(item)) for item in self._judged([chunk]) if item.images)

    @cached_property
    def _estimate(self) -> batching.TokenEstimate:
        return batching.TokenEstimate(self.rubric, self.settings)

    def finished(self) -> ScoreManifest | None:
        return manifests.load_finished(self.paths.manifest, ScoreManifest)

    def unfinished(self, manifest: ScoreManifest) -> list[int] | None:
        statuses, damaged = self._asked_again(manifest), self.chunks.damaged(manifest)
        return self.chunks.owed(statuses, damaged) if statuses or damaged else None

    def _asked_again(self, manifest: ScoreManifest) -> set[Status]:
        """The statuses whose rows a finished run is asked again for."""
        statuses = self.chunks.statuses(manifest)
        wanted = statuses[ERROR] > self.allowed_failures or any(statuses[status] for status in self.retry)
        return {ERROR, *self.retry} if wanted else set()

    def reopen(self, manifest: ScoreManifest) -> None:
        damaged = self.chunks.damaged(manifest)
        for file in damaged:
            console.warn(f"{file.path} is missing or has been changed; all of it is judged again")
        self.chunks.reopen(self._asked_again(manifest), damaged)

    def begin(self) -> list[int]:
        self.paths.chunks.mkdir(exist_ok=True)
        return self.chunks.missing()

    def finish(self) -> ScoreManifest:
        return self.chunks.finish(_facts(self.edits), self.identity["digest"])

    def clear(self) -> None:
        self.chunks.clear()

    def shortfall(self, manifest: ScoreManifest) -> Incomplete | None:
        errors = self.chunks.statuses(manifest)[ERROR]
        if errors <= self.allowed_failures:
            return None
        files = self.chunks.files
        named = " and ".join(str(file.path) for file in files)
        remedy = f"Their rows in {named} say why. The same command asks again for them; --max-failures allows some."
        of_all = counted(self.total, "row" if len(files) > 1 else "sample")
        return Incomplete(f"{errors:,} of {of_all} ended in an error", remedy)

    def describe(self, items: Sequence[int]) -> Iterable[tuple[str, object]]:
        entries, anchors = self.edits.entries, self.anchors
        yield from (("judge", self.model.name), ("rubric", self.rubric.name))
        yield "edits", f"{self.edits.root}, {counted(len(entries), 'sample')}"
        yield "without an edit", sum(entry.stored is None for entry in entries)
        yield from self.settings.to_dict().items()
        yield "controls", len(self.items.controls)
        yield "anchors", f"{anchors.root}, {counted(len(self.items.anchors), 'sample')}" if anchors else "none"
        yield from (("chunks", self.item_count), ("chunks to judge", len(items)))
        yield "rows to judge", self.sample_count(items)

    def model_calls(self, items: Sequence[int]) -> str:
        asked = cost.question_count(self._judged(items), self.rubric, self.settings)
        again = (
            ", and one for each reply that can't be read" if self.settings.forced and self.settings.readout == GENERATE else ""
        )
        return f"{asked:,}{again}"

    def disk_use(self, items: Sequence[int]) -> str:
        return f"{cost.disk_bytes(self._judged(items), self.rubric, self.settings):,}"

    def _judged(self, items: Sequence[int]) -> list[JudgedItem]:
        """What becomes the rows of these chunks."""
        return [self._rows[row] for chunk in items for row in self.chunks.rows_of(chunk)]

    def summary(self, manifest: ScoreManifest) -> Iterable[str]:
        mean, low, high = manifest.mean, manifest.min, manifest.max
        spread = "no sample has a score" if mean is None else f"mean {mean:.3f}, min {low:.2f}, max {high:.2f}"
        counts = ", ".join(f"{count} {status}" for status, count in manifest.statuses.items())
        yield f"{counted(manifest.samples, 'sample')} scored: {spread}; {counts}: {self.paths.scores}"
        yield from (f"{counted(len(file), 'row')} of {file.title}: {file.path}" for file in self.chunks.files[1:])

    def scores(self) -> dict[str, list[float]]:
        return self.chunks.scores()

    @property
    def scale(self) -> list[float]:
        return [*self.rubric.scale]

    def environment(self) -> dict[str, Any]:
        inputs = {"edits": self.edits, "anchors": self.anchors}
        folders = {name: edits.root.resolve() for name, edits in inputs.items() if edits and edits.root.is_dir()}
        inputs_at = {name: os.path.relpath(folder, self.paths.root.resolve()) for name, folder in folders.items()}
        return {**inputs_at, "judge": judges.implementation(self.model)}


def _batch_size(paths: ScorePaths, samples: int, settings: ScoreSettings, options: RunOptions) -> int | None:
    """Samples judged together: as asked for, else as in the run that the folder holds, else by the size of the set; None where
    tokens are counted. Raises UserError for an identity that can't be read, and as `remote.pull` does."""
    if settings.batch_size is not None or settings.batch_tokens is not None:
        return settings.batch_size
    if options.nodes.head and not options.fresh:
        remote.pull(paths.root, finished=False)
    stored = {} if options.fresh or not paths.identity.exists() else identity.load(paths.identity).get("settings")
    size = stored.get("batch_size") if isinstance(stored, dict) else None
    return size if isinstance(size, int) and size > 0 else batching.default_size(samples, settings)


def _judge(name: str, settings: ScoreSettings, options: RunOptions, adapter: Path | None = None) -> Model:
    """The judge, of which all is checked that can be before its weights are downloaded. Raises UserError."""
    model, budget = models.resolve(name), settings.thinking_budget
    if adapter is not None:
        if model.kind == Kind.CLASS:
            raise UserError(f"--adapter goes with a checkpoint, not with {name}", "Let the class load it.")
        adapters.check(adapter)
    if model.kind == Kind.CLASS:
        return model
    folder = Path(models.fetch(model, checkpoint.CONFIGS).location)
    checkpoint.check_config(folder)
    checkpoint.check_thinking(folder, budget)
    if model.kind == Kind.HUB:
        models.check_safetensors(model, [""])
    if model.kind == Kind.FOLDER or not options.dry_run:
        model = models.fetch(model, checkpoint.DOWNLOAD)
        checkpoint.check_local(Path(model.location))
        checkpoint.check_thinking(Path(model.location), budget)
    if (family := checkpoint.model_type(folder)) not in checkpoint.FAST:
        model = replace(model, identity={**model.identity, "family": family})
    return model if adapter is None else _adapted(model, adapter)


def _adapted(model: Model, adapter: Path) -> Model:
    """The model with an adapter, whose digest is in the name too: reports tell judges apart by name and the model's digest."""
    name = adapter.resolve().name
    described = {"name": name, "digest": models.digest(adapter)}
    both = f"{model.name} + {name}@{described['digest'][:12]}"
    return replace(
        model, name=both, adapter=str(adapter.resolve()), identity={**model.identity, "name": both, "adapter": described}
    )


def _facts(edits: Edits) -> EditsFacts:
    manifest = edits.manifest
    return EditsFacts(digest=manifest.digest, benchmark=manifest.benchmark, model=manifest.model)


def score_identity(
    edits: Edits, anchors: Edits | None, model: Model, chosen: Rubric, settings: ScoreSettings, **more: Any
) -> dict[str, Any]:
    """What fixes the scores. `more`: further JSON values that they depend on."""
    return identity.make(
        "score",
        edits=_facts(edits).to_dict(),
        anchors=_facts(anchors).to_dict() if anchors else None,
        model=model.identity,
        rubric={**chosen.identity(), "text": chosen.text},
        settings=settings.to_dict(),
        **more,
    )


def checked_rubric(name: str | None, settings: ScoreSettings, edits: Edits, anchors: Edits | None = None) -> Rubric:
    """The rubric, which takes these samples and has the language asked for. Raises UserError.

    None: that of the benchmark's own protocol, else `five`.
    """
    if name is None and edits.manifest.rubric:
        console.say(f"rubric {edits.manifest.rubric}, the protocol of {edits.manifest.benchmark.name}")
    name = name or edits.manifest.rubric or DEFAULT_RUBRIC
    chosen = rubric.load(name)
    chosen.check_readout(settings.readout)
    chosen.check_samples(entry.sample for entry in (*edits.entries, *(anchors.entries if anchors else ())))
    if settings.language is not None and settings.language not in chosen.languages:
        known = ", ".join(chosen.languages)
        raise UserError(f"rubric {chosen.name} has no language {settings.language}", f"It has: {known}.")
    return chosen
