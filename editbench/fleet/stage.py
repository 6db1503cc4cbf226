"""The one life of a stage: check, dry run, take the folder, resume, run, finish, summarise.

`edit` and `score` each subclass `Stage`, which says what there is to do and what is left behind; `run` does it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from editbench import console, remote, run_folder
from editbench.errors import Incomplete
from editbench.fleet import forecast
from editbench.fleet.devices import Devices
from editbench.fleet.run_options import RunOptions
from editbench.manifests import EditManifest, ScoreManifest
from editbench.models import Model
from editbench.paths import RunPaths

Manifest = TypeVar("Manifest", EditManifest, ScoreManifest)


@dataclass(frozen=True, kw_only=True)
class Stage(ABC, Generic[Manifest]):
    """What was checked and settled before anything is written. Work is cut into items, of one or more samples each."""

    name: ClassVar[str]

    paths: RunPaths
    model: Model
    devices: Devices
    options: RunOptions
    identity: dict[str, Any]
    """What fixes the results; see `editbench.identity`."""

    @property
    @abstractmethod
    def item_count(self) -> int:
        """Items of a run that starts from nothing."""

    @abstractmethod
    def sample_count(self, items: Sequence[int]) -> int:
        """How many samples these items are, those of the audit and the anchors included."""

    @abstractmethod
    def pending(self) -> list[int]:
        """The items that are neither done nor failed, in the order in which they are handed out."""

    @abstractmethod
    def finished(self) -> Manifest | None:
        """The manifest; None where no run has finished. Raises UserError for one that can't be believed."""

    @abstractmethod
    def unfinished(self, manifest: Manifest) -> list[int] | None:
        """The items that a finished run is to do again: what was lost, and failures if there are more than allowed. None where
        the run may stand as it is."""

    @abstractmethod
    def reopen(self, manifest: Manifest) -> None:
        """Take a finished run back to where only what is `unfinished` is to do."""

    @abstractmethod
    def begin(self) -> list[int]:
        """Make the folder ready for ranks; returns the items that are to do."""

    @abstractmethod
    def work(self) -> None:
        """Do what is pending. Raises Interrupted, StageError."""

    @abstractmethod
    def join(self) -> None:
        """Do this node's part of what the head node has planned and will finish. Raises as `work` does."""

    @abstractmethod
    def finish(self) -> Manifest:
        """Put the results together, write the manifest, and only then remove what they were made of."""

    @abstractmethod
    def clear(self) -> None:
        """Remove what a run leaves behind that is killed right after its manifest was written."""

    @abstractmethod
    def shortfall(self, manifest: Manifest) -> Incomplete | None:
        """The error that a run ends with in which more samples failed than allowed."""

    @abstractmethod
    def describe(self, items: Sequence[int]) -> Iterable[tuple[str, object]]:
        """The rows of the dry run's table, with these items to do."""

    @abstractmethod
    def model_calls(self, items: Sequence[int]) -> str:
        """How often these items call the model, for people."""

    @abstractmethod
    def disk_use(self, items: Sequence[int]) -> str:
        """About what the results of these items take on disk, for people."""

    @abstractmethod
    def summary(self, manifest: Manifest) -> Iterable[str]:
        """The lines that tell what a finished run has come to."""

    def scores(self) -> dict[str, list[float]]:
        """[n, sum] by category of the scores from before, for the panel."""
        return {}

    @property
    def scale(self) -> list[float] | None:
        """Lowest and highest score, for the panel."""
        return None

    def environment(self) -> dict[str, Any]:
        """What environment.json says besides versions, devices and command."""
        return {}

    @property
    def title(self) -> str:
        return f"{self.name} {self.model.name}"

    @property
    def total(self) -> int:
        """Samples of the whole run."""
        return self.sample_count(range(self.item_count))

    @property
    def allowed_failures(self) -> int:
        return self.options.allowed_failures(self.total)

    def owed(self) -> list[int]:
        """The items that a run would do now. Touches nothing."""
        if self.options.fresh or not self.paths.root.exists():
            return [*range(self.item_count)]
        manifest = self.finished()
        return self.pending() if manifest is None else self.unfinished(manifest) or []


def run(stage: Stage[Manifest]) -> None:
    """Do what is left to do in the stage's folder.

    Raises:
        UserError: a folder of another run, or one that can't be written.
        Incomplete: more samples failed than allowed.
        Interrupted, StageError: see `attempts.drive`, where the stage runs on the fleet.
    """
    options = stage.options
    if options.dry_run:
        remote.pull(stage.paths.root, finished=False)
        run_folder.check(stage.paths, stage.identity, fresh=options.fresh)
        _explain(stage)
        return
    if not options.nodes.head:
        run_folder.await_head(stage.paths, stage.identity)
        if not _complete(stage):
            stage.join()
        return
    fresh, root = options.fresh, stage.paths.root
    with remote.pushing(root, fresh=fresh) as reopen_remote, run_folder.taken(stage.paths, stage.identity, fresh=fresh):
        if manifest := _complete(stage):
            stage.clear()
        else:
            manifest = _work(stage, reopen_remote)
    for line in stage.summary(manifest):
        console.say(line)
    if error := stage.shortfall(manifest):
        raise error


def _complete(stage: Stage[Manifest]) -> Manifest | None:
    """The manifest of a run that has finished and may stand as it is."""
    manifest = stage.finished()
    if manifest is None or stage.unfinished(manifest) is not None:
        return None
    console.say(f"{stage.paths.root} is complete; nothing to do")
    return manifest


def _work(stage: Stage[Manifest], reopen_remote: Callable[[], None]) -> Manifest:
    if manifest := stage.finished():
        reopen_remote()
        stage.reopen(manifest)
    if stage.begin():
        stage.work()
    return stage.finish()


def _explain(stage: Stage[Manifest]) -> None:
    items: list[int] = stage.owed()
    rows = [*stage.describe(items), ("out", stage.paths.root)]
    rows += [
        ("model calls", stage.model_calls(items)),
        ("seconds, about", _seconds(stage, items)),
        ("bytes on disk, about", stage.disk_use(items)),
    ]
    console.show(console.escaped_table((f"{stage.name}, dry run", ""), rows))


def _seconds(stage: Stage[Manifest], items: Sequence[int]) -> str:
    """What all samples take at the pace of earlier runs, and whose pace that is."""
    if not items:
        return "0"
    pace = forecast.pace(stage.paths, stage.identity, stage.devices)
    if pace is None:
        return "unknown: no earlier run of this model here"
    ranks = stage.devices.count * stage.options.nnodes
    seconds = pace.seconds * stage.sample_count(items) / min(ranks, len(items))
    unlike = f", which had other {', '.join(pace.unlike)}" if pace.unlike else ""
    return f"{seconds:,.0f} ({pace.seconds:.3g} a sample in {pace.folder}{unlike}; ranks: {ranks})"
