"""Whether a benchmark and a model fit onto this machine: disk and memory, from their files alone."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from rich.filesize import decimal

from editbench import models
from editbench.benchmarks.benchmark import Benchmark
from editbench.doctor.accelerators import Device
from editbench.doctor.check import FAULT, MODEL_STAGES, NOTE, STAGES, Check
from editbench.edit import cost, lora, memory, model_index
from editbench.edit.editors import CONTROLS
from editbench.edit.memory import Pipeline
from editbench.edit.settings import EditSettings
from editbench.errors import UserError
from editbench.fleet.devices import main_memory
from editbench.foreign_paths import PipelinePaths
from editbench.models import Kind, Model
from editbench.score.checkpoint import DOWNLOAD, check_local
from editbench.wording import counted

MEMORY = "memory for the model"


class Weights(NamedTuple):
    """Bytes of a model's weights, as they lie on disk, and how many of them are not on this machine yet."""

    stored: int
    missing: int = 0


def disk(root: Path, benchmark: Path | None) -> Iterator[Check]:
    """Room for the edits of a benchmark in the folder `root`."""
    free = shutil.disk_usage(root).free
    here = f"{decimal(free)} free in {root}"
    if benchmark is None:
        yield Check(what="disk", here=here, stages=STAGES)
        return
    try:
        opened = Benchmark.open(benchmark, verify=False)
    except UserError as error:
        yield Check(what="benchmark", here=str(error), state=FAULT, stages=("edit",), remedy=f"{benchmark}: {error.remedy}")
        return
    needed = cost.disk_bytes(opened, range(len(opened.samples)), EditSettings())
    yield Check(what="benchmark", here=f"{opened.name}, {counted(len(opened.samples), 'sample')}", stages=("edit",))
    remedy = f"Make room in {root}, put --out elsewhere, or edit fewer samples with --limit."
    takes = f"about {decimal(needed)} of {here}"
    yield Check(what="disk for its edits", here=takes, stages=("edit",)).but_if(needed > free, remedy)


def model(name: str, devices: Sequence[Device]) -> Iterator[Check]:
    """Whether the model is complete, or can be downloaded, and whether its weights fit into memory."""
    try:
        resolved = models.resolve(name, controls=CONTROLS)
        if resolved.kind in (Kind.CONTROL, Kind.CLASS):
            yield Check(what="model", here=f"{name}: no weights that could be measured")
            return
        folder = _folder(resolved)
        if (folder is None or resolved.kind == Kind.FOLDER) and (advice := lora.advice(resolved)):
            raise advice
        stages = _stages(folder) if folder else MODEL_STAGES
        weights = _in_folder(folder) if folder else _on_hub(resolved)
    except UserError as error:
        yield Check(what="model", here=str(error), state=FAULT, remedy=f"{name}: {error.remedy}")
        return
    yield Check(what="model", here=f"{resolved.name}, {decimal(weights.stored)} of weights", stages=stages)
    if weights.missing:
        yield _download(weights, stages)
    pipeline = memory.known(replace(resolved, location=str(folder or resolved.location)))
    yield _peak(pipeline, devices, stages) if pipeline else _memory(weights.stored, devices, stages)


def _folder(resolved: Model) -> Path | None:
    """Where the model lies; None where it is to be downloaded, whole or in part."""
    if resolved.kind == Kind.FOLDER:
        return Path(resolved.location)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    wanted = {"revision": resolved.identity["revision"], "allow_patterns": [*models.FEW]}
    try:
        folder = Path(snapshot_download(resolved.name, local_files_only=True, **wanted))
        _stages(folder)
    except (LocalEntryNotFoundError, UserError):
        return None
    return folder


def _stages(folder: Path) -> tuple[str, ...]:
    """What the model is for. Raises UserError for one that is not complete, or is neither an editor nor a judge."""
    if PipelinePaths(folder).index.is_file():
        model_index.check_whole(folder)
        return ("edit",)
    check_local(folder)
    return ("score",)


def _in_folder(folder: Path) -> Weights:
    sizes = [path.stat().st_size for path in folder.rglob("*.safetensors")]
    return Weights(sum(sizes or [path.stat().st_size for path in folder.rglob("*.bin")]))


def _on_hub(resolved: Model) -> Weights:
    """Raises UserError where the hub does not answer, or would not give the model's files."""
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError

    revision = resolved.identity["revision"]
    try:
        info = HfApi().model_info(resolved.name, revision=revision, files_metadata=True, timeout=10)
        if info.gated:
            HfApi().auth_check(resolved.name)
    except GatedRepoError:
        raise models.gated(resolved.name) from None
    except HfHubHTTPError.__bases__ as error:  # OSError, and what its HTTP client raises
        message = f"{resolved.name} is not whole in the cache, and the hub does not answer: {error}"
        raise UserError(message, "Mend the connection, or name a local folder.") from None
    siblings = info.siblings or []
    sizes = {file.rfilename: file.size or 0 for file in siblings if file.rfilename.endswith(".safetensors")}
    sizes = {name: size for name, size in sizes.items() if not any(fnmatch(name, left) for left in model_index.DOWNLOAD_NOT)}
    if any(file.rfilename == PipelinePaths(Path()).index.name for file in siblings):
        sizes = {name: size for name, size in sizes.items() if "/" in name}
    else:
        sizes = {name: size for name, size in sizes.items() if any(fnmatch(name, wanted) for wanted in DOWNLOAD)}
    absent = [name for name in sizes if not isinstance(try_to_load_from_cache(resolved.name, name, revision=revision), str)]
    return Weights(sum(sizes.values()), sum(sizes[name] for name in absent))


def _download(weights: Weights, stages: tuple[str, ...]) -> Check:
    from huggingface_hub.constants import HF_HUB_CACHE

    root = next(path for path in (Path(HF_HUB_CACHE), *Path(HF_HUB_CACHE).parents) if path.exists())
    free = shutil.disk_usage(root).free
    here = f"{decimal(weights.missing)} to download, {decimal(free)} free in {HF_HUB_CACHE}"
    remedy = "The download does not fit: make room, or let HF_HUB_CACHE name another folder."
    return Check(what="disk for the model", here=here, stages=stages).but_if(weights.missing > free, remedy)


def _memory(stored: int, devices: Sequence[Device], stages: tuple[str, ...]) -> Check:
    """Of a judge, the weights alone: what a sample takes beside them depends on its size. On a CPU they become float32, twice
    as wide as published ones are."""
    if (device := _smallest(devices)) is None:
        return _untold(stages)
    needed, whole, free = 2 * stored if device.kind == "cpu" else stored, device.memory or 0, device.free or 0
    here = f"weights of {decimal(needed)}, {device.name} has {decimal(whole)}, {decimal(free)} free"
    check = Check(what=MEMORY, here=here, stages=stages)
    if needed > whole:
        remedy = f"The model does not fit into {device.name}: use a smaller one, or a device with more memory."
        return replace(check, state=FAULT, remedy=remedy)
    return _beside_others(check, needed, device)


def _peak(pipeline: Pipeline, devices: Sequence[Device], stages: tuple[str, ...]) -> Check:
    """Of an editor: what it takes at its peak, with the settings that are used unless others are asked for."""
    if (device := _smallest(devices)) is None:
        return _untold(stages)
    work, setting = memory.work_of(EditSettings(), device.kind), memory.Setting()
    there = memory.Room(device.kind, device.name, device.memory or 0, main_memory()[0] // max(1, len(devices)))
    check = Check(what=MEMORY, here=memory.fit(pipeline, there, setting, work).text, stages=stages)
    if there.holds(pipeline, setting, work):
        return _beside_others(check, pipeline.peak(setting, work), device)
    if fitting := memory.proposal(pipeline, there, work):
        return replace(check, state=NOTE, remedy=f"The model does not fit into {device.name} as it is: edit with {fitting[0]}.")
    remedy = f"The model does not fit into {device.name}: use a smaller one, or a device with more memory."
    return replace(check, state=FAULT, remedy=remedy)


def _beside_others(check: Check, needed: int, device: Device) -> Check:
    fits = needed <= (device.free or 0)
    return check if fits else replace(check, state=NOTE, remedy=f"End what else is using {device.name}.")


def _smallest(devices: Sequence[Device]) -> Device | None:
    """The device with the least memory, main memory where there is no device; None where the driver does not tell."""
    if not devices:
        return Device("cpu", "main memory", *main_memory())
    sized = [device for device in devices if device.memory is not None]
    return min(sized, key=lambda device: device.memory or 0) if sized else None


def _untold(stages: tuple[str, ...]) -> Check:
    return Check(what=MEMORY, here="the driver does not tell how much there is", stages=stages)
