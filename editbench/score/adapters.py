"""PEFT adapters: low-rank updates of a judge's weights, which are merged into them when the judge is loaded."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from editbench import files, models
from editbench.errors import UserError
from editbench.foreign_paths import CheckpointPaths

if TYPE_CHECKING:
    from transformers import PreTrainedModel

MERGED = ("LORA", "ADALORA", "LOHA", "LOKR", "IA3", "OFT", "BOFT", "HRA")
"""Types of adapters that change weights, and so can be merged into them."""

CLASSIFIES = "SEQ_CLS"
"""Task, as peft names it, of adapters with a head in place of text: reward models."""


def check(folder: Path) -> None:
    """Look at an adapter without loading it.

    Raises:
        UserError: no such folder, no or broken settings, a head in place of text, a type that has no weights to merge, no or
            broken weights, or no peft.
    """
    paths = CheckpointPaths(folder)
    if not folder.is_dir():
        raise UserError(f"no adapter folder {folder}", "Name a local folder, as peft saves one.")
    if not paths.adapter_config.is_file():
        raise UserError(f"{folder} is no adapter: it has no {paths.adapter_config.name}", "Is this the right folder?")
    remedy = "Download the adapter again."
    config = files.parse(files.read(paths.adapter_config, remedy), str(paths.adapter_config), remedy)
    kind, task = config.get("peft_type"), config.get("task_type")
    if task == CLASSIFIES:
        raise UserError(
            f"{folder} is an adapter for {task}: it gives a number from a head, and no text", "Write a Judge for it."
        )
    if kind not in MERGED:
        raise UserError(f"{folder} is an adapter of type {kind}, not {', '.join(MERGED)}", "Merge it into its model yourself.")
    if not paths.adapter_weights.is_file():
        raise UserError(f"{folder} has no weights ({paths.adapter_weights.name})", remedy)
    if importlib.util.find_spec("peft") is None:
        raise UserError("--adapter needs the package peft", "pip install 'editbench[adapter]'")
    models.tensor_shapes(paths.adapter_weights, remedy)


def merged(model: PreTrainedModel, folder: Path) -> PreTrainedModel:
    """The model with the adapter's updates in its weights.

    Raises UserError for an adapter of another model, or one with more than updates of weights, such as a reward head: what does
    not fit would be left out, and nobody told.
    """
    import warnings

    from peft import PeftConfig, PeftModel
    from peft.mapping import PEFT_TYPE_TO_PREFIX_MAPPING

    config = PeftConfig.from_pretrained(folder)
    modules = {name.rpartition(".")[2] for name, _ in model.named_modules()} & {*(config.modules_to_save or ())}
    known = (PEFT_TYPE_TO_PREFIX_MAPPING[config.peft_type], *modules)
    weights = models.tensor_shapes(CheckpointPaths(folder).adapter_weights, "Download the adapter again.")
    further = [name for name in weights if not any(part in name for part in known)]
    if further:
        raise UserError(f"the adapter {folder} holds {further[0]}, which is no part of the model", "Write a Judge for it.")
    remedy = "Is it an adapter of this model, and saved for this version of transformers?"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*missing adapter keys", category=UserWarning)
            adapted = PeftModel.from_pretrained(model, folder, local_files_only=True)
    except (UserWarning, ValueError, RuntimeError) as error:
        raise UserError(f"the adapter {folder} does not fit the model: {' '.join(str(error).split())[:300]}", remedy) from None
    return adapted.merge_and_unload()
