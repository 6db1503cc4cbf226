"""The scheduler of a pipeline in place of its own: another class of diffusers, or other settings.

--scheduler FlowMatchLCMScheduler     the class, with the settings of the pipeline's own scheduler
--scheduler ./scheduler_config.json   the class and the settings of a file, or of the folder that holds it
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from editbench import files
from editbench.edit import library
from editbench.edit.library import Declared
from editbench.errors import UserError
from editbench.foreign_paths import PipelinePaths, SchedulerPaths

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline

_SCALING = "scale_model_input"
_KIND = "Choose a scheduler of its kind, such as the pipeline's own with other settings."
_REMEDY = "Name a class, such as FlowMatchEulerDiscreteScheduler, or a scheduler_config.json."


def as_text(config: dict[str, Any]) -> str:
    """Settings of a scheduler as `EditSettings.scheduler` has them: JSON, sorted, without what changes nothing."""
    kept = {name: value for name, value in config.items() if name == "_class_name" or not name.startswith("_")}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS).decode()


def settled(text: str) -> str:
    """What `--scheduler` says, without files: the name of a class, or settings as JSON.

    Raises:
        UserError: no text, or settings that are none of a scheduler.
    """
    if not text:
        raise UserError("--scheduler is empty", _REMEDY)
    where, data = "--scheduler", text.encode()
    if not text.startswith("{"):  # as a preset's do
        path = Path(text)
        if path.is_dir():
            path = next(filter(Path.is_file, (SchedulerPaths(at).config for at in (path, PipelinePaths(path).scheduler))), path)
        if not path.exists():
            return text
        where, data = str(path), files.read(path, _REMEDY)
    config = files.parse(data, where, _REMEDY)
    if not isinstance(config.get("_class_name"), str):
        raise UserError(f"{where} names no scheduler (_class_name)", _REMEDY)
    return as_text(config)


def check(text: str, folder: Path, pipeline: str) -> None:
    """Make sure that the pipeline in `folder`, of the class `pipeline`, can work with the scheduler.

    A pipeline has its scheduler scale what the model is shown, which those of flow matching do not, or hands over noise levels
    (`sigmas`) and a shift (`mu`) of its own; others than it was written for would fail with the first sample.

    Raises:
        UserError: no such class, or one that lacks what the pipeline or its own scheduler takes.
    """
    wanted = _declared(text)
    used = library.mentioned(pipeline)
    if _SCALING in used:
        if _SCALING not in wanted.methods:
            raise UserError(f"--scheduler {wanted.name} has no {_SCALING}, which a {pipeline} calls", _KIND)
        return
    if used and "mu" not in used and text.startswith("{") and orjson.loads(text).get("use_dynamic_shifting"):
        raise UserError(f"--scheduler {wanted.name} needs a shift (mu), and a {pipeline} gives none", _KIND)
    own = SchedulerPaths(PipelinePaths(folder).scheduler).config
    if not own.is_file():
        return
    taken = _declared(as_text(files.parse(files.read(own), str(own)))).methods["set_timesteps"]
    if missing := sorted(({"sigmas", "mu"} & taken) - wanted.methods["set_timesteps"]):
        message = f"--scheduler {wanted.name} takes no {' and no '.join(missing)}, which this pipeline hands over"
        raise UserError(message, _KIND)


def replace(pipeline: DiffusionPipeline, text: str | None) -> None:
    """Give the pipeline the scheduler that a settled `text` names, if any."""
    if text is not None:
        import diffusers

        config = orjson.loads(text) if text.startswith("{") else pipeline.scheduler.config
        pipeline.scheduler = getattr(diffusers, _name(text)).from_config(config)


def _name(text: str) -> str:
    return str(orjson.loads(text).get("_class_name")) if text.startswith("{") else text


def _declared(text: str) -> Declared:
    name = _name(text)
    kind = library.declared(name, library.SCHEDULERS)
    if kind is None or "set_timesteps" not in kind.methods:
        raise UserError(f"--scheduler {name}: no scheduler of diffusers, and no file", _REMEDY)
    return kind
