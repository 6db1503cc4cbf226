"""A diffusers checkpoint on disk, looked at without importing diffusers."""

from __future__ import annotations

from pathlib import Path

from editbench import files
from editbench.errors import UserError
from editbench.foreign_paths import CheckpointPaths, PipelinePaths
from editbench.models import check_weights

# What a pipeline needs of a hub repository: top-level files hold no weights of a diffusers pipeline, subfolders do.
DOWNLOAD = ("*.json", "*.txt", "*.jinja", "*/*")
DOWNLOAD_NOT = ("*.bin", "*.msgpack", "*.onnx", "*.onnx_data", "*.gguf", "*.fp16.*")


def pipeline_class(folder: Path) -> str:
    """Name of the pipeline class of a checkpoint whose files are all there.

    Raises:
        UserError: no model_index.json, a component's folder or its weights are missing. Names the folder.
    """
    path = PipelinePaths(folder).index
    if not path.is_file():
        raise UserError(f"{folder} is not a diffusers pipeline: it has no {path.name}", "Name the folder that holds that file.")
    remedy = "Download the model again."
    index = files.parse(files.read(path, remedy), str(path), remedy)
    name = index.get("_class_name")
    # A component is [library, class], or [null, null] where the pipeline goes without it.
    pairs = {key: value for key, value in index.items() if isinstance(value, list) and len(value) == 2}
    components = [key for key, (library, _) in pairs.items() if isinstance(library, str)]
    if not isinstance(name, str) or any(not component or Path(component).name != component for component in components):
        raise UserError(f"{path} names no pipeline class, or a component that is no folder's name", remedy)
    for component in components:
        if not (folder / component).is_dir():
            raise UserError(f"{folder} lacks the component {component}, which {path.name} names", "Download the model again.")
        if CheckpointPaths(
            folder / component
        ).config.is_file():  # schedulers, tokenizers and processors have none, and no weights
            check_weights(folder / component)
    return name
