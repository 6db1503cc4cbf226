"""Whether a benchmark and a model fit onto this machine: disk and memory, from their files alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from rich.filesize import decimal

from editbench import models
from editbench.benchmarks.benchmark import Benchmark
from editbench.doctor.accelerators import Device
from editbench.doctor.check import FAULT, MODEL_STAGES, NOTE, STAGES, Check
from editbench.edit import cost, model_index
from editbench.edit.editors import CONTROLS
from editbench.edit.settings import EditSettings
from editbench.errors import UserError
from editbench.foreign_paths import PipelinePaths
from editbench.models import Kind, Model
from editbench.score.checkpoint import DOWNLOAD, check_local


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
    yield Check(what="benchmark", here=f"{opened.name}, {len(opened.samples):,} samples", stages=("edit",))
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
        stages = _stages(folder) if folder else MODEL_STAGES
        weights = _in_folder(folder) if folder else _on_hub(resolved)
    except UserError as error:
        yield Check(what="model", here=str(error), state=FAULT, remedy=f"{name}: {error.remedy}")
        return
    yield Check(what="model", here=f"{resolved.name}, {decimal(weights.stored)} of weights", stages=stages)
    if weights.missing:
        yield _download(weights, stages)
    yield _memory(weights.stored, devices, stages)


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
    """Raises UserError where the hub does not answer."""
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError

    revision = resolved.identity["revision"]
    try:
        siblings = HfApi().model_info(resolved.name, revision=revision, files_metadata=True, timeout=10).siblings or []
    except HfHubHTTPError.__bases__ as error:  # OSError, and what its HTTP client raises
        message = f"{resolved.name} is not whole in the cache, and the hub does not answer: {error}"
        raise UserError(message, "Mend the connection, or name a local folder.") from None
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
    """Of the weights alone: what a sample takes beside them depends on its size. On a CPU they become float32, twice as wide
    as published ones are."""
    sized = [device for device in devices if device.memory is not None]
    if sized:
        smallest = min(sized, key=lambda device: device.memory or 0)
        needed, whole, free, where = stored, smallest.memory or 0, smallest.free or 0, smallest.name
    elif devices:
        return Check(what="memory for the model", here="the driver does not tell how much there is", stages=stages)
    else:
        whole, free = memory()
        needed, where = 2 * stored, "main memory"
    here = f"weights of {decimal(needed)}, {where} has {decimal(whole)}, {decimal(free)} free"
    check = Check(what="memory for the model", here=here, stages=stages).but_if(
        needed > free, f"End what else is using {where}.", NOTE
    )
    return check.but_if(
        needed > whole, f"The model does not fit into {where}: use a smaller one, or a device with more memory."
    )


def memory() -> tuple[int, int]:
    """Bytes of main memory: all of it, and what programs can have without swapping."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        lines = (line.split() for line in Path("/proc/meminfo").read_text("ascii").splitlines())
        available = {name: int(value) * 1024 for name, value, *_ in lines}.get("MemAvailable:", whole)
    except OSError:  # not Linux
        return whole, whole
    return whole, available
