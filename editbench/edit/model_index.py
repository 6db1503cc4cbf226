"""A diffusers checkpoint on disk, looked at without importing diffusers."""

from __future__ import annotations

from pathlib import Path

from editbench import models
from editbench.edit import index
from editbench.errors import UserError
from editbench.foreign_paths import CheckpointPaths, PipelinePaths
from editbench.models import Kind, Model, check_weights

# What a pipeline needs of a hub repository: top-level files hold no weights of a diffusers pipeline, subfolders do.
DOWNLOAD = ("*.json", "*.txt", "*.jinja", "*/*")
CONFIGS = (PipelinePaths(Path()).index.name, f"*/{CheckpointPaths(Path()).config.name}")
"""What of it says what the pipeline is."""
DOWNLOAD_NOT = ("*.bin", "*.msgpack", "*.onnx", "*.onnx_data", "*.gguf", "*.fp16.*")


def check_whole(folder: Path) -> None:
    """Make sure that a checkpoint is one of a pipeline that edits pictures, and that all its files are there.

    Raises:
        UserError: as `index.load` and `Index.check`; a component's folder or its weights are missing. Names the folder.
    """
    checkpoint = index.load(folder)
    checkpoint.check()
    for component, (library, _) in checkpoint.components.items():
        if (folder / component / f"{library}.py").is_file():
            remedy = (
                "Choose a checkpoint of diffusers' and transformers' own classes, or pass an editor as package.module:Class."
            )
            raise UserError(f"the code of {folder / component} comes with the checkpoint, and is not run", remedy)
        if not (folder / component).is_dir():
            name = PipelinePaths(folder).index.name
            raise UserError(f"{folder} lacks the component {component}, which {name} names", "Download the model again.")
        if CheckpointPaths(
            folder / component
        ).config.is_file():  # schedulers, tokenizers and processors have none, and no weights
            check_weights(folder / component)


def fetch(model: Model, *, weights: bool) -> Model:
    """The pipeline on this machine. Of a hub id a few kilobytes of settings come first, and so decide whether `weights` do.

    Raises:
        UserError: as `check_whole`, of a hub id without its weights as `index.load` and `Index.check`; the download failed, or
            there are only pickled weights.
    """
    settings = models.fetch(model, CONFIGS)
    if model.kind == Kind.HUB:
        checkpoint = index.load(Path(settings.location))
        checkpoint.check()
        models.check_safetensors(settings, [*checkpoint.components])
        if not weights:
            return settings
    whole = models.fetch(model, DOWNLOAD, DOWNLOAD_NOT)
    check_whole(Path(whole.location))
    return whole
