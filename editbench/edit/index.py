"""model_index.json: what a diffusers checkpoint says it is, before any of its weights are on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from editbench import files
from editbench.edit import pipeline_class, pipelines, size
from editbench.edit.pipeline_class import PipelineClass
from editbench.errors import UserError
from editbench.foreign_paths import PipelinePaths
from editbench.models import Model
from editbench.paths import is_file_name

_REMEDY = "Download the model again."
_FOREIGN = "Choose a model of a class that diffusers has, or write an editor and pass package.module:Class."


@dataclass(frozen=True, slots=True)
class Index:
    """`components`: (library, class) of each part that has a folder of its own; parts that the checkpoint goes without are left
    out. `values`: the settings of the pipeline beside them, such as `is_distilled`."""

    folder: Path
    class_name: str
    components: Mapping[str, tuple[str, str]]
    values: Mapping[str, Any]

    def class_of(self, component: str) -> str:
        """The class of a component; "" where there is none."""
        return self.components.get(component, ("", ""))[1]

    def check(self) -> PipelineClass:
        """The pipeline's class, which is one that edits pictures and for which all components are there.

        Raises:
            UserError: an unknown class, one that edits no pictures by a prompt, a package that it needs and lacks, or
                missing components.
        """
        kind = pipeline_class.read(self.class_name)
        if reason := pipelines.refusal(kind):
            raise UserError(f"{self.folder} is a {kind.name}, which {reason}: not an edit pipeline", "Choose an edit model.")
        package = pipelines.PACKAGES.get(kind.name)
        if package and find_spec(package) is None:
            raise UserError(f"{kind.name} needs the package {package}", f"pip install {package}")
        if missing := kind.lacks({*self.components}):
            path = PipelinePaths(self.folder).index
            raise UserError(f"{path} has no {', '.join(missing)}, which a {kind.name} needs", _REMEDY)
        return kind


def load(folder: Path) -> Index:
    """Raises UserError where there is none, a broken one, or one of a class whose code comes with the checkpoint."""
    path = PipelinePaths(folder).index
    if not path.is_file():
        raise UserError(f"{folder} is not a diffusers pipeline: it has no {path.name}", "Name the folder that holds that file.")
    values = files.parse(files.read(path, _REMEDY), str(path), _REMEDY)
    name = values.get("_class_name")
    if isinstance(name, list):
        raise UserError(f"{path} names a class whose code comes with the checkpoint, and is not run", _FOREIGN)
    components = {key: (value[0], value[1]) for key, value in values.items() if _is_component(value)}
    if not isinstance(name, str) or not all(map(is_file_name, components)):
        raise UserError(f"{path} names no pipeline class, or a component that is no folder's name", _REMEDY)
    return Index(folder, name, components, {key: value for key, value in values.items() if key not in components})


def multiple(model: Model) -> int:
    """What widths and heights of the model's pictures are multiples of."""
    if not model.is_checkpoint:
        return size.MULTIPLE
    return pipelines.MULTIPLES.get(load(Path(model.location)).class_name, size.MULTIPLE)


def _is_component(value: object) -> bool:
    """[library, class]; it is [null, null] where the pipeline goes without it, and other lists are settings."""
    return isinstance(value, list) and len(value) == 2 and all(isinstance(each, str) for each in value)
