"""A diffusers checkpoint on disk, looked at without importing diffusers."""

from __future__ import annotations

from pathlib import Path

from editbench import files, models
from editbench.errors import UserError
from editbench.foreign_paths import CheckpointPaths, PipelinePaths
from editbench.models import Kind, Model, check_weights

# What a pipeline needs of a hub repository: top-level files hold no weights of a diffusers pipeline, subfolders do.
DOWNLOAD = ("*.json", "*.txt", "*.jinja", "*/*")
CONFIGS = (PipelinePaths(Path()).index.name, f"*/{CheckpointPaths(Path()).config.name}")
"""What of it says what the pipeline is."""
DOWNLOAD_NOT = ("*.bin", "*.msgpack", "*.onnx", "*.onnx_data", "*.gguf", "*.fp16.*")


def pipeline_class(folder: Path) -> str:
    """Name of the pipeline class, from model_index.json alone.

    Raises:
        UserError: no or a broken model_index.json.
    """
    return _index(folder)[0]


def components(folder: Path) -> list[str]:
    """Folders of the parts that the pipeline is put together from, in the order of model_index.json.

    Raises:
        UserError: as `pipeline_class`.
    """
    return _index(folder)[1]


def check_whole(folder: Path) -> None:
    """Make sure that all files of a checkpoint are there.

    Raises:
        UserError: as `pipeline_class`; a component's folder or its weights are missing. Names the folder.
    """
    for component in components(folder):
        if not (folder / component).is_dir():
            index = PipelinePaths(folder).index.name
            raise UserError(f"{folder} lacks the component {component}, which {index} names", "Download the model again.")
        if CheckpointPaths(
            folder / component
        ).config.is_file():  # schedulers, tokenizers and processors have none, and no weights
            check_weights(folder / component)


def fetch(model: Model, *, weights: bool) -> Model:
    """The pipeline on this machine. Of a hub id a few kilobytes of settings come first, and so decide whether `weights` do.

    Raises:
        UserError: as `check_whole`, of a hub id without its weights as `pipeline_class`; the download failed, or there are only
            pickled weights.
    """
    settings = models.fetch(model, CONFIGS)
    if model.kind == Kind.HUB:
        models.check_safetensors(settings, components(Path(settings.location)))
        if not weights:
            return settings
    whole = models.fetch(model, DOWNLOAD, DOWNLOAD_NOT)
    check_whole(Path(whole.location))
    return whole


def _index(folder: Path) -> tuple[str, list[str]]:
    """Pipeline class and components."""
    path = PipelinePaths(folder).index
    if not path.is_file():
        raise UserError(f"{folder} is not a diffusers pipeline: it has no {path.name}", "Name the folder that holds that file.")
    remedy = "Download the model again."
    index = files.parse(files.read(path, remedy), str(path), remedy)
    name = index.get("_class_name")
    # A component is [library, class], or [null, null] where the pipeline goes without it.
    pairs = {key: value for key, value in index.items() if isinstance(value, list) and len(value) == 2}
    names = [key for key, (library, _) in pairs.items() if isinstance(library, str)]
    if not isinstance(name, str) or any(not component or Path(component).name != component for component in names):
        raise UserError(f"{path} names no pipeline class, or a component that is no folder's name", remedy)
    return name, names
