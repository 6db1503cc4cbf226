"""A judge's checkpoint, looked at without loading it: whether it can judge at all, and which of the judges here runs it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from editbench import files
from editbench.errors import UserError, require
from editbench.foreign_paths import CheckpointPaths
from editbench.models import check_weights
from editbench.score.thinking import CLOSE, OPEN

FAST = ("qwen3_vl", "qwen3_vl_moe")
"""Model types of the judge in `qwen3vl`; all others run through transformers' own `generate` (`families`)."""
OWN_HEADS = re.compile("Reward|Classification|Regression")
"""Parts of names of architectures (config.json) that give numbers in place of text."""
DOWNLOAD = ("*.json", "*.jinja", "*.txt", "*.model", "*.safetensors")
"""What a judge needs of a hub repository."""
INCOMPLETE = "Download or copy the whole checkpoint."
INSTRUCT = "Give it --thinking-budget 4096, say, or name the Instruct variant of the judge."
CONFIGS = (f"*{CheckpointPaths(Path()).config.name}", "chat_template.*")
"""What of it `check_config` looks at: a few kilobytes."""


def model_type(folder: Path) -> str:
    """As config.json has it. Raises UserError where that is missing or broken."""
    return str(_json(CheckpointPaths(folder).config).get("model_type", "nameless"))


def check_config(folder: Path) -> None:
    """Make sure that a checkpoint is one that can judge, from its settings alone: weights need not be there.

    torch is imported for no Qwen3-VL checkpoint.

    Raises:
        UserError: no such folder, no or broken config, an adapter, a model that does not take pictures, that writes no text or
            that transformers has no code for, or one without a chat template.
    """
    paths = CheckpointPaths(folder)
    require(folder.is_dir(), f"no model folder {folder}", "Name a local folder, or a hub id such as OWNER/NAME.")
    base = f"Give --model its base model, and --adapter a folder with {paths.adapter_config.name}."
    require(paths.config.is_file() or not paths.adapter_config.is_file(), f"{folder} is an adapter, not a model", base)
    require(paths.config.is_file(), f"{folder} is not a checkpoint: it has no {paths.config.name}", "Is this the right folder?")
    config = _json(paths.config)
    _check_head(folder, config)
    if model_type(folder) not in FAST:
        _check_family(folder, config)
    require(bool(_chat_template(paths)), f"{folder} has no chat template ({paths.chat_template.name})", INCOMPLETE)


def check_thinking(folder: Path, budget: int | None) -> None:
    """Make sure that a judge which thinks has a budget for that, and that one which has a budget can think.

    Raises:
        UserError: the chat template begins answers with a thought and `budget` is None; or there is a budget, and a tokenizer
            without a token that ends thoughts.
    """
    paths = CheckpointPaths(folder)
    if budget is None and _opens_thought(paths):
        raise UserError(f"{folder} is a model that thinks before it answers", INSTRUCT)
    if budget is not None and paths.tokenizer.is_file():
        require(
            f'"{CLOSE}"'.encode() in files.read(paths.tokenizer),
            f"--thinking-budget {budget}: {folder} has no token {CLOSE}, which ends a thought",
            "Leave --thinking-budget out, or name a judge that thinks.",
        )


def check_local(folder: Path) -> None:
    """Make sure that a judge's checkpoint is whole, and one that can judge; a few small files are read.

    Raises:
        UserError: as `check_config`; weights, tokenizer or image settings missing.
    """
    check_config(folder)
    paths = CheckpointPaths(folder)
    check_weights(folder)
    slow = all(path.is_file() for path in paths.slow_tokenizer) or paths.sentencepiece.is_file()
    require(paths.tokenizer.is_file() or slow, f"{folder} has no tokenizer ({paths.tokenizer.name})", INCOMPLETE)
    images = paths.image_processor.is_file() or paths.processor.is_file()
    require(images, f"{folder} has no image settings ({paths.image_processor.name})", INCOMPLETE)


def _check_head(folder: Path, config: dict[str, Any]) -> None:
    """Raises UserError for a model that ends in a head of its own, such as EditReward: transformers would load it without."""
    named = config.get("architectures")
    for name in map(str, named if isinstance(named, list) else []):
        remedy = "Name a judge that answers in text, or write a Judge and pass package.module:Class."
        require(
            not OWN_HEADS.search(name), f"{folder} is a {name}: it gives a number from a head of its own, and no text", remedy
        )


def _check_family(folder: Path, config: dict[str, Any]) -> None:
    """Raises UserError for a model that is not of one of the families that transformers loads as image-text-to-text."""
    from transformers import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as FAMILIES

    named = str(config.get("model_type", "nameless"))
    code = " (its code comes with the checkpoint, and is not run)" if "auto_map" in config else ""
    remedy = "Name a checkpoint that transformers itself loads as image-text-to-text (for InternVL: one that ends in -HF), "
    remedy += "or write a Judge and pass package.module:Class."
    require(named in FAMILIES, f"{folder} is a {named} model{code}, which judges no pictures through transformers", remedy)
    require(
        not getattr(CONFIG_MAPPING[named], "is_encoder_decoder", False),
        f"{folder} is an encoder-decoder model ({named}), which can't go on from the beginning of an answer",
        remedy,
    )


def _opens_thought(paths: CheckpointPaths) -> bool:
    """Whether the chat template begins each answer with a thought; where it has a switch for that, it does not."""
    beginning = _chat_template(paths).rpartition("add_generation_prompt")[2]
    return OPEN in beginning and CLOSE not in beginning


def _chat_template(paths: CheckpointPaths) -> str:
    if paths.chat_template.is_file():
        return files.read(paths.chat_template, "Download the checkpoint again.").decode("utf-8", "replace")
    for path in (paths.chat_template_json, paths.tokenizer_config, paths.processor):
        if path.is_file() and (template := _json(path).get("chat_template")):
            return str(template)
    return ""


def _json(path: Path) -> dict[str, Any]:
    remedy = "Download the checkpoint again."
    return files.parse(files.read(path, remedy), str(path), remedy)
