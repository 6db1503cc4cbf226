"""The judge that `--model` names: a checkpoint in a folder, or a class of the user's."""

from __future__ import annotations

import importlib
from pathlib import Path

from editbench.errors import UserError
from editbench.models import Kind, Model
from editbench.records import GENERATE
from editbench.score.checkpoint import FAST, model_type
from editbench.score.judge import Judge, JudgeSettings
from editbench.score.settings import ScoreSettings

FAST_PATH = "the fast path for Qwen3-VL"


def implementation(model: Model) -> str:
    """What runs the judge, in words."""
    if not model.is_checkpoint:
        return str(model.kind)
    family = model.identity.get("family")
    return f"{family} through transformers' generate" if family else FAST_PATH


def check_cuda_graph(model: Model, settings: ScoreSettings, device: str) -> None:
    """Raises UserError for `--cuda-graph` where no steps of replies can be captured. `device`: torch's type."""
    decoding = settings.readout == GENERATE or settings.thinking_budget is not None
    if settings.cuda_graph and not (device == "cuda" and decoding and implementation(model) == FAST_PATH):
        raise UserError("--cuda-graph is for replies of Qwen3-VL on NVIDIA's GPUs", "Leave it out.")


def load(model: Model, settings: JudgeSettings) -> Judge:
    """The judge, with its weights on the device; a class of the user's is called with `settings`."""
    if model.kind == Kind.CLASS:
        module, _, name = model.location.partition(":")
        return getattr(importlib.import_module(module), name)(settings)
    folder, adapter = Path(model.location), Path(model.adapter) if model.adapter else None
    if model_type(folder) in FAST:
        from editbench.score.qwen3vl.judge import Qwen3VLJudge

        return Qwen3VLJudge(folder, settings, adapter)
    from editbench.score.families.judge import FamilyJudge

    return FamilyJudge(folder, settings, adapter)
