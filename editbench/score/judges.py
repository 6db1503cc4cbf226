"""The judge that `--model` names: Qwen3-VL from a folder, or a class of the user's."""

from __future__ import annotations

import importlib
from pathlib import Path

from editbench.models import Kind, Model
from editbench.score.judge import Judge, JudgeSettings


def load(model: Model, settings: JudgeSettings) -> Judge:
    """The judge, with its weights on the device; a class of the user's is called with `settings`."""
    if model.kind == Kind.CLASS:
        module, _, name = model.location.partition(":")
        return getattr(importlib.import_module(module), name)(settings)
    from editbench.score.qwen3vl.judge import Qwen3VLJudge

    return Qwen3VLJudge(Path(model.location), settings)
