"""The work of `editbench edit` in one rank: decode a source, edit it, spool the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from editbench import images, records
from editbench.benchmarks.benchmark import Benchmark
from editbench.edit import editor, editors, sanity, several, size
from editbench.edit.index import multiple
from editbench.edit.seed import seed_of
from editbench.edit.settings import EditSettings
from editbench.edit.spool import Spool
from editbench.fleet.status import Event
from editbench.fleet.worker import Pulse, Worker
from editbench.models import Kind, Model
from editbench.paths import EDITED, MASK, RECORD, REFERENCE, SOURCE, EditPaths
from editbench.records import Failure


@dataclass(frozen=True, slots=True)
class Edited:
    picture: editor.Result
    request: editor.Request


class EditWorker(Worker):
    """`plan`: indices of the samples to edit, in the order they are handed out."""

    _editor: editor.Editor
    """From `load` on."""

    def __init__(
        self,
        *,
        benchmark: str,
        out: str,
        model: dict[str, Any],
        settings: dict[str, Any],
        plan: list[int],
    ) -> None:
        self._settings = EditSettings.from_dict(settings)
        self._benchmark = Benchmark.open(Path(benchmark), verify=False).select(self._settings.categories, self._settings.limit)
        self._model = Model(**{**model, "kind": Kind(model["kind"])})
        self._plan = plan
        self._spool = Spool(EditPaths(Path(out)), [sample.key for sample in self._benchmark.samples], self._settings.shard_size)
        self._size = size.parse(self._settings.size, multiple(self._model))
        self._in_shard = Counter(self._spool.shard_of(index) for index in plan)

    def __len__(self) -> int:
        return len(self._plan)

    def name(self, item: int) -> str:
        return self._benchmark.samples[self._plan[item]].key

    def keys(self, item: int) -> Sequence[str]:
        return [self.name(item)]

    def done(self, item: int) -> bool:
        return self._spool.has(self._plan[item])

    def load(self, device: str) -> list[str]:
        self._editor = editors.load(self._model, device, self._settings)
        ignored = self._editor.ignored
        return [f"{self._model.name} does not know and so ignored: {', '.join(ignored)}"] if ignored else []

    def kernels(self) -> dict[str, str]:
        return {**getattr(self._editor, "kernels", {})}

    def prepare(self, item: int) -> editor.Request:
        index = self._plan[item]
        stored, sample = self._benchmark.stored[index], self._benchmark.samples[index]
        names = several.inputs(stored, self._settings)
        pictures = [images.decode(stored.read(name), f"{stored.shard.name}: {sample.key}.{name}") for name in names]
        return editor.Request(
            images=pictures,
            instruction=sample.instruction,
            seed=seed_of(self._settings.seed, sample.key),
            size=self._size(pictures[0].size),
        )

    def compute(self, item: int, prepared: editor.Request, pulse: Pulse) -> Edited:  # noqa: ARG002
        def step(done: int, steps: int) -> None:
            pulse.step(done, steps)
            if done >= steps:  # the VAE still has to decode: time enough to read the next source
                pulse.ahead()

        result = self._editor.edit(prepared, step)
        if not all(result.image.size):
            raise ValueError("the editor returned a picture without pixels")
        return Edited(result, prepared)

    def store(self, item: int, result: Edited, seconds: float) -> list[Event]:
        index = self._plan[item]
        stored, sample = self._benchmark.stored[index], self._benchmark.samples[index]
        kept = {name: stored.read(name) for kind in (SOURCE, REFERENCE, MASK) for name in stored.images(kind)}
        edit = self._describe(result)
        record = {**stored.record(), "edit": edit}
        self._spool.put(sample.key, {**kept, EDITED: images.encode_png(result.picture.image), RECORD: orjson.dumps(record)})
        # A control is identical to its source by design: no news for the panel.
        note = f"flags: {', '.join(edit['flags'])}" if edit["flags"] and self._model.kind != Kind.CONTROL else ""
        return [Event(sample.key, sample.category, records.OK, round(seconds, 3), note=note)]

    def fail(self, item: int, reason: str, error: str, tries: int) -> list[Event]:
        index = self._plan[item]
        sample = self._benchmark.samples[index]
        earlier = {failure.key: failure.attempts for failure in self._spool.failures()}
        attempts = earlier.get(sample.key, 0) + tries
        self._spool.put_failure(Failure.of(sample, index=index, reason=reason, error=error, attempts=attempts))
        return [Event(sample.key, sample.category, records.EDIT_FAILED, note=f"{reason}: {error}")]

    def finished(self, item: int, count: Callable[[int], int]) -> None:
        shard = self._spool.shard_of(self._plan[item])
        if count(shard) == self._in_shard[shard] and self._spool.complete(shard):
            self._spool.seal(shard)

    def _describe(self, result: Edited) -> dict[str, Any]:
        """What of this edit is a function of the benchmark, the model and the settings."""
        request, image = result.request, result.picture.image
        return {
            "model": self._model.name,
            "seed": request.seed,
            "steps": self._settings.steps if result.picture.steps is None else result.picture.steps,
            "cfg": self._settings.cfg,
            "asked_size": None if request.size is None else list(request.size),
            "size": list(image.size),
            "flags": sanity.flags(
                image,
                request.images[0],
                None if self._model.kind == Kind.CONTROL else request.size,
                nan=not result.picture.finite,
                like_source=size.keeps_shape(self._settings.size),
            ),
        }
