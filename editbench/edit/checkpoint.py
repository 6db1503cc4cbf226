"""A diffusers checkpoint on disk, looked at without importing diffusers."""

from __future__ import annotations

from pathlib import Path

import orjson

from editbench.errors import UserError
from editbench.models import check_weights
from editbench.paths import CheckpointPaths, PipelinePaths

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
    try:
        index = orjson.loads(path.read_bytes())
        components = [name for name, value in index.items() if isinstance(value, list) and value[0] is not None]
        name = index["_class_name"]
    except (orjson.JSONDecodeError, AttributeError, KeyError, IndexError) as error:
        raise UserError(f"{path} is broken: {error!r}", "Download the model again.") from None
    for component in components:
        if not (folder / component).is_dir():
            raise UserError(f"{folder} lacks the component {component}, which {path.name} names", "Download the model again.")
        if CheckpointPaths(
            folder / component
        ).config.is_file():  # schedulers, tokenizers and processors have none, and no weights
            check_weights(folder / component)
    return name
