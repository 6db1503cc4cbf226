"""How much memory a pipeline takes at its peak, and the first setting with which it fits. All numbers are estimates.

Weights: their number, from the headers of the safetensors files, times the bytes of the type that they are loaded in.

Activations: of the denoiser, `DENOISER` tensors of (tokens, hidden size) at once. Every 16 x 16 pixels of the edit and of each
input, which is taken to be as large, are a token, and there are 1,500 of text. Of the autoencoder, as many tensors of (pixels,
channels of its last layer) as `AUTOENCODER` says. `python tests/benchmarks/activations.py` counts both: it runs the layers of
QwenImage and FLUX at full size on tensors without data. Text encoders work on fewer tokens and are not the peak.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from rich.filesize import decimal

from editbench import files
from editbench.edit import lora, size
from editbench.edit.offload import OFFLOADS
from editbench.edit.quantization import METHODS, is_quantized
from editbench.edit.settings import EditSettings
from editbench.errors import UserError
from editbench.fleet import devices
from editbench.foreign_paths import CheckpointPaths, PipelinePaths
from editbench.models import Kind, Model, hub_info, tensor_shapes

DENOISER = 18
AUTOENCODER = {"base_dim": 18, "block_out_channels": 6}
"""By the name under which an autoencoder's settings have the channels of its last layer."""
WIDTHS = {"float32": 4, "float16": 2, "bfloat16": 2}
"""Bytes of a number; of `auto`, see `fleet.devices`."""
TEXT_TOKENS = 1500
PIXELS_A_TOKEN = 16 * 16
TILE = 256
"""Side of a tile in pixels where the autoencoder's settings have none (`sample_size`)."""
KEPT_FREE = 0.05
"""Share of a device that is left to the driver, the kernels' work space and fragmentation."""
_NOT_LINEAR = ("embed_tokens", "token_embedding", "position_embedding", "shared", "lm_head")
"""Parts of names of two-dimensional weights that are looked up, or that no method quantizes."""
LARGEST = 0.1
"""Share of a model that its largest weight is taken to be where only the size of its files is known."""


@dataclass(frozen=True, slots=True)
class Component:
    """Numbers of weights of one model in a pipeline. `matrices`: those of linear layers, which can be quantized; `others`: the
    rest; `largest`: of its largest layer."""

    name: str
    matrices: int
    others: int
    largest: int

    def size(self, width: int, quantize: str | None) -> float:
        """Bytes of its weights, of `width` bytes each but for what is quantized."""
        of_matrix = METHODS[quantize].bits / 8 if quantize and is_quantized(self.name) else width
        return self.matrices * of_matrix + self.others * width


@dataclass(frozen=True, slots=True)
class Setting:
    """What decides how much memory is taken."""

    offload: str = "none"
    quantize: str | None = None
    vae_tiling: bool = False

    def __str__(self) -> str:
        given = {f"--offload {self.offload}": self.offload != "none", f"--quantize {self.quantize}": self.quantize}
        return " ".join(option for option, is_given in {**given, "--vae-tiling": self.vae_tiling}.items() if is_given)


CANDIDATES = [
    *(Setting(offload) for offload in OFFLOADS[1:]),
    *(Setting(offload, "int8") for offload in OFFLOADS),
    *(Setting(offload, "nf4") for offload in OFFLOADS if offload != "group"),
]
"""In the order in which they are proposed: those that keep the pictures come first."""


@dataclass(frozen=True, slots=True)
class Work:
    """`area`: pixels of an edit; `width`: bytes of a number; `pictures`: inputs of a sample."""

    area: int
    width: int
    pictures: int = 1


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What is known of a pipeline. `hidden`: size of its denoiser's tokens; `channels`: tensors of the autoencoder alive at
    once, times their channels; `tile`: side of a tile in pixels."""

    components: tuple[Component, ...]
    hidden: int
    channels: int
    tile: int

    def weights(self, width: int, quantize: str | None = None) -> int:
        """Bytes of all weights."""
        return math.ceil(sum(component.size(width, quantize) for component in self.components))

    def with_loras(self, numbers: int) -> Pipeline:
        """With LoRAs of so many numbers, none of which is quantized, on its denoiser (or, under another name, its largest)."""
        denoiser = max(self.components, key=lambda each: (each.name == PipelinePaths(Path()).transformer.name, each.matrices))
        larger = replace(denoiser, others=denoiser.others + numbers)
        return replace(self, components=tuple(larger if each is denoiser else each for each in self.components))

    def peak(self, setting: Setting, work: Work) -> int:
        """Bytes on the device."""
        tokens = work.area * (1 + work.pictures) / PIXELS_A_TOKEN + TEXT_TOKENS
        denoising = DENOISER * tokens * self.hidden * work.width
        decoding = self.channels * (min(work.area, self.tile**2) if setting.vae_tiling else work.area) * work.width
        if setting.offload == "none":
            return math.ceil(self.weights(work.width, setting.quantize) + max(denoising, decoding))
        if setting.offload == "group":  # one layer works while the next is on its way
            largest = max(component.largest for component in self.components)
            return math.ceil(2 * work.width * largest + max(denoising, decoding))
        sizes = ((each.size(work.width, setting.quantize), each.name) for each in self.components)
        return math.ceil(max(size + (decoding if name == "vae" else denoising) for size, name in sizes))


@dataclass(frozen=True, slots=True)
class Room:
    """A device with its memory in bytes, and the main memory of the machine for each of its ranks. `kind`: torch's name of its
    type; a CPU has nothing to offload from."""

    kind: str
    device: str
    memory: int
    main: int

    def holds(self, pipeline: Pipeline, setting: Setting, work: Work) -> bool:
        offloaded = pipeline.weights(work.width, setting.quantize) if setting.offload != "none" else 0
        return pipeline.peak(setting, work) <= self.memory * (1 - KEPT_FREE) and offloaded <= self.main


def known(model: Model) -> Pipeline | None:
    """What can be told of a pipeline without loading it: from its files here, else from their sizes on the hub. None where
    there is nothing to tell."""
    folder = Path(model.location)
    components = tuple(_in_folder(folder)) if folder.is_dir() else ()
    if not components and model.kind == Kind.HUB:
        components = tuple(_on_hub(model))
    if not components:
        return None
    denoiser, vae = (_settings(path) for path in (PipelinePaths(folder).transformer, PipelinePaths(folder).vae))
    channels = {name: _first(vae.get(name)) * tensors for name, tensors in AUTOENCODER.items()}
    hidden = _first(denoiser.get("num_attention_heads")) * _first(denoiser.get("attention_head_dim"))
    return Pipeline(components, hidden, max(channels.values()), _first(vae.get("sample_size")) or TILE)


def proposal(pipeline: Pipeline, room: Room, work: Work, *, tiling: bool = False) -> tuple[Setting, int] | None:
    """The first setting that fits, and the bytes that it takes. None where none does."""
    settings = [Setting(each.offload, each.quantize, tiling) for each in CANDIDATES]
    if room.kind == "cpu":
        settings = [setting for setting in settings if (setting.offload, setting.quantize) == ("none", "int8")]
    fitting = (setting for setting in settings if room.holds(pipeline, setting, work))
    return next(((setting, pipeline.peak(setting, work)) for setting in fitting), None)


class Forecast(NamedTuple):
    """`text`: for people, what is taken, what there is, and what would fit if it does not. `fits`: None where that is not
    known."""

    text: str
    fits: bool | None


def fit(pipeline: Pipeline, room: Room, setting: Setting, work: Work) -> Forecast:
    """Whether the setting fits into the room."""
    weights, peak = pipeline.weights(work.width, setting.quantize), pipeline.peak(setting, work)
    takes = f"about {decimal(peak)} at its peak (an estimate; weights: {decimal(weights)})"
    there = f"{room.device} has {decimal(room.memory)}"
    if room.holds(pipeline, setting, work):
        return Forecast(f"{takes}; {there}", fits=True)
    fitting = proposal(pipeline, room, work, tiling=setting.vae_tiling)
    way = f"{fitting[0]} takes about {decimal(fitting[1])}" if fitting else "no setting of it would fit"
    return Forecast(f"{takes}, which does not fit: {there}; {way}", fits=False)


def forecast(model: Model, settings: EditSettings, kind: str, *, ranks: int = 1, pictures: int = 1, loras: int = 0) -> Forecast:
    """What `fit` says of a model with these settings on the devices of the torch type `kind` here, of which `ranks` are used.
    `pictures`: the most inputs that a sample has; `loras`: how many numbers its LoRAs hold. Where edits are as large as their
    sources, a megapixel stands for them."""
    there = devices.device_memory(kind)
    pipeline = known(model)
    if there is None or pipeline is None:
        why = "the driver does not tell how much there is" if there is None else "no weights to measure"
        return Forecast(f"unknown: {why}", fits=None)
    room = Room(kind, *there, main=devices.main_memory()[0] // ranks)
    setting = Setting(settings.offload, settings.quantize, settings.vae_tiling)
    return fit(pipeline.with_loras(loras), room, setting, work_of(settings, kind, pictures))


def work_of(settings: EditSettings, kind: str, pictures: int = 1) -> Work:
    """The work of a run with these settings on devices of the torch type `kind`."""
    width, height = size.parse(settings.size)((1024, 1024)) or (1024, 1024)
    return Work(width * height, WIDTHS.get(settings.dtype, 4 if kind == "cpu" else 2), pictures)


@contextmanager
def explained(folder: Path, settings: EditSettings, device: str) -> Iterator[None]:
    """Around loading: that the device has too little memory becomes a UserError that says what would fit."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError:
        model = Model(Kind.FOLDER, folder.name, str(folder), {})
        expected = forecast(model, settings, device.partition(":")[0], loras=sum(map(lora.count_of, settings.lora)))
        remedy = "Choose a setting that fits, or end what else is using the device."
        raise UserError(f"{device} ran out of memory while the model was loaded: it takes {expected.text}", remedy) from None


def _in_folder(folder: Path) -> Iterator[Component]:
    for path in sorted(path for path in folder.iterdir() if path.is_dir()):
        shapes: dict[str, list[int]] = {}
        for file in CheckpointPaths(path).weights():
            shapes |= tensor_shapes(file, "Download the model again.")
        if shapes:
            yield _component(path.name, shapes)


def _component(name: str, shapes: dict[str, list[int]]) -> Component:
    sizes = {weight: math.prod(shape) for weight, shape in shapes.items()}
    linear = {
        weight
        for weight, shape in shapes.items()
        if len(shape) == 2 and weight.endswith(".weight") and not any(part in weight for part in _NOT_LINEAR)
    }
    matrices = sum(sizes[weight] for weight in linear)
    return Component(name, matrices, sum(sizes.values()) - matrices, max(sizes.values()))


def _on_hub(model: Model) -> Iterator[Component]:
    """By the sizes of files alone: as if all weights were of matrices, and of two bytes each, as they are published."""
    info = hub_info(replace(model, name=model.name.partition(lora.JOIN)[0]), files_metadata=True)
    stored: dict[str, int] = {}
    for file in (info and info.siblings) or ():
        folder, _, name = file.rfilename.partition("/")
        if name.endswith(".safetensors") and "/" not in name and ".fp16." not in name and file.size:
            stored[folder] = stored.get(folder, 0) + file.size
    for folder, total in stored.items():
        yield Component(folder, total // 2, 0, round(LARGEST * total / 2))


def _settings(component: Path) -> dict[str, Any]:
    path = CheckpointPaths(component).config
    return files.parse(files.read(path), str(path)) if path.is_file() else {}


def _first(value: Any) -> int:
    """A number of a model's settings, the first where there is one a block; 0 where there is none."""
    first = value[0] if isinstance(value, list) and value else value
    return first if isinstance(first, int) else 0
