"""The judge that `--model` names: a checkpoint in a folder, or a class of the user's."""

from __future__ import annotations

import importlib
from pathlib import Path

from editbench.models import Kind, Model
from editbench.score.checkpoint import FAST, model_type
from editbench.score.judge import Judge, JudgeSettings


def path(model: Model) -> str:
    """Which judge runs it, in words."""
    if model.kind not in (Kind.FOLDER, Kind.HUB):
        return str(model.kind)
    family = model.identity.get("family")
    return f"{family} through transformers' generate" if family else "the fast path for Qwen3-VL"


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
